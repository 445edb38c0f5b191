"""A simulated federation as a reinforcement-learning environment (two_stage_attack, section 3).

Needs gymnasium (the ``rl`` extra), which the rest of the library does not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
import torch
from torch import nn

from fedlib import engine
from fedlib.attacks import ATTACKS
from fedlib.clients import RobustSGD
from fedlib.data import Dataset
from fedlib.gradients import gradients
from fedlib.runs import RunConfig
from fedlib.trackers.robustness import certificate
from fedlib.validation import ConfigError, check_int, check_name

_AT_ONCE = 64
"""Samples whose gradients are looked at together."""
_SEEN = 100.0
"""Size of a parameter beyond which a policy does not see it grow."""
DIVERGED = 10.0
"""Certified level, in those of the start, beyond which a model has diverged."""


class FederationEnvironment(gymnasium.Env[np.ndarray, np.ndarray]):
    """Rounds of robust federated learning on learned data, whose attacker is the agent.

    The reward of a round is by how much it lowers the certified level rho-hat, so that the rewards
    of an episode sum to what the attacker is after. A model that diverges certifies nothing, and
    its level can be of any size: the episode ends there, at a level of ``DIVERGED`` times the
    start's. The text says nothing of it.

    Parameters
    ----------
    config
        The federation as the attacker imagines it, with the server's rule (white box) or the mean
        (black box). Its clients are robust; its attack is replaced.
    data
        The learned samples, laid out as a data set for ``config.data``.
    start
        The model that an episode starts from, ``(n_parameters,)``; None is a fresh one.
    episode
        Rounds of an episode.
    action
        ``"gradient"``: the update itself, each value rescaled to the range of values that gradients
        of single samples have; ``"scale"``: one number by which the attacker's own gradient is
        multiplied, rescaled likewise.
    state
        ``"model"``: all parameters; ``"last_layer"``: those of the last layer.
    gamma
        The clients' price of distance, which the attacker knows; None is what the configuration
        gives on ``data``.

    Raises
    ------
    ConfigError
        If the clients are not robust, or nobody is Byzantine.
    """

    def __init__(
        self,
        config: RunConfig,
        data: Dataset,
        start: torch.Tensor | None = None,
        episode: int = 30,
        action: str = "gradient",
        state: str = "model",
        gamma: float | None = None,
    ) -> None:
        if not isinstance(config.client, RobustSGD):
            raise ConfigError(f"client={config.client.name!r} must be 'robust_sgd' here.")
        check_int("n_byzantine", config.n_byzantine, 1)
        self._episode = check_int("episode", episode, 1)
        check_name("action", action, ("gradient", "scale"))
        check_name("state", state, ("model", "last_layer"))
        self._config = config.with_(
            attack=ATTACKS["dictated"](n_byzantine=config.n_byzantine), track=()
        )
        self._data = replace(data, config=self._config.data)
        federation, first = engine.prepare(self._config, self._data)
        self._start = first.parameters.clone() if start is None else start.clone()
        size = len(self._start)
        observed = size
        if state == "last_layer":
            last = [p.numel() for p in first.model.parameters()]
            tail = 2 if list(first.model.parameters())[-1].dim() == 1 else 1
            observed = sum(last[-tail:])
        self._observed = observed
        count = size if action == "gradient" else 1
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (observed,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (count,), np.float32)
        self._federation, self._state = federation, first
        self._gamma = first.client.gamma if gamma is None else gamma
        self._level = self._bound = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode at the start model; ``seed`` decides the batches of its rounds."""
        super().reset(seed=seed)
        drawn = int(self.np_random.integers(1 << 31))
        config = self._config.with_(seed=drawn)
        self._federation, self._state = engine.prepare(config, self._data)
        self._state.client.gamma = self._gamma
        self._state.parameters.copy_(self._start)
        self._level = self._certified()
        self._bound = DIVERGED * self._level
        return self._observation(), {"level": self._level}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play a round in which the attacker sends what ``action`` says."""
        chosen = torch.from_numpy(np.asarray(action, dtype=np.float32))
        self._state.attack = update_of(chosen, self._state.model, self._data)
        engine.play_round(self._federation, self._state)
        before, level = self._level, self._certified()
        diverged = not level < self._bound  # or NaN
        self._level = self._bound if diverged else level
        reward = before - self._level
        ended = self._state.round >= self._episode
        return self._observation(), reward, diverged, ended, {"level": self._level}

    def _certified(self) -> float:
        client = self._config.client
        assert isinstance(client, RobustSGD)
        x, y = self._data.x_train, self._data.y_train
        return certificate(
            self._state.model, x, y, self._gamma, client.ascent_steps, client.ascent_rate
        ).level

    def _observation(self) -> np.ndarray:
        return observation_of(self._state.parameters, self._observed)


def update_of(action: torch.Tensor, model: nn.Module, data: Dataset) -> torch.Tensor:
    """What an action in [-1, 1] stands for at a model: an update, or a factor ``(1,)``.

    Rescaled by the least and the largest value that a gradient of a single learned sample has
    anywhere (two_stage_attack, section 3).
    """
    # The simulation is played on the CPU, the federation may be elsewhere.
    there = next(model.parameters()).device
    low, high = torch.tensor(torch.inf, device=there), torch.tensor(-torch.inf, device=there)
    for x, y in zip(data.x_train.split(_AT_ONCE), data.y_train.split(_AT_ONCE), strict=True):
        each, _ = gradients(model, x.to(there)[:, None], y.to(there)[:, None])
        low, high = torch.minimum(low, each.min()), torch.maximum(high, each.max())
    return action.to(there) * (high - low) / 2 + (high + low) / 2


def observation_of(parameters: torch.Tensor, count: int) -> np.ndarray:
    """The last ``count`` parameters as a policy sees them: bounded."""
    observed: np.ndarray = parameters[-count:].detach().clone().cpu().numpy()
    return np.nan_to_num(observed, nan=0.0).clip(-_SEEN, _SEEN)
