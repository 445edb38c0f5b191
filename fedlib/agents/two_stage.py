"""The agent of the two-stage attack: learn the data, learn a policy, attack (two_stage_attack).

Needs gymnasium and stable-baselines3 (the ``rl`` extra). :func:`run` is :func:`fedlib.engine.run`
with the agent at the attacker's side; a grid calls it for runs whose attack is ``two_stage``.
"""

from __future__ import annotations

import io
import pickle
import time
from collections.abc import Callable
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


class _Levels(BaseCallback):
    """Sums of rewards of the episodes as they end."""

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


def train_policy(
    environment: FederationEnvironment, n_steps: int, seed: int
) -> tuple[torch.nn.Module, list[float]]:
    """A deterministic policy by DDPG with stable-baselines3's defaults, and its episodes' rewards.

    Parameters
    ----------
    environment
        The simulated federation.
    n_steps
        Rounds to learn from, over all episodes.
    seed
        Of networks, exploration and batches.

    Returns
    -------
    policy, rewards
        A module from observations ``(n, observed)`` to actions in [-1, 1]; sum of rewards of each
        episode, in order.

    Raises
    ------
    RuntimeError
        If the policy is not finite.
    """
    generator_state = torch.random.get_rng_state()
    try:
        # stable-baselines3 seeds and uses torch's global generator.
        # Of the replay buffer's million places no more are laid out than can be filled.
        learner = DDPG("MlpPolicy", environment, seed=seed, device="cpu", buffer_size=n_steps)
        episodes = _Levels()
        learner.learn(n_steps, callback=episodes)
    finally:
        torch.random.set_rng_state(generator_state)
    policy: torch.nn.Module = learner.actor.mu.eval()
    if not all(bool(weights.isfinite().all()) for weights in policy.parameters()):
        # Its updates would be NaN, which a server takes for no update at all.
        raise RuntimeError(f"the policy has diverged while it was learned, with seed={seed}.")
    return policy, episodes.rewards


def save_policy(policy: torch.nn.Module) -> bytes:
    """The weights of a policy of :func:`train_policy`, and nothing but weights."""
    content = io.BytesIO()
    torch.save(policy.state_dict(), content)
    return content.getvalue()


def load_policy(content: bytes) -> torch.nn.Module:
    """The policy of :func:`save_policy`: from observations ``(n, observed)`` to actions.

    Nothing but tensors is unpickled, whoever made the content.

    Raises
    ------
    ConfigError
        If it is none.
    """
    try:
        weights = torch.load(io.BytesIO(content), weights_only=True)
        sizes = [value.shape[0] for name, value in weights.items() if name.endswith("weight")]
        observed = next(iter(weights.values())).shape[1]
        layers = create_mlp(observed, sizes[-1], sizes[:-1], squash_output=True)
        policy = torch.nn.Sequential(*layers)
        policy.load_state_dict(weights)
    except (
        pickle.UnpicklingError, RuntimeError, AttributeError, LookupError, EOFError, StopIteration,
    ) as error:  # fmt: skip
        raise ConfigError(f"content holds no policy: {error}") from error
    return policy.eval()


class Agent:
    """What the attacker does before each round; ``found`` is what a run records of it.

    Attributes
    ----------
    seconds
        What took how long: an ``epoch`` of the federation, matching the ``data``, learning the
        ``policy``.
    data
        The learned samples as a data set, as soon as the first stage has ended.
    start
        The attacker's own samples ``(n, C, H, W)`` that they are learned from.
    policy
        From observations to actions, likewise.
    """

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        if not isinstance(config.attack, TwoStage):
            raise ConfigError(f"attack={config.attack.name!r} must be 'two_stage' here.")
        self.config, self.attack = config, config.attack
        self.found: dict[str, list[Any]] = {"stage_one_distance": [], "policy_reward": []}
        self._seconds = {"data": 0.0, "policy": 0.0}
        self.data: Dataset | None = None
        self.policy: torch.nn.Module | None = None
        self._dataset = dataset
        self._seen: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._last: tuple[torch.Tensor, float] | None = None
        self._left: float | None = None
        self._rounds: list[float] = []
        self._estimate: tuple[torch.Tensor, torch.Tensor] | None = None
        self.start: torch.Tensor | None = None

    def __call__(self, federation: Federation, state: State) -> None:
        """Watch a round of the first stage, or choose the update of the second."""
        if self._left is not None:
            self._rounds.append(time.perf_counter() - self._left)
        self._act(federation, state)
        self._left = time.perf_counter()

    @property
    def seconds(self) -> dict[str, float]:
        """What took how long so far: the class says which."""
        # A round with an evaluation takes longer: it is left out by the median.
        epoch = self.attack.epoch * median(self._rounds) if self._rounds else 0.0
        return {"epoch": epoch, **self._seconds}

    def _act(self, federation: Federation, state: State) -> None:
        if self.policy is None:
            self._watch(federation, state)
        if self.policy is not None:
            assert self.data is not None
            count = next(self.policy.parameters()).shape[1]
            observation = torch.from_numpy(observation_of(state.parameters, count))
            with torch.no_grad():
                action = self.policy(observation[None])[0].clamp(-1, 1)
            state.attack = update_of(action, state.model, self.data)

    def _watch(self, federation: Federation, state: State) -> None:
        """Keep what the server's step says of the gradients; at an epoch's end, learn from it."""
        now = state.parameters.clone()
        if self._last is not None:
            # The aggregate is what the model moved by: the server need not tell it.
            before, rate = self._last
            self._seen.append((before, (before - now) / rate))
        # The rate of the coming step: after it, a milestone may have lowered it.
        self._last = now, state.learning_rate
        if not self._seen or len(self._seen) % self.attack.epoch:
            return
        started = time.perf_counter()
        if self._estimate is None:
            self._estimate = self._own_samples(federation)
            self.start = self._estimate[0]
        x, y = self._estimate
        places = np.linspace(0, len(self._seen) - 1, min(self.attack.pooled, len(self._seen)))
        pooled = [self._seen[int(i)] for i in places]
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
        """As many samples as the estimate is to have, of the attacker's own clients."""
        held = np.concatenate(federation.shares[federation.n_benign : self.config.n_clients])
        chosen = torch.from_numpy(held[: self.attack.n_samples])
        return federation.train[0][chosen].clone(), federation.train[1][chosen].clone()

    def _learn_policy(self, x: torch.Tensor, y: torch.Tensor, state: State, gamma: float) -> None:
        run = self.config
        if self.attack.knowledge == "black":
            run = run.with_(aggregator=AGGREGATORS["mean"](n_byzantine=run.n_byzantine))
        # The simulated clients draw from the learned samples, whose number is the attacker's.
        x, y = x.cpu(), y.cpu()
        self.data = Dataset(
            run.data, x, y, x[:1], y[:1], self._dataset.n_classes, "learned by the attacker"
        )
        environment = FederationEnvironment(
            run.with_(rounds=self.attack.episode),
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
    """:func:`fedlib.engine.run` with the two-stage attacker.

    Its metrics, and besides ``stage_one_distance``: the Wasserstein distance of each estimate of
    the data to the one before; ``policy_reward``: the sum of rewards of each episode that the
    policy has learned from. A grid takes ``seconds`` (see :class:`Agent`) and ``files`` with the
    policy's weights and the learned samples out of them.
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
