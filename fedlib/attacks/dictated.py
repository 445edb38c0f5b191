"""Attacks whose update is chosen outside: by the agent of a simulated or of a real federation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

from fedlib.attacks.base import ATTACKS, Attack
from fedlib.federation.facts import Facts
from fedlib.parts import Revision
from fedlib.validation import ConfigError, check_int, check_name, check_real


@ATTACKS.register("dictated")
@dataclass(frozen=True)
class Dictated(Attack):
    """Send what the state says from every Byzantine client, and be honest until it says something.

    The state is an update ``(n_parameters,)``, or a factor ``(1,)`` of the clients' own.

    It serves :class:`fedlib.agents.environment.FederationEnvironment`, where a policy chooses the
    update of each round (two_stage_attack, section 3).
    """

    formula: ClassVar[str] = r"b = a \text{, or } b_j = o_j \text{ before there is an } a"

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    def _attack(
        self, updates: torch.Tensor, state: torch.Tensor | None, facts: Facts
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if state is None:
            return facts.own_updates, state
        d = updates.shape[1]
        if not isinstance(state, torch.Tensor) or tuple(state.shape) not in ((d,), (1,)):
            shape = tuple(state.shape) if isinstance(state, torch.Tensor) else type(state).__name__
            raise ConfigError(
                f"the state of attack={self.name!r} is {shape}: must be None or a tensor of shape "
                f"{(d,)}, the update that is sent, or (1,), a factor."
            )
        sent = state * facts.own_updates if len(state) == 1 else self._everywhere(state)
        return sent, state


@ATTACKS.register("two_stage")
@dataclass(frozen=True)
class TwoStage(Dictated):
    """Learn the data, learn a policy, then attack by it (two_stage_attack, section 3).

    Its agent is :mod:`fedlib.agents.two_stage`, which a grid runs it with. On its own it stays in
    the first stage and is honest. What the text does not give is named in the fields.

    Parameters
    ----------
    knowledge
        ``"white"``: the attacker knows the server's rule; ``"black"``: it assumes the average.
    n_samples
        The number of samples of the learned distribution. Learning begins at as many samples of the
        attacker's own. The text does not give the number.
    n_iterations, matching_rate
        The number of steps of the gradient matching, 300 in the text, and the rate of its
        optimiser, which the text does not give.
    pooled
        How many rounds, evenly over those seen, are matched together. The text does not say it.
    threshold
        The Wasserstein distance of two estimates below which the first stage ends.
    epoch, most_epochs
        The number of rounds between two estimates, and the number of estimates after which the
        first stage ends in any case.
    action, state
        As in the environment: ``"gradient"`` and ``"model"`` on the synthetic data, ``"scale"``
        and ``"last_layer"`` on MNIST.
    episode, policy_steps
        The number of rounds of an episode, and of all episodes together, that the policy learns
        from. The text does not give them.
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
