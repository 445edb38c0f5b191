"""A policy is learned by DDPG, saved and loaded.

The module needs stable-baselines3 (the ``rl`` extra).
"""

from __future__ import annotations

import contextlib
import copy
import io
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from stable_baselines3 import DDPG
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Logger
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.torch_layers import create_mlp
from stable_baselines3.common.utils import set_random_seed, update_learning_rate

from fedlib.agents.environment import FederationEnvironment
from fedlib.validation import ConfigError

_FIRST_ROUNDS = 100
"""So many rounds of random actions come first, as is the default of stable-baselines3."""


@dataclass(frozen=True)
class Learning:
    """How DDPG learns. By default it has the defaults of stable-baselines3 2.9.

    Parameters
    ----------
    discount
        What a reward is worth one round later.
    rate
        The rate of the critic, and of the policy unless it has a rate of its own.
    actor_rate
        The rate of the policy. With None, the default, it is that of the critic.
    noise
        The standard deviation of the noise on each value of an action while the policy learns.
    batch
        The number of rounds in a batch of the learner.
    updates
        When the learner steps: after each ``"round"``, or after each ``"episode"`` as many times as
        the episode had rounds.
    kept
        Which policy is returned: the ``"last"``, or that at the end of the ``"best"`` episode.
    """

    discount: float = 0.99
    rate: float = 1e-3
    noise: float = 0.0
    batch: int = 256
    updates: str = "round"
    kept: str = "last"
    actor_rate: float | None = None


class _TwoRates(DDPG):
    """DDPG whose policy has a rate of its own.

    stable-baselines3 has one rate for both networks, and sets it before each step.
    """

    actor_rate: float | None = None

    def _update_learning_rate(self, optimizers: Any) -> None:
        super()._update_learning_rate(optimizers)
        if self.actor_rate is not None:
            update_learning_rate(self.actor.optimizer, self.actor_rate)


class _Episodes(BaseCallback):
    """This callback keeps the rewards of the episodes that have ended, and the best policy.

    It ends the learning when a weight of the policy is no longer finite.

    Parameters
    ----------
    start
        The weights that the policy begins with.

    Attributes
    ----------
    rewards
        The sum of the rewards of each episode that has ended.
    best
        The highest of these sums among the episodes in which the policy chose every action.
    weights
        The weights of the policy at the end of that episode, or None before there is one.
    finite
        The weights of the policy at the end of the last episode in which all were finite.
    """

    def __init__(self, start: dict[str, torch.Tensor]) -> None:
        super().__init__()
        self.rewards: list[float] = []
        self.best = -np.inf
        self.weights: dict[str, torch.Tensor] | None = None
        self.finite = start
        self._sum = 0.0
        self._random = False

    def _on_step(self) -> bool:
        learner: Any = self.model
        if not is_finite(learner.actor.mu):
            return False
        # The learner has counted this round already.
        self._random |= self.num_timesteps <= learner.learning_starts
        self._sum += float(self.locals["rewards"][0])
        if bool(self.locals["dones"][0]):
            self.rewards.append(self._sum)
            self.finite = copy.deepcopy(learner.actor.mu.state_dict())
            if self._sum > self.best and not self._random:
                self.best, self.weights = self._sum, self.finite
            self._sum, self._random = 0.0, False
        return True


@contextlib.contextmanager
def _global_generators_restored() -> Iterator[None]:
    """Leave the global generators of Python, NumPy and torch as they were before.

    stable-baselines3 seeds all of them, and draws from them.
    """
    of_python, of_numpy = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(range(torch.cuda.device_count())):
            yield
    finally:
        random.setstate(of_python)
        np.random.set_state(of_numpy)


