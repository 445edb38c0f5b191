"""One guarded place for what the installed libraries lack.

torchvision's wheel for CUDA fails to import over a CPU build of torch. The wheel adds meta
functions to two operators (``torchvision::nms``, ``torchvision::qnms``). The wheel's binary would
have declared their schemas, but it cannot be loaded there. Data sets, transforms and models need
neither operator, so it is enough to declare the schemas first.
"""

from __future__ import annotations

import importlib.util
from types import ModuleType

import torch

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
# A torch.library.Library takes its declarations back when it is collected.
_kept_alive: list[torch.library.Library] = []


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
