"""CUDA graphs: what a GPU computes every round is launched once, and then replayed.

Without them a GPU may wait for Python between kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch


class Graphs:
    """Functions of tensors, each kept as a CUDA graph from its first call on.

    What may be kept draws nothing on the CPU, waits for nothing and gives the same for the same
    tensors. Tensors that it has beside its arguments are read and written where they are, so that
    they may change in place between calls, but must not move.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Kept] = {}

    @staticmethod
    def serve(device: torch.device) -> bool:
        """Whether the device can replay."""
        return device.type == "cuda"

    def __call__(
        self, key: Hashable, function: Callable[..., Any], *arguments: torch.Tensor | None
    ) -> Any:
        """``function(*arguments)``, under the ``key`` that names it and the tensors it has besides.

        The result, tensors or a tuple of them, is overwritten by the next call.
        """
        forms = tuple(None if a is None else (a.shape, a.dtype, a.device) for a in arguments)
        kept = self._kept.get((key, forms))
        if kept is None:
            kept = self._kept[key, forms] = _capture(function, arguments)
        for place, argument in zip(kept.arguments, arguments, strict=True):
            if place is not None and argument is not None:
                place.copy_(argument)
        kept.replay()
        return kept.result


class _Kept(NamedTuple):
    replay: Callable[[], object]
    arguments: list[torch.Tensor | None]
    result: Any


def _capture(function: Callable[..., Any], arguments: tuple[torch.Tensor | None, ...]) -> _Kept:
    places = [None if argument is None else argument.clone() for argument in arguments]
    # Libraries choose their algorithms and take their work space before, on a stream of their own.
    aside = torch.cuda.Stream()
    aside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(aside):
        for _ in range(3):
            function(*places)
    torch.cuda.current_stream().wait_stream(aside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function(*places)
    return _Kept(graph.replay, places, result)
