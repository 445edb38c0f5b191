"""A simulated federation serves as a reinforcement-learning environment.

two_stage_attack describes it in section 3. The module needs gymnasium (the ``rl`` extra), which the
rest of the library does not need.
"""

from __future__ import annotations

from collections.abc import Callable
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
from fedlib.federation import Federation, State
from fedlib.federation.federation import Streams
from fedlib.gradients import gradients
from fedlib.runs import RunConfig
from fedlib.trackers.robustness import certificate
from fedlib.validation import ConfigError, check_int, check_name

_GRADIENT_BATCH = 64
"""The number of samples whose gradients are taken together."""
_LARGEST_SEEN = 100.0
"""The largest size of a parameter that a policy can see. Larger parameters look like this one."""
DIVERGED = 10.0
"""The certified level, in units of the level of the start, from which on a model has diverged."""


class FederationEnvironment(gymnasium.Env[np.ndarray, np.ndarray]):
    """The environment plays rounds of robust federated learning, and its agent is the attacker.

    The federation learns on data that the attacker has learned. The reward of a round is the amount
    by which the certified level rho-hat falls. The rewards of an episode therefore sum to the fall
    that the attacker wants. A model that diverges certifies nothing, and its level can have any
    size. The episode then ends at a level of ``DIVERGED`` times the level of the start. The text
    does not mention this case.

    Parameters
    ----------
    config
        The federation as the attacker imagines it. It has the server's rule (white box) or the mean
        (black box). Its clients must be robust. Its attack is replaced.
    data
        The learned samples, as a data set for ``config.data``.
    start
        The model that an episode starts from, ``(n_parameters,)``. With None, the default, an
        episode starts from the model that the configuration begins with.
    episode
        The number of rounds of an episode.
    action
        The meaning of an action. With ``"gradient"``, the default, the action is the update itself,
        and each value is rescaled to the range of the values of single samples' gradients. With
        ``"scale"`` it is one number, which is rescaled in the same way. The attacker's own gradient
        is multiplied by it.
    state
        What the agent sees of the model. ``"model"``, the default, shows all parameters, and
        ``"last_layer"`` shows the parameters of the last layer.
    gamma
        The clients' price of distance, which the attacker knows. With None, the default, it is the
        price that the configuration gives on ``data``.
    reward
        The unit of the rewards. With ``"level"``, the default, a reward is the fall of the level
        itself. With ``"share"`` it is the fall as a share of ``first``, so that the sum of an
        episode is at most 1. The text has the first, in which rewards are of the order of 0.001.
    first
        The level that shares and the bound of divergence are taken of. With None, the default, it
        is the level of the start model.
    draws
        What the simulated clients draw their batches from. With ``"shares"``, the default, each has
        its own share of ``data``. With ``"all"`` each draws from all of ``data``, because ``data``
        stands for the distribution of many more samples than it has.
    ends
        Whether the last round of an episode ends what the agent can earn, as in the text's sum over
        T rounds. Without it, the default, the learner takes the rounds to go on.
    device
        Where the simulated federation is played.

    Raises
    ------
    ConfigError
        If the clients are not robust, or if no client is Byzantine.
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
        reward: str = "level",
        first: float | None = None,
        draws: str = "shares",
        ends: bool = False,
        device: str | torch.device = "cpu",
    ) -> None:
        if not isinstance(config.client, RobustSGD):
            raise ConfigError(
                f"client={config.client.name!r} must be 'robust_sgd' in a simulated federation."
            )
        check_int("n_byzantine", config.n_byzantine, 1)
        self._episode = check_int("episode", episode, 1)
        check_name("action", action, ("gradient", "scale"))
        check_name("state", state, ("model", "last_layer"))
        check_name("reward", reward, ("level", "share"))
        check_name("draws", draws, ("shares", "all"))
        self._reward, self._draws, self._ends = reward, draws, ends
        self.first = first
        self._device = torch.device(device)
        self._config = config.with_(
            attack=ATTACKS["dictated"](n_byzantine=config.n_byzantine), track=()
        )
        self._data = replace(data, config=self._config.data)
        federation, begun = self._prepare(self._config)
        self._start = begun.parameters.clone() if start is None else start.clone()
        n_parameters = len(self._start)
        n_observed = n_parameters
        if state == "last_layer":
            tensors = list(begun.model.parameters())
            # The last layer has a bias if the last tensor is a vector.
            n_last = 2 if tensors[-1].dim() == 1 else 1
            n_observed = sum(tensor.numel() for tensor in tensors[-n_last:])
        self._n_observed = n_observed
        n_actions = n_parameters if action == "gradient" else 1
        self.observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (n_observed,), np.float32)
        self.action_space = gymnasium.spaces.Box(-1.0, 1.0, (n_actions,), np.float32)
        self._federation, self._state = federation, begun
        self._gamma = begun.client.gamma if gamma is None else gamma
        self._level = self._diverged_level = 0.0
        self._unit = 1.0

    def _prepare(self, config: RunConfig) -> tuple[Federation, State]:
        """Return the simulated federation before its first round."""
        federation, state = engine.prepare(config, self._data, self._device)
        if self._draws == "all":
            everything = np.arange(len(self._data.y_train))
            shares = [everything] * config.n_clients
            federation = replace(federation, shares=shares)
            state.streams = Streams(shares, config.seed)
        return federation, state

    def start_from(self, start: torch.Tensor) -> None:
        """Let the next episodes start from another model, ``(n_parameters,)``."""
        self._start = start.clone()

    @property
    def model(self) -> nn.Module:
        """The simulated model as it is now."""
        return self._state.model

    @property
    def parameters(self) -> torch.Tensor:
        """The parameters of the simulated model as they are now, ``(n_parameters,)``."""
        return self._state.parameters

    def play(self, attack: Callable[[np.ndarray], torch.Tensor | None]) -> float:
        """Play an episode in which a function chooses what the attacker sends.

        Parameters
        ----------
        attack
            This function takes what the agent sees and returns the state of a ``dictated`` attack,
            or None for an honest round.

        Returns
        -------
        float
            The sum of the rewards.
        """
        observation, _ = self.reset()
        total, over = 0.0, False
        while not over:
            self._state.attack = attack(observation)
            observation, reward, terminated, truncated, _ = self._played()
            total, over = total + reward, terminated or truncated
        return total

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        """Begin an episode at the start model.

        Parameters
        ----------
        seed
            The seed that decides the batches of the rounds. With None the random generator goes on
            from its present state.
        options
            They have no effect.

        Returns
        -------
        observation, info
            The parameters that the agent sees, and a dictionary with the certified ``level``.
        """
        super().reset(seed=seed)
        run_seed = int(self.np_random.integers(1 << 31))
        config = self._config.with_(seed=run_seed)
        self._federation, self._state = self._prepare(config)
        self._state.client.gamma = self._gamma
        self._state.parameters.copy_(self._start)
        level = self._certified()
        first = level if self.first is None else self.first
        self._diverged_level = DIVERGED * first
        # The model of a later start may have diverged already. The negation holds for NaN too.
        diverged = self.first is not None and not level < self._diverged_level
        self._level = self._diverged_level if diverged else level
        # A model that certifies nothing at all leaves no share to take.
        self._unit = first if self._reward == "share" and first > 0 else 1.0
        return self._observation(), {"level": self._level}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play a round in which the attacker sends what ``action`` says.

        Parameters
        ----------
        action
            Values in [-1, 1], as many as the action space has.

        Returns
        -------
        observation, reward, terminated, truncated, info
            The parameters that the agent sees, the fall of the certified level, whether the model
            has diverged, whether the episode has had all its rounds, and a dictionary with the
            certified ``level``.
        """
        values = torch.from_numpy(np.asarray(action, dtype=np.float32))
        self._state.attack = update_of(values, self._state.model, *self._federation.train)
        return self._played()

    def _played(self) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Play the round that the attacker has chosen for, and return what :meth:`step` does."""
        engine.play_round(self._federation, self._state)
        before, level = self._level, self._certified()
        # The negation also holds for a level that is NaN.
        diverged = not level < self._diverged_level
        self._level = self._diverged_level if diverged else level
        reward = (before - self._level) / self._unit
        ended = self._state.round >= self._episode
        terminated = diverged or (ended and self._ends)
        return self._observation(), reward, terminated, ended, {"level": self._level}

    def _certified(self) -> float:
        """Return the level that the present model certifies on the learned samples."""
        client = self._config.client
        assert isinstance(client, RobustSGD)
        x, y = self._federation.train
        return certificate(
            self._state.model, x, y, self._gamma, client.ascent_steps, client.ascent_rate
        ).level

    def _observation(self) -> np.ndarray:
        """Return the parameters that the agent sees, ``(n_observed,)``."""
        return observation_of(self._state.parameters, self._n_observed)


def update_of(
    action: torch.Tensor, model: nn.Module, x: torch.Tensor, y: torch.Tensor
) -> torch.Tensor:
    """Return the update or the factor that an action stands for at a model.

    The action is rescaled to the range from the least to the largest value in the gradients of
    single learned samples (two_stage_attack, section 3).

    Parameters
    ----------
    action
        Values in [-1, 1], ``(n_parameters,)`` for an update and ``(1,)`` for a factor.
    model
        The model at which the gradients are taken.
    x, y
        The learned samples, ``(n, C, H, W)``, and their labels, ``(n,)``, on the device of the
        model.

    Returns
    -------
    torch.Tensor
        The rescaled values, in the shape of ``action`` and on the device of the model.
    """
    low, high = torch.tensor(torch.inf, device=x.device), torch.tensor(-torch.inf, device=x.device)
    for batch in zip(x.split(_GRADIENT_BATCH), y.split(_GRADIENT_BATCH), strict=True):
        of_samples, _ = gradients(model, *(part[:, None] for part in batch))
        low, high = torch.minimum(low, of_samples.min()), torch.maximum(high, of_samples.max())
    return action.to(x.device) * (high - low) / 2 + (high + low) / 2


def observation_of(parameters: torch.Tensor, count: int) -> np.ndarray:
    """Return the last ``count`` parameters as a policy sees them, ``(count,)``.

    Their size is limited, and a parameter that is NaN becomes 0.
    """
    observed: np.ndarray = parameters[-count:].detach().clone().cpu().numpy()
    return np.nan_to_num(observed, nan=0.0).clip(-_LARGEST_SEEN, _LARGEST_SEEN)
