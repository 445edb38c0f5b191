"""The agent of the two-stage attack learns the data, learns a policy, and then attacks.

The attack comes from two_stage_attack. The module needs gymnasium and stable-baselines3 (the ``rl``
extra). :func:`run` is :func:`fedlib.engine.run` with this agent on the attacker's side. A grid
calls it for runs whose attack is ``two_stage``.
"""

from __future__ import annotations

import contextlib
import io
import random
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

import numpy as np
import torch
from stable_baselines3 import DDPG
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import create_mlp

from fedlib import engine
from fedlib.agents.environment import FederationEnvironment, observation_of, update_of
from fedlib.agents.inversion import match_gradients, save_samples, wasserstein_distance
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks.dictated import TwoStage
from fedlib.data import Dataset
from fedlib.federation import Federation, State
from fedlib.runs import RunConfig
from fedlib.seeds import derived_seed
from fedlib.validation import ConfigError


class _EpisodeRewards(BaseCallback):
    """This callback keeps the sum of the rewards of each episode that has ended."""

    def __init__(self) -> None:
        super().__init__()
        self.rewards: list[float] = []
        self._sum = 0.0

    def _on_step(self) -> bool:
        self._sum += float(self.locals["rewards"][0])
        if bool(self.locals["dones"][0]):
            self.rewards.append(self._sum)
            self._sum = 0.0
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


def train_policy(
    environment: FederationEnvironment, n_steps: int, seed: int
) -> tuple[torch.nn.Module, list[float]]:
    """Learn a deterministic policy by DDPG with the defaults of stable-baselines3.

    Parameters
    ----------
    environment
        The simulated federation.
    n_steps
        The number of rounds that the policy learns from, over all episodes.
    seed
        The seed of the networks, of the exploration and of the batches.

    Returns
    -------
    policy, rewards
        The policy is a module that maps observations ``(n, n_observed)`` to actions in [-1, 1]. The
        rewards are the sum of the rewards of each episode, in order.

    Raises
    ------
    RuntimeError
        If a weight of the policy is not finite.
    """
    with _global_generators_restored():
        # The replay buffer has a million places by default. It gets no more places than the steps
        # can fill.
        learner = DDPG("MlpPolicy", environment, seed=seed, device="cpu", buffer_size=n_steps)
        episodes = _EpisodeRewards()
        learner.learn(n_steps, callback=episodes)
    policy: torch.nn.Module = learner.actor.mu.eval()
    if not all(bool(weights.isfinite().all()) for weights in policy.parameters()):
        # The updates of this policy would be NaN, which a server treats as no update at all.
        raise RuntimeError(
            f"the policy has diverged during its training with seed={seed}: all of its weights "
            "must be finite."
        )
    return policy, episodes.rewards


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


