"""What the hand-made passes know about layers: one file for each kind of layer.

The ``merged`` and the ``grouped`` strategy find everything that depends on a layer's class in the
table :data:`LAYERS`. To serve a new layer, write one file here that defines a subclass of
:class:`LayerKind` and enters it under the layer's class with :func:`register`. Every file of this
folder is imported with the folder.
"""

import importlib
import pkgutil

from fedlib.gradients.layers.base import LAYERS, ClientLayer, Kept, LayerKind, kind_of, register

__all__ = ["LAYERS", "ClientLayer", "Kept", "LayerKind", "kind_of", "register"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
