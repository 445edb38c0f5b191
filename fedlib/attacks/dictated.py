"""These attacks send an update that an agent chooses, in a simulated or in a real federation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation.facts import Facts
from fedlib.parts import Revision
from fedlib.validation import check_int, check_name, check_real


@ATTACKS.register("dictated")
@dataclass(frozen=True)
class Dictated(Attack):
    """Send from every Byzantine client what the state says, and be honest while it says nothing.

    The state is an update ``(n_parameters,)``, or a factor ``(1,)`` that each client's own update
    is multiplied by. The class :class:`fedlib.agents.environment.FederationEnvironment` uses this
    attack. There a policy chooses the update of each round (two_stage_attack, section 3).
    """

    formula: ClassVar[str] = r"b = a \text{, or } b_j = o_j \text{ before there is an } a"

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    def _attack(
        self, updates: torch.Tensor, state: torch.Tensor | None, facts: Facts
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if state is None:
            return facts.own_updates, state
        sent = state * facts.own_updates if len(state) == 1 else self._everywhere(state)
        return sent, state


@ATTACKS.register("two_stage")
@dataclass(frozen=True)
class TwoStage(Dictated):
    """Learn the data, learn a policy, and then attack by this policy.

    The attack comes from two_stage_attack, section 3. Its agent is :mod:`fedlib.agents.two_stage`,
    and a grid runs the attack with this agent. Without the agent the attack stays in the first
    stage and is honest. The entries below say which values the text does not give.

    Parameters
    ----------
    knowledge
        What the attacker knows of the server. With ``"white"``, the default, it knows the server's
        rule. With ``"black"`` it assumes that the server takes the average.
    n_samples
        The number of samples that the learned distribution has. Learning starts at the same number
        of the attacker's own samples. The text does not give the number.
    n_iterations
        The number of iterations of the gradient matching. The default, 300, comes from the text.
    matching_rate
        The learning rate of the optimiser that matches gradients. The text does not give it.
    pooled
        The number of rounds that are matched together. They are spread evenly over the rounds that
        the attacker has seen. The text does not give the number.
    threshold
        The Wasserstein distance between two estimates of the data below which the first stage ends.
        The default, 0.005, comes from the text.
    epoch
        The number of rounds between two estimates.
    most_epochs
        The number of estimates after which the first stage ends in any case.
    action
        The kind of action that the policy takes, as in the environment. ``"gradient"`` is for the
        synthetic data, and ``"scale"`` is for MNIST.
    state
        The part of the model that the policy sees, as in the environment. ``"model"`` is for the
        synthetic data, and ``"last_layer"`` is for MNIST.
    episode
        The number of rounds of an episode that the policy learns from. The text does not give it.
    policy_steps
        The number of rounds of all episodes together. The text does not give it.
    """

    agent: ClassVar[str] = "fedlib.agents.two_stage"
    revisions: ClassVar[tuple[Revision, ...]] = (
        Revision(
            2,
            "An episode went on after the simulated model had diverged, and a factor multiplied "
            "another gradient than the attacker's own.",
        ),
        Revision(
            2,
            "A step that a milestone follows was taken for one of the next rate.",
            of="rates",
            concerns=lambda attack, run: bool(run.milestones),
        ),
    )

    knowledge: str = "white"
    n_samples: int = 200
    n_iterations: int = 300
    matching_rate: float = 0.05
    pooled: int = 10
    threshold: float = 0.005
    epoch: int = 100
    most_epochs: int = 3
    action: str = "gradient"
    state: str = "model"
    episode: int = 50
    policy_steps: int = 2000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.knowledge", self.knowledge, ("white", "black"))
        check_name("attack.action", self.action, ("gradient", "scale"))
        check_name("attack.state", self.state, ("model", "last_layer"))
        check_real("attack.matching_rate", self.matching_rate, 0, open_low=True)
        check_real("attack.threshold", self.threshold, 0)
        check_int("attack.n_iterations", self.n_iterations, 0)
        for field in ("n_samples", "pooled", "epoch", "most_epochs", "episode", "policy_steps"):
            check_int(f"attack.{field}", getattr(self, field), 1)
