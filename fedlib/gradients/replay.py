"""CUDA graphs replay what a GPU computes in every round.

Without a graph, a GPU may wait for Python between two kernels.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch


class Graphs:
    """This class keeps functions of tensors as CUDA graphs, from their first call on.

    A function that is kept must not draw numbers on the CPU, and it must not wait for anything. It
    must give the same results for the same tensors. It may also use tensors that are not among its
    arguments. It reads and writes these where they are. They may change in place between calls, but
    they must not move to another place in memory.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, _Kept] = {}

    @staticmethod
    def serve(device: torch.device) -> bool:
        """Return whether the device can replay graphs."""
        return device.type == "cuda"

    def __call__(
        self, key: Hashable, function: Callable[..., Any], *arguments: torch.Tensor | None
    ) -> Any:
        """Return ``function(*arguments)``, from a graph after the first call.

        Parameters
        ----------
        key
            A name of the function and of the tensors that it uses beside its arguments.
        function
            A function as the class describes it. It returns tensors or a tuple of tensors.
        *arguments
            Tensors, or None. A graph is kept for each combination of shapes, types and devices.

        Returns
        -------
        Any
            The function's result. The next call overwrites it.
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
    """A captured graph, the tensors that it reads its arguments from, and its result."""

    replay: Callable[[], object]
    arguments: list[torch.Tensor | None]
    result: Any


def _capture(function: Callable[..., Any], arguments: tuple[torch.Tensor | None, ...]) -> _Kept:
    """Run a function on copies of its arguments, and capture it as a graph."""
    places = [None if argument is None else argument.clone() for argument in arguments]
    # Libraries choose their algorithms and take their work space in the first calls. These calls
    # must come before the capture, on a stream of their own.
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
