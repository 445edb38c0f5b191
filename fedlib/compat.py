"""One guarded place for what the installed libraries lack, and for optional ones that are absent.

torchvision's wheel for CUDA fails to import over a CPU build of torch. The wheel adds meta
functions to two operators (``torchvision::nms``, ``torchvision::qnms``). The wheel's binary would
have declared their schemas, but it cannot be loaded there. Data sets, transforms and models need
neither operator, so it is enough to declare the schemas first.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

import torch

EXTRAS = {
    "matplotlib": "book",
    "gymnasium": "rl",
    "stable_baselines3": "rl",
    "byzfl": "bench",
    "pytest_benchmark": "bench",
    "flwr": "flower",
    "ray": "ray",
}
"""The extra of fedlib that brings each optional package, by the name of its module."""

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
# A torch.library.Library takes its declarations back when it is collected.
_kept_alive: list[torch.library.Library] = []


class MissingExtraError(ImportError):
    """An optional package is not installed. The message names the extra that brings it."""


def require(*modules: str) -> None:
    """Check that optional packages are installed, without importing them.

    Parameters
    ----------
    *modules
        The names of the modules, each of which is in ``EXTRAS``.

    Raises
    ------
    MissingExtraError
        If one of them is not installed. The message is one line, which says what to install.
    """
    missing = [name for name in modules if not _is_installed(name)]
    if missing:
        extras = sorted({EXTRAS[name] for name in missing})
        raise MissingExtraError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed: "
            f"pip install 'fedlib[{','.join(extras)}]'",
            name=missing[0],
        )


def _is_installed(name: str) -> bool:
    """Return whether a module can be imported."""
    if name in sys.modules:
        return sys.modules[name] is not None
    return importlib.util.find_spec(name) is not None


def missing_schemas() -> list[str]:
    """Return the names of the torchvision operators that no library has declared."""
    namespace = torch.ops.torchvision
    return [name for name in _SCHEMAS if not hasattr(namespace, name)]


def declare_missing_schemas() -> list[str]:
    """Declare the torchvision operators that are missing, and return their names."""
    missing = missing_schemas()
    if missing:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in missing:
            library.define(_SCHEMAS[name])
        _kept_alive.append(library)
    return missing


def import_torchvision() -> ModuleType:
    """Import torchvision, also over a CPU build of torch.

    Nothing is declared if the import succeeds by itself.

    Returns
    -------
    types.ModuleType
        The module ``torchvision``.

    Raises
    ------
    ImportError
        If torchvision is not installed.
    RuntimeError
        If the import fails for a reason other than the missing operators.
    """
    if importlib.util.find_spec("torchvision") is None:
        raise ImportError("torchvision is not installed: pip install torchvision")
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        declare_missing_schemas()
        import torchvision
    return torchvision
