"""The first stage of the two-stage attack: what the attacker takes for everybody's data."""

from __future__ import annotations

import time

import numpy as np
import torch

from fedlib.agents.inversion import (
    gradient_gap,
    match_gradients,
    wasserstein_distance,
)
from fedlib.agents.unrolled import Ascent
from fedlib.attacks.dictated import TwoStage
from fedlib.clients import RobustSGD
from fedlib.federation import Federation, State
from fedlib.runs import RunConfig
from fedlib.seeds import stream
from fedlib.validation import ConfigError

Samples = tuple[torch.Tensor, torch.Tensor]
"""Samples ``(n, C, H, W)`` and their labels ``(n,)``."""


class StageOne:
    """It watches the rounds and estimates the data at the end of each epoch.

    Parameters
    ----------
    config
        The configuration of the run, whose attack must be ``two_stage``.

    Raises
    ------
    ConfigError
        If the clients are not robust.

    Attributes
    ----------
    found
        The quantities that the run records, in a list each. ``stage_one_distance`` has the distance
        of each estimate to the one before. If estimates are kept only where they fit better,
        ``stage_one_gap_before`` and ``stage_one_gap_after`` have the gaps, on rounds held out, of
        the estimate before and of the new one, which is kept if its gap is smaller.
    seconds
        The seconds that matching took.
    seen
        The broadcast model and the aggregate of each round that has been watched.
    start
        The attacker's own samples ``(n, C, H, W)``, or None before the first estimate.
    """

    def __init__(self, config: RunConfig) -> None:
        assert isinstance(config.attack, TwoStage)
        if not isinstance(config.client, RobustSGD):
            raise ConfigError(
                f"client={config.client.name!r} must be 'robust_sgd' for attack='two_stage'."
            )
        self.config, self.attack = config, config.attack
        self.found: dict[str, list[float]] = {"stage_one_distance": []}
        self.seconds = 0.0
        self.seen: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.start: torch.Tensor | None = None
        self._previous: tuple[torch.Tensor, float] | None = None
        self._estimate: Samples | None = None
        self._epochs = 0

    def watch(self, federation: Federation, state: State) -> Samples | None:
        """Keep the aggregate that the server's last step reveals, and learn at an epoch's end.

        Returns
        -------
        tuple or None
            The samples and labels that the stage has ended with, or None if it goes on.
        """
        now = state.parameters.clone()
        if self._previous is not None:
            # The step of the model is the aggregate times the rate, as long as the server does not
            # project it. A projected step gives the attacker a wrong aggregate.
            before, rate = self._previous
            self.seen.append((before, (before - now) / rate))
        # This is the rate of the coming step. After that step, a milestone may have lowered it.
        self._previous = now, state.learning_rate
        if not self.seen or len(self.seen) % self.attack.epoch:
            return None
        started = time.perf_counter()
        if self._estimate is None:
            self._estimate = self._own_samples(federation)
            self.start = self._estimate[0]
        self._epochs += 1
        converged = self.attack.samples == "learned" and self._learn(state)
        self.seconds += time.perf_counter() - started
        if not converged and self._epochs < self.attack.most_epochs:
            return None
        if self.attack.samples == "true":
            self._estimate = self._true_samples(federation)
        return self._estimate

    def _learn(self, state: State) -> bool:
        """Learn a new estimate, and return whether the stage ends with it."""
        assert self._estimate is not None
        x, y = self._estimate
        ascent = None
        if self.attack.matched == "moved":
            client = self.config.client
            assert isinstance(client, RobustSGD)
            ascent = Ascent(state.client.gamma, client.ascent_steps, client.ascent_rate)
        for_matching, held_out = self._pooled()
        learned = match_gradients(
            state.model,
            *for_matching,
            x,
            y,
            self.attack.n_iterations,
            self.attack.matching_rate,
            ascent,
        )
        distance = wasserstein_distance(learned, x)
        self.found["stage_one_distance"].append(distance)
        if held_out is not None:
            before, after = (
                gradient_gap(state.model, *held_out, samples, y, ascent) for samples in (x, learned)
            )
            self.found.setdefault("stage_one_gap_before", []).append(before)
            self.found.setdefault("stage_one_gap_after", []).append(after)
            if not after < before:
                # An estimate that is not kept is no sign that the estimates have converged.
                return False
        self._estimate = learned, y
        return distance < self.attack.threshold

    def _pooled(self) -> tuple[Samples, Samples | None]:
        """Return the models and gradients to match, and those that are held out if any are."""
        if self.attack.keeps == "every":
            return self._chosen(self.seen), None
        return self._chosen(self.seen[::2]), self._chosen(self.seen[1::2])

    def _chosen(self, seen: list[tuple[torch.Tensor, torch.Tensor]]) -> Samples:
        """Return the models and gradients of the pooled rounds, evenly spread over those seen."""
        places = np.linspace(0, len(seen) - 1, min(self.attack.pooled, len(seen)))
        pooled = [seen[int(place)] for place in places]
        return (
            torch.stack([model for model, _ in pooled]),
            torch.stack([gradient for _, gradient in pooled]),
        )

    def _own_samples(self, federation: Federation) -> Samples:
        """Return samples and labels of the attacker's own clients, up to ``n_samples`` of them."""
        owned = np.concatenate(federation.shares[federation.n_benign : self.config.n_clients])
        return self._taken(federation, owned)

    def _true_samples(self, federation: Federation) -> Samples:
        """Return samples and labels of all clients, drawn at random."""
        held = np.concatenate(federation.shares[: self.config.n_clients])
        return self._taken(federation, stream(self.config.seed, "true_samples").permutation(held))

    def _taken(self, federation: Federation, indices: np.ndarray) -> Samples:
        chosen = torch.from_numpy(indices[: self.attack.n_samples])
        return federation.train[0][chosen].clone(), federation.train[1][chosen].clone()