class Agent:
    """The agent acts for the attacker before each round.

    Parameters
    ----------
    config
        The configuration of the run, whose attack must be ``two_stage``.
    dataset
        The data set of the run.

    Attributes
    ----------
    found
        The quantities that the run records, in a list each: ``stage_one_distance`` and
        ``policy_reward``.
    seconds
        The seconds that the parts of the attack took: an ``epoch`` of the federation, matching the
        ``data``, and learning the ``policy``.
    data
        The learned samples as a data set, or None before the first stage has ended.
    start
        The attacker's own samples ``(n, C, H, W)`` that learning started from, or None before the
        first estimate.
    policy
        The module that maps observations to actions, or None before the first stage has ended.

    Raises
    ------
    ConfigError
        If the attack is not ``two_stage``.
    """

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        if not isinstance(config.attack, TwoStage):
            raise ConfigError(f"attack={config.attack.name!r} must be 'two_stage' for this agent.")
        self.config, self.attack = config, config.attack
        self.found: dict[str, list[Any]] = {"stage_one_distance": [], "policy_reward": []}
        self._seconds = {"data": 0.0, "policy": 0.0}
        self.data: Dataset | None = None
        self.policy: torch.nn.Module | None = None
        self._dataset = dataset
        self._seen: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._previous: tuple[torch.Tensor, float] | None = None
        self._call_ended: float | None = None
        self._round_seconds: list[float] = []
        self._estimate: tuple[torch.Tensor, torch.Tensor] | None = None
        self.start: torch.Tensor | None = None

    def __call__(self, federation: Federation, state: State) -> None:
        """Watch a round in the first stage, or choose the update in the second stage."""
        if self._call_ended is not None:
            self._round_seconds.append(time.perf_counter() - self._call_ended)
        self._act(federation, state)
        self._call_ended = time.perf_counter()

    @property
    def seconds(self) -> dict[str, float]:
        """Return the seconds of each part so far, under the names that the class describes."""
        # Rounds with an evaluation take longer, and the median ignores them.
        of_round = median(self._round_seconds) if self._round_seconds else 0.0
        epoch = self.attack.epoch * of_round
        return {"epoch": epoch, **self._seconds}

    def _act(self, federation: Federation, state: State) -> None:
        """Watch the round if there is no policy, and choose the update as soon as there is one."""
        if self.policy is None:
            self._watch(federation, state)
        if self.policy is not None:
            assert self.data is not None
            n_observed = next(self.policy.parameters()).shape[1]
            observation = torch.from_numpy(observation_of(state.parameters, n_observed))
            with torch.no_grad():
                action = self.policy(observation[None])[0].clamp(-1, 1)
            state.attack = update_of(action, state.model, self.data)

    def _watch(self, federation: Federation, state: State) -> None:
        """Keep the aggregate that the server's last step reveals, and learn at an epoch's end."""
        now = state.parameters.clone()
        if self._previous is not None:
            # The step of the model is the aggregate times the rate. The server need not tell it.
            before, rate = self._previous
            self._seen.append((before, (before - now) / rate))
        # This is the rate of the coming step. After that step, a milestone may have lowered it.
        self._previous = now, state.learning_rate
        if not self._seen or len(self._seen) % self.attack.epoch:
            return
        started = time.perf_counter()
        if self._estimate is None:
            self._estimate = self._own_samples(federation)
            self.start = self._estimate[0]
        x, y = self._estimate
        places = np.linspace(0, len(self._seen) - 1, min(self.attack.pooled, len(self._seen)))
        pooled = [self._seen[int(place)] for place in places]
        learned = match_gradients(
            state.model,
            torch.stack([model for model, _ in pooled]),
            torch.stack([gradient for _, gradient in pooled]),
            x,
            y,
            self.attack.n_iterations,
            self.attack.matching_rate,
        )
        distance = wasserstein_distance(learned, x)
        self.found["stage_one_distance"].append(distance)
        self._estimate = learned, y
        self._seconds["data"] += time.perf_counter() - started
        epochs = len(self.found["stage_one_distance"])
        if distance < self.attack.threshold or epochs >= self.attack.most_epochs:
            self._learn_policy(learned, y, state, state.client.gamma)

    def _own_samples(self, federation: Federation) -> tuple[torch.Tensor, torch.Tensor]:
        """Return samples and labels of the attacker's own clients, up to ``n_samples`` of them."""
        owned = np.concatenate(federation.shares[federation.n_benign : self.config.n_clients])
        chosen = torch.from_numpy(owned[: self.attack.n_samples])
        return federation.train[0][chosen].clone(), federation.train[1][chosen].clone()

    def _learn_policy(self, x: torch.Tensor, y: torch.Tensor, state: State, gamma: float) -> None:
        """Learn a policy in a simulated federation on learned samples ``(n, C, H, W)``."""
        imagined = self.config
        if self.attack.knowledge == "black":
            mean = AGGREGATORS["mean"](n_byzantine=imagined.n_byzantine)
            imagined = imagined.with_(aggregator=mean)
        # The simulated clients draw from the learned samples, whose number the attacker chooses.
        x, y = x.cpu(), y.cpu()
        self.data = Dataset(
            imagined.data, x, y, x[:1], y[:1], self._dataset.n_classes, "learned by the attacker"
        )
        environment = FederationEnvironment(
            imagined.with_(rounds=self.attack.episode),
            self.data,
            start=state.parameters.cpu(),
            episode=self.attack.episode,
            action=self.attack.action,
            state=self.attack.state,
            gamma=gamma,
        )
        seed = derived_seed(self.config.seed, "policy") % (1 << 31)
        started = time.perf_counter()
        self.policy, rewards = train_policy(environment, self.attack.policy_steps, seed)
        self._seconds["policy"] = time.perf_counter() - started
        self.found["policy_reward"] = rewards


def run(
    config: RunConfig,
    dataset: Dataset,
    device: str | torch.device = "cpu",
    strategy: str = "auto",
    on_round: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Run a configuration with the two-stage attacker.

    The parameters are those of :func:`fedlib.engine.run`.

    Returns
    -------
    dict
        The metrics of :func:`fedlib.engine.run` and some more. ``stage_one_distance`` holds the
        Wasserstein distance of each estimate of the data to the one before. ``policy_reward`` holds
        the sum of the rewards of each episode that the policy has learned from. ``seconds`` holds
        the times that :class:`Agent` describes. ``files`` holds the policy's weights and the
        learned samples, if there are any. A grid takes ``seconds`` and ``files`` out of the
        metrics.
    """
    agent = Agent(config, dataset)
    metrics = engine.run(config, dataset, device, strategy, on_round, agent)
    for name, values in agent.found.items():
        metrics[name] = [float(f"{value:.6g}") for value in values]
    metrics["seconds"] = {name: float(f"{value:.3g}") for name, value in agent.seconds.items()}
    if agent.policy is not None:
        assert agent.data is not None and agent.start is not None
        metrics["files"] = {
            "policy.pt": save_policy(agent.policy),
            "learned.npz": save_samples(agent.data.x_train, agent.data.y_train, agent.start),
        }
    return metrics
