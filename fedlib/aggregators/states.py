"""The check of a rule's state, which is the same for all rules."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch

from fedlib.validation import ConfigError, check_int


class Kept(NamedTuple):
    """A tensor that a state keeps: its shape and its dtype."""

    shape: tuple[int, ...]
    dtype: torch.dtype


class Rounds(NamedTuple):
    """The state of a rule that draws anew in every round and keeps nothing else."""

    past: int
    """The number of past rounds."""


def check_state(whose: str, state: Any, like: Any, device: torch.device) -> None:
    """Check that a state is one that a rule can go on with.

    Parameters
    ----------
    whose
        Whose state it is, for the message, such as ``"the state of aggregator='flair'"``.
    state
        The state.
    like
        What the state must be like. None stands for a rule that keeps nothing. A :class:`Kept`
        stands for a tensor, a tuple for a tuple of its class with such parts, a number for a whole
        number of at least 0, and :class:`object` for anything.
    device
        The device of the updates. A tensor must be there.

    Raises
    ------
    ConfigError
        If the state has another type, shape, dtype or device.
    """
    if like is object:
        return
    if like is None:
        if state is not None:
            raise ConfigError(
                f"{whose} is of type {type(state).__name__}: must be None, as the rule keeps "
                "nothing from round to round. (A rule that does says so with its method "
                "_state_like, which returns, for example, Kept((updates.shape[1],), "
                "updates.dtype) from fedlib.aggregators.states for a vector of parameters.)"
            )
    elif isinstance(like, Kept):
        _check_tensor(whose, state, like, device)
    elif isinstance(like, tuple):
        if type(state) is not type(like) or len(state) != len(like):
            raise ConfigError(
                f"{whose} is of type {type(state).__name__}: must be a {type(like).__name__} of "
                f"{len(like)} parts, as the rule returned it."
            )
        names = getattr(like, "_fields", range(len(like)))
        for name, part, wanted in zip(names, state, like, strict=True):
            check_state(f"part {name} of {whose}", part, wanted, device)
    else:
        check_int(whose, state, 0)


def _check_tensor(whose: str, state: Any, like: Kept, device: torch.device) -> None:
    """Check that ``state`` is a tensor of the shape and dtype of ``like``, on ``device``."""
    if not isinstance(state, torch.Tensor):
        raise ConfigError(
            f"{whose} is of type {type(state).__name__}: must be a torch.Tensor of shape "
            f"{like.shape}."
        )
    if state.shape != like.shape or state.dtype != like.dtype or state.device != device:
        raise ConfigError(
            f"{whose} has shape {tuple(state.shape)} and type {state.dtype} on {state.device}: "
            f"must have shape {like.shape} and type {like.dtype} on {device}, as the updates ask."
        )
