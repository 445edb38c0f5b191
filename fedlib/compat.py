"""One guarded place for what the installed libraries lack.

torchvision's wheel for CUDA fails to import over a CPU build of torch, because it adds
meta functions to two operators (``torchvision::nms``, ``torchvision::qnms``) whose
schemas its unloadable binary would have declared. Data sets, transforms and models need
neither operator: declaring the schemas first is enough.
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
    """Names of the torchvision operators that no library has declared."""
    namespace = torch.ops.torchvision
    return [name for name in _SCHEMAS if not hasattr(namespace, name)]


def declare_missing_schemas() -> list[str]:
    """Declare the operators that are missing and return their names."""
    missing = missing_schemas()
    if missing:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in missing:
            library.define(_SCHEMAS[name])
        _kept_alive.append(library)
    return missing


def import_torchvision() -> ModuleType:
    """Import torchvision, over a CPU build of torch too; nothing is changed where it is whole."""
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
