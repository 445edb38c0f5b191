"""The agent of the two-stage attack learns the data, learns a policy, and then attacks.

The attack comes from two_stage_attack. The module needs gymnasium and stable-baselines3 (the ``rl``
extra). :func:`run` is :func:`fedlib.engine.run` with this agent on the attacker's side. A grid
calls it for runs whose attack is ``two_stage``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

import torch

from fedlib import engine
from fedlib.agents.controls import constant_signs, greedy_action, hidden_update, level_gradient
from fedlib.agents.environment import (
    DIVERGED,
    FederationEnvironment,
    observation_of,
    update_of,
)
from fedlib.agents.inversion import save_samples
from fedlib.agents.policy import Learner, Learning, load_policy, save_policy, train_policy
from fedlib.agents.stage_one import Samples, StageOne
from fedlib.aggregators import AGGREGATORS
from fedlib.attacks.dictated import TwoStage
from fedlib.clients import RobustSGD
from fedlib.data import Dataset
from fedlib.engine.play import recorded
from fedlib.federation import Federation, State
from fedlib.runs import RunConfig
from fedlib.seeds import derived_seed
from fedlib.validation import ConfigError

__all__ = ["Agent", "load_policy", "run", "save_policy", "train_policy"]


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
        The quantities that the run records, in a list each: those of the first stage, and
        ``policy_reward``. If rewards are shares, ``reference_reward`` has what an honest attacker
        earns in the simulation, what a greedy one earns, and the least that an episode can end
        with. If the agent plans again, ``plan_reward`` has what each plan earned in the simulation,
        and ``plan_rests`` has 1 for each plan to stay honest, and otherwise 0. If the policy has
        diverged while it was learned, ``policy_diverged`` has the numbers of these plans, the first
        of which is 0.
    seconds
        The seconds that the parts of the attack took: an ``epoch`` of the federation, matching the
        ``data``, learning the ``policy``, and, if the agent plans again, the later ``plans``.
    data
        The learned samples as a data set, or None before the first stage has ended.
    stage_one
        The first stage.
    policy
        The module that maps observations to actions, or None before the first stage has ended, and
        for controls that have none.

    Raises
    ------
    ConfigError
        If the attack is not ``two_stage``.
    """

    def __init__(self, config: RunConfig, dataset: Dataset) -> None:
        if not isinstance(config.attack, TwoStage):
            raise ConfigError(f"attack={config.attack.name!r} must be 'two_stage' for this agent.")
        self.config, self.attack = config, config.attack
        self.stage_one = StageOne(config)
        self.found: dict[str, list[Any]] = {**self.stage_one.found, "policy_reward": []}
        self.data: Dataset | None = None
        self._samples: Samples | None = None
        self.policy: torch.nn.Module | None = None
        self._dataset = dataset
        self._policy_seconds = self._plans_seconds = 0.0
        self._call_ended: float | None = None
        self._round_seconds: list[float] = []
        self._attacked = 0
        self._rests = False
        self._environment: FederationEnvironment | None = None
        self._learner: Learner | None = None
        self._signs = torch.zeros(0)

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
        found = {"epoch": epoch, "data": self.stage_one.seconds, "policy": self._policy_seconds}
        return {**found, "plans": self._plans_seconds} if self.attack.replan else found

    def _act(self, federation: Federation, state: State) -> None:
        """Watch the round while the data are learned, and choose the update afterwards."""
        if self.data is None:
            samples = self.stage_one.watch(federation, state)
            self.found.update(self.stage_one.found)
            if samples is None:
                return
            self._begin(samples, state)
        elif self._learner is not None and self.attack.replan:
            self._attacked += 1
            if self._attacked % self.attack.replan == 0:
                self._plan_again(state)
        state.attack = None if self._rests else self._chosen(state)

    def _chosen(self, state: State) -> torch.Tensor:
        """Return the state of the ``dictated`` attack for the coming round."""
        assert self._samples is not None
        if self.attack.acts == "hidden":
            gradient = self._level_gradient(state.model, state.parameters, state.client.gamma)
            return hidden_update(gradient, state.own[0], self.attack.hidden_step)
        if self.attack.acts == "greedy":
            return self._greedy(state.model, state.parameters, state.client.gamma)
        action = self._signs
        if self.policy is not None:
            n_observed = next(self.policy.parameters()).shape[1]
            observation = torch.from_numpy(observation_of(state.parameters, n_observed))
            with torch.no_grad():
                action = self.policy(observation[None])[0].clamp(-1, 1)
        return update_of(action, state.model, *self._samples)

    def _level_gradient(
        self, model: torch.nn.Module, parameters: torch.Tensor, gamma: float
    ) -> torch.Tensor:
        """Return the gradient of rho-hat on the learned samples, ``(n_parameters,)``."""
        client = self.config.client
        assert self._samples is not None and isinstance(client, RobustSGD)
        return level_gradient(
            model, parameters, *self._samples, gamma, client.ascent_steps, client.ascent_rate
        )

    def _greedy(
        self, model: torch.nn.Module, parameters: torch.Tensor, gamma: float
    ) -> torch.Tensor:
        """Return what an attacker sends that follows the gradient of rho-hat at full range."""
        assert self._samples is not None
        gradient = self._level_gradient(model, parameters, gamma)
        action = greedy_action(gradient, model, *self._samples, self.attack.action)
        return update_of(action, model, *self._samples)

    def _begin(self, samples: Samples, state: State) -> None:
        """Prepare the attack with samples ``(n, C, H, W)`` and labels that stand for the data."""
        imagined = self.config
        if self.attack.knowledge == "black":
            mean = AGGREGATORS["mean"](n_byzantine=imagined.n_byzantine)
            imagined = imagined.with_(aggregator=mean)
        # The simulated clients draw from the learned samples, whose number the attacker chooses.
        self._samples = samples
        x, y = (part.cpu() for part in samples)
        self.data = Dataset(
            imagined.data, x, y, x[:1], y[:1], self._dataset.n_classes, "learned by the attacker"
        )
        attack = self.attack
        n_actions = len(state.parameters) if attack.action == "gradient" else 1
        self._signs = constant_signs(n_actions, derived_seed(self.config.seed, "signs"))
        if attack.acts not in ("learned", "untrained"):
            return
        started = time.perf_counter()
        self._environment = FederationEnvironment(
            imagined.with_(rounds=attack.episode),
            self.data,
            start=state.parameters,
            episode=attack.episode,
            action=attack.action,
            state=attack.state,
            gamma=state.client.gamma,
            reward=attack.reward,
            draws=attack.draws,
            # Without a discount there is no sum of rewards unless the rounds end.
            ends=attack.discount == 1,
            device=state.parameters.device,
        )
        learning = Learning(
            attack.discount,
            attack.policy_rate,
            attack.action_noise,
            attack.policy_batch,
            attack.policy_updates,
            attack.policy_kept,
            attack.actor_rate,
        )
        seed = derived_seed(self.config.seed, "policy") % (1 << 31)
        learner = Learner(self._environment, attack.policy_steps, seed, learning)
        if attack.acts == "untrained":
            self.policy = learner.untrained()
            return
        if attack.reward == "share" or attack.replan:
            # Later plans take shares of this level too.
            self._environment.first = self._environment.reset(seed=seed)[1]["level"]
        self.policy, rewards = learner.learn(attack.policy_steps)
        self._note_divergence(learner, 0)
        self._learner = learner
        self._policy_seconds += time.perf_counter() - started
        self.found["policy_reward"] = rewards
        if attack.replan:
            self.found.update(plan_reward=[learner.best], plan_rests=[0.0])
        if attack.reward == "share":
            self.found["reference_reward"] = self._references(self._environment, state.client.gamma)

    def _references(self, environment: FederationEnvironment, gamma: float) -> list[float]:
        """Return the rewards of an honest and a greedy attacker, and the lowest possible reward."""

        def greedy(_: Any) -> torch.Tensor:
            return self._greedy(environment.model, environment.parameters, gamma)

        honest = environment.play(lambda _: None)
        return [honest, environment.play(greedy), 1 - DIVERGED]

    def _note_divergence(self, learner: Learner, plan: int) -> None:
        """Record the number of a plan whose policy has diverged while it was learned."""
        if learner.diverged:
            self.found.setdefault("policy_diverged", []).append(plan)

    def _plan_again(self, state: State) -> None:
        """Learn on from the present model, and do in the next rounds what earns most.

        The agent keeps its policy unless another one earns more, and stays honest if that earns
        more than both.
        """
        environment, learner, policy = self._environment, self._learner, self.policy
        assert environment is not None and learner is not None and policy is not None
        if not bool(state.parameters.isfinite().all()):
            return  # Nothing is left to attack.
        started = time.perf_counter()
        environment.start_from(state.parameters)

        def act(observation: Any) -> torch.Tensor:
            assert self._samples is not None
            with torch.no_grad():
                action = policy(torch.from_numpy(observation)[None])[0].clamp(-1, 1)
            return update_of(action, environment.model, *self._samples)

        earned, honest = environment.play(act), environment.play(lambda _: None)
        other, _ = learner.learn(self.attack.replan_steps, policy)
        self._note_divergence(learner, len(self.found["plan_reward"]))
        if learner.best > earned:
            self.policy, earned = other, learner.best
        self._rests = honest > earned
        self.found["plan_reward"].append(max(earned, honest))
        self.found["plan_rests"].append(float(self._rests))
        self._plans_seconds += time.perf_counter() - started


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
        the sum of the rewards of each episode that the policy has learned from, and :class:`Agent`
        names what else some runs have. ``seconds`` holds
        the times that :class:`Agent` describes. ``files`` holds the policy's weights and the
        learned samples, if there are any. A grid takes ``seconds`` and ``files`` out of the
        metrics.
    """
    agent = Agent(config, dataset)
    metrics = engine.run(config, dataset, device, strategy, on_round, agent)
    for name, values in agent.found.items():
        metrics[name] = [recorded(float(value)) for value in values]
    metrics["seconds"] = {name: float(f"{value:.3g}") for name, value in agent.seconds.items()}
    files = {}
    if agent.policy is not None:
        files["policy.pt"] = save_policy(agent.policy)
    if agent.data is not None:
        start = agent.stage_one.start
        assert start is not None
        files["learned.npz"] = save_samples(agent.data.x_train, agent.data.y_train, start)
    if files:
        metrics["files"] = files
    return metrics