class Learner:
    """A learner learns a deterministic policy by DDPG, and can learn on from another model.

    Parameters
    ----------
    environment
        The simulated federation.
    n_places
        The number of rounds that the learner remembers.
    seed
        The seed of the networks, of the exploration and of the batches.
    learning
        How it learns.

    Attributes
    ----------
    best
        The highest sum of rewards of an episode in the last call of :meth:`learn`, among those in
        which the policy chose every action. It is -inf if there is none.
    diverged
        Whether a weight of the policy was no longer finite in the last call of :meth:`learn`. The
        policy that is returned then has weights of before. The next call begins with a new critic
        and an empty memory.
    """

    def __init__(
        self,
        environment: FederationEnvironment,
        n_places: int,
        seed: int,
        learning: Learning | None = None,
    ) -> None:
        self._learning = learning or Learning()
        self._environment, self._n_places, self._seed = environment, n_places, seed
        self._learner: Any = None
        self._calls = 0
        self.best = -np.inf
        self.diverged = False

    def _begun(self) -> Any:
        """Return the learner, which is made when it is first needed."""
        if self._learner is None:
            how = self._learning
            size = self._environment.action_space.shape
            assert size is not None
            # The replay buffer has a million places by default. It gets no more places than the
            # steps can fill.
            self._learner = _TwoRates(
                "MlpPolicy", self._environment, seed=self._seed, device="cpu",
                buffer_size=self._n_places, learning_rate=how.rate, gamma=how.discount,
                learning_starts=_FIRST_ROUNDS, batch_size=how.batch,
                train_freq=(1, "step" if how.updates == "round" else "episode"),
                gradient_steps=1 if how.updates == "round" else -1,
                action_noise=(
                    NormalActionNoise(np.zeros(size), np.full(size, how.noise))
                    if how.noise else None
                ),
            )  # fmt: skip
            self._learner.actor_rate = how.actor_rate
            # Otherwise each learner would leave an empty folder among the temporary files.
            self._learner.set_logger(Logger(folder=None, output_formats=[]))
        return self._learner

    def untrained(self) -> torch.nn.Module:
        """Return the policy that learning starts from."""
        with _global_generators_restored():
            policy: torch.nn.Module = copy.deepcopy(self._begun().actor.mu)
        return policy.eval()

    def learn(
        self, n_steps: int, policy: torch.nn.Module | None = None
    ) -> tuple[torch.nn.Module, list[float]]:
        """Learn for some rounds, over all episodes.

        Parameters
        ----------
        n_steps
            The number of rounds.
        policy
            The policy to go on from. With None, the default, it is the policy that there is.

        Returns
        -------
        policy, rewards
            As for :func:`train_policy`.
        """
        with _global_generators_restored():
            learner = self._begun()
            if self._calls:
                # The global generators are the run's again, and must not decide what is learned.
                set_random_seed(self._seed + self._calls)
                learner.set_env(learner.get_env(), force_reset=True)
            if policy is not None:
                learner.actor.mu.load_state_dict(policy.state_dict())
                learner.actor_target.mu.load_state_dict(policy.state_dict())
            episodes = _Episodes(copy.deepcopy(learner.actor.mu.state_dict()))
            learner.learn(n_steps, callback=episodes, reset_num_timesteps=not self._calls)
            self._calls += 1
        found: torch.nn.Module = copy.deepcopy(learner.actor.mu).eval()
        self.best = episodes.best
        self.diverged = not is_finite(found)
        if self._learning.kept == "best" and episodes.weights is not None:
            found.load_state_dict(episodes.weights)
        elif self.diverged:
            # The updates of a policy that is not finite would be NaN, which a server treats as no
            # update at all.
            found.load_state_dict(episodes.finite)
        if self.diverged:
            self._learner = None
        return found, episodes.rewards


def train_policy(
    environment: FederationEnvironment, n_steps: int, seed: int, learning: Learning | None = None
) -> tuple[torch.nn.Module, list[float]]:
    """Learn a deterministic policy by DDPG.

    Parameters
    ----------
    environment
        The simulated federation.
    n_steps
        The number of rounds that the policy learns from, over all episodes.
    seed
        The seed of the networks, of the exploration and of the batches.
    learning
        How it learns. With None, the default, it has the defaults of stable-baselines3 2.9.

    Returns
    -------
    policy, rewards
        The policy is a module that maps observations ``(n, n_observed)`` to actions in [-1, 1]. The
        rewards are the sum of the rewards of each episode, in order. If a weight of the policy
        becomes NaN or infinite, the learning ends, and the policy is that of the last episode in
        which all were finite, or the best one if that is what is kept.
    """
    return Learner(environment, n_steps, seed, learning).learn(n_steps)


def is_finite(policy: torch.nn.Module) -> bool:
    """Say whether all weights of a policy are finite."""
    return all(bool(weights.isfinite().all()) for weights in policy.parameters())


def save_policy(policy: torch.nn.Module) -> bytes:
    """Return the weights of a policy of :func:`train_policy` as bytes, and nothing else."""
    content = io.BytesIO()
    torch.save(policy.state_dict(), content)
    return content.getvalue()


def load_policy(content: bytes, source: str = "content") -> torch.nn.Module:
    """Return the policy that :func:`save_policy` saved.

    Only tensors are unpickled, so that content from any source is safe to load.

    Parameters
    ----------
    content
        The content of the file.
    source
        Where the content comes from, such as the path of the file, for the message.

    Returns
    -------
    torch.nn.Module
        A module that maps observations ``(n, n_observed)`` to actions in [-1, 1].

    Raises
    ------
    ConfigError
        If the content holds no policy.
    """
    try:
        weights = torch.load(io.BytesIO(content), weights_only=True)
        sizes = [value.shape[0] for name, value in weights.items() if name.endswith("weight")]
        n_observed = next(iter(weights.values())).shape[1]
        layers = create_mlp(n_observed, sizes[-1], sizes[:-1], squash_output=True)
        policy = torch.nn.Sequential(*layers)
        policy.load_state_dict(weights)
    # A foreign or damaged file may raise an error of any kind.
    except Exception as error:
        raise ConfigError(
            f"{source} holds no policy; it must be what save_policy() returns: {error}"
        ) from error
    if not all(value.is_floating_point() and value.isfinite().all() for value in weights.values()):
        raise ConfigError(
            f"{source} holds no policy; it must be what save_policy() returns: all weights must be "
            "finite floats."
        )
    return policy.eval()
