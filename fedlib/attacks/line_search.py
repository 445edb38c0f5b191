"""The search for the factor of an attack with which the server's rule errs most."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from fedlib.attacks.base import Attack
from fedlib.attacks.lengths import length
from fedlib.blocks import row_mean
from fedlib.federation.facts import Facts
from fedlib.validation import ConfigError, check_int, check_real


@dataclass(frozen=True)
class OptimisedAttack(Attack):
    """Base of the attacks that try their factor on the server's rule.

    The search is that of byzfl (Gonzalez et al., 2025). Allouah et al. (2023) search for the factor
    too. Earlier code of these authors also tries factors below the best one, which this search does
    not do. It tries ``start``, and then always the factor that is one step away from the best
    factor so far. As long as each trial is better than all trials before, the step is doubled.
    After the first trial that is not better, the step is multiplied by ``ratio`` after each trial.
    A factor is better if it moves the aggregate farther away from the benign mean.

    Parameters
    ----------
    start
        The first factor that is tried, z or epsilon.
    step
        The first step from one factor to the next. With a negative step the search goes in the
        other direction. byzfl uses 10, and earlier code of the same authors uses 1.
    ratio
        A number between 0.5 and 1. The step is doubled as long as every trial is better than all
        trials before. After that, it is multiplied by this number after each trial.
    n_trials
        The number of factors that are tried. byzfl uses 20, and earlier code of the same authors
        uses 16.
    """

    alike: ClassVar[bool] = True
    knows: ClassVar[frozenset[str]] = frozenset({"benign_updates", "rule"})

    start: float = 0.0
    step: float = 10.0
    ratio: float = 0.8
    n_trials: int = 20

    def __post_init__(self) -> None:
        super().__post_init__()
        check_real("attack.start", self.start)
        if check_real("attack.step", self.step) == 0:
            raise ConfigError("attack.step=0.0 must be a number other than 0.")
        check_real("attack.ratio", self.ratio, 0.5, 1, open_low=True, open_high=True)
        check_int("attack.n_trials", self.n_trials, 1)

    def _attack(self, updates: torch.Tensor, state: Any, facts: Facts) -> tuple[torch.Tensor, Any]:
        mean = row_mean(updates)
        if self.n_byzantine == 0:
            return self._everywhere(mean), state
        with_factor = self._family(updates, mean)
        everyone = torch.cat([updates, self._everywhere(mean)])

        def error(factor: torch.Tensor) -> torch.Tensor:
            everyone[len(updates) :] = with_factor(factor)
            return length(facts.rule(everyone) - mean)

        return self._everywhere(with_factor(self._search(error, mean))), state

    def _search(
        self, error: Callable[[torch.Tensor], torch.Tensor], mean: torch.Tensor
    ) -> torch.Tensor:
        """Return the best factor that is tried, in the dtype and on the device of ``mean``."""
        # Tensors throughout: an accelerator need not be waited for.
        step = mean.new_full((), self.step, dtype=torch.float64)
        largest = torch.finfo(mean.dtype).max
        best = torch.full_like(step, self.start)
        furthest, extends = error(best.to(mean.dtype)), torch.ones_like(step, dtype=torch.bool)
        for _ in range(self.n_trials - 1):
            tried = (best + step).clamp(-largest, largest)
            distance = error(tried.to(mean.dtype))
            better = distance > furthest
            best = torch.where(better, tried, best)
            furthest = torch.where(better, distance, furthest)
            extends = extends & better
            step = torch.where(extends, 2 * step, self.ratio * step)
        return best.to(mean.dtype)

    @abstractmethod
    def _family(
        self, updates: torch.Tensor, mean: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the update ``(d,)`` as a function of the factor, a tensor without axes.

        ``updates`` are the benign ones, ``(n_benign, d)``, and ``mean`` is their mean, ``(d,)``.
        """
