"""How the gradients of many clients are taken.

:func:`gradients` gives one gradient of each client at the broadcast model, and
:func:`local_updates` what each client changes by several local steps. Both offer strategies that
give the same numbers; :mod:`fedlib.gradients.base` explains them.
"""

from fedlib.gradients.base import Batch, choose_strategy, gradients
from fedlib.gradients.local import local_updates
from fedlib.gradients.merged import forward
from fedlib.gradients.saliency import SaliencyModel, saliency_maps

__all__ = [
    "Batch",
    "SaliencyModel",
    "choose_strategy",
    "forward",
    "gradients",
    "local_updates",
    "saliency_maps",
]
