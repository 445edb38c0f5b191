"""Attacks whose update is chosen by an agent, in a simulated or in a real federation."""

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
    """Send from every Byzantine client what the state says. Without a state, be honest.

    The state is an update of the shape ``(n_parameters,)``, or a factor of the shape ``(1,)``. The
    clients' own updates are multiplied by the factor. The state can also have the shape ``(2,
    n_parameters)``. Then the own updates are multiplied by the first row, and the second row is
    added. The formula is for a state a that is an update.

    The attack is made for :class:`fedlib.agents.environment.FederationEnvironment`. In this
    environment a policy chooses the update of each round (two_stage_attack, section 3).

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(own_updates=torch.tensor([[1.0, 2.1, 0.4]]))
    >>> attack = ATTACKS["dictated"](n_byzantine=1)
    >>> state = torch.tensor([3.0, 3.0, 3.0])
    >>> attack.apply(benign, state, facts)[0]
    tensor([[3., 3., 3.]])
    """

    formula: ClassVar[str] = r"b = a \text{, or } b_j = o_j \text{ before there is an } a"

    knows: ClassVar[frozenset[str]] = frozenset({"own_updates"})

    def _attack(
        self, updates: torch.Tensor, state: torch.Tensor | None, facts: Facts
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        if state is None:
            return facts.own_updates, state
        d = updates.shape[1]
        allowed = ((d,), (1,), (2, d))
        if not isinstance(state, torch.Tensor) or tuple(state.shape) not in allowed:
            shape = tuple(state.shape) if isinstance(state, torch.Tensor) else type(state).__name__
            raise ConfigError(
                f"the state of attack={self.name!r} is {shape}: must be None or a tensor of shape "
                f"{(d,)}, the update that is sent, (1,), a factor, or {(2, d)}, factors and what "
                "is added."
            )
        if state.dim() == 2:
            return state[0] * facts.own_updates + state[1], state
        sent = state * facts.own_updates if len(state) == 1 else self._everywhere(state)
        return sent, state


@ATTACKS.register("two_stage")
@dataclass(frozen=True)
class TwoStage(Dictated):
    """Learn the data, learn a policy, then attack with this policy (two_stage_attack, section 3).

    In the first stage the attacker learns samples whose gradients match the gradients that it sees.
    In the second stage it learns a policy on these samples. The policy chooses the update a of each
    round. The learning is done by the agent :mod:`fedlib.agents.two_stage`, which plays the runs of
    a grid that have this attack. Without the agent the attack stays in the first stage, in which it
    is honest. The parameters below say what the text does not give. The *level* is the certified
    level of robustness of the model, which is rho-hat in the text.

    Parameters
    ----------
    knowledge
        What the attacker knows of the server. With ``"white"`` it knows the server's rule. With
        ``"black"`` it assumes that the server takes the average.
    n_samples
        The number of samples that the attacker learns. Learning begins with the same number of the
        attacker's own samples. The text does not give the number.
    n_iterations, matching_rate
        The number of steps of the gradient matching, 300 in the text, and the rate of its
        optimiser, which the text does not give.
    pooled
        The number of rounds whose gradients are matched together. They are spread evenly over all
        rounds that the attacker has seen. The text does not give the number.
    threshold
        The Wasserstein distance of two estimates below which the first stage ends.
    epoch, most_epochs
        The number of rounds between two estimates, and the number of estimates after which the
        first stage ends in any case.
    action, state
        The actions and the states of the environment. They are ``"gradient"`` and ``"model"`` on
        the synthetic data, and ``"scale"`` and ``"last_layer"`` on MNIST.
    episode, policy_steps
        The number of rounds of an episode, and the number of rounds of all episodes from which the
        policy learns. The text gives neither number.
    samples
        The data from which the policy learns. ``"learned"`` takes the samples that the first stage
        has learned. ``"own"`` takes the attacker's own samples. ``"true"`` takes the data of all
        clients, which no attacker has. A comparison with the last two shows what the first stage
        contributes. With them the attack begins after ``most_epochs`` estimates.
    matched
        The samples at which the first stage takes gradients. ``"clean"`` takes the samples
        themselves. ``"moved"`` takes the changed samples on which robust clients train.
    keeps
        The estimates that the first stage keeps. ``"every"`` keeps every estimate, as in the text.
        ``"fits"`` keeps an estimate only if it fits some rounds better that were not used in the
        matching.
    draws
        The samples from which a simulated client draws batches. ``"shares"`` gives each client its
        own share of the samples. ``"all"`` gives each client all samples.
    reward
        The unit of the rewards. ``"level"`` takes the level itself, as in the text. ``"share"``
        divides it by the level that the model has when the attack begins.
    discount, policy_rate, action_noise
        The discount of later rewards, the learning rate of the learner, and the standard deviation
        of the noise that is added to actions during learning. In the text the discount is 1, and an
        episode ends with its last round.
    actor_rate
        The learning rate of the policy, if it differs from that of the learner's critic.
    policy_batch, policy_updates
        The number of rounds in a batch of the learner, and when the learner takes its steps.
        ``"round"`` takes a step after each round. ``"episode"`` takes the same number of steps
        after each episode. The defaults of stable-baselines3 2.9 are 256 and ``"round"``. Its
        defaults of 2020 were 100 and ``"episode"``.
    policy_kept
        The policy that is used. ``"last"`` uses the last policy. ``"best"`` uses the policy at the
        end of the best episode.
    replan, replan_steps
        The number of rounds after which the attacker learns again, and the number of rounds from
        which it then learns. It begins with the model of that time. It keeps its policy unless
        another policy earns more. If honesty earns most, the attacker stays honest until it learns
        again. This can happen when the model is destroyed, because further changes can then only
        help the server. With 0, the default, the attacker learns once, as in the text.
    acts
        What chooses the updates. ``"learned"`` is the learned policy. All other values are controls
        that learn nothing. ``"untrained"`` is the policy with the weights before learning.
        ``"signs"`` draws signs once, and always sends these signs at full range. If the action is a
        factor, ``"signs"`` sends the lowest factor. ``"greedy"`` follows the signs of the gradient
        of rho-hat at full range. ``"hidden"`` adds a step along that gradient to the own update.
    hidden_step
        The length of that step, as a share of the length of the own update.

    Examples
    --------
    >>> import torch
    >>> from fedlib import ATTACKS, Facts
    >>> benign = torch.tensor([[1.0, 2.0, 0.3], [1.2, 1.9, 0.4], [0.9, 2.2, 0.4], [1.1, 2.1, 0.1]])
    >>> facts = Facts(own_updates=torch.tensor([[1.0, 2.1, 0.4]]))
    >>> attack = ATTACKS["two_stage"](n_byzantine=1)
    >>> attack.apply(benign, None, facts)[0].round(decimals=2)
    tensor([[1.0000, 2.1000, 0.4000]])
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
    samples: str = "learned"
    matched: str = "clean"
    keeps: str = "every"
    draws: str = "shares"
    reward: str = "level"
    discount: float = 0.99
    policy_rate: float = 1e-3
    action_noise: float = 0.0
    policy_batch: int = 256
    policy_updates: str = "round"
    policy_kept: str = "last"
    replan: int = 0
    replan_steps: int = 200
    acts: str = "learned"
    hidden_step: float = 0.5
    actor_rate: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_name("attack.knowledge", self.knowledge, ("white", "black"))
        check_name("attack.action", self.action, ("gradient", "scale"))
        check_name("attack.state", self.state, ("model", "last_layer"))
        check_real("attack.matching_rate", self.matching_rate, 0, open_low=True)
        check_real("attack.threshold", self.threshold, 0)
        for field, allowed in _NAMES.items():
            check_name(f"attack.{field}", getattr(self, field), allowed)
        check_real("attack.discount", self.discount, 0, 1)
        check_real("attack.policy_rate", self.policy_rate, 0, open_low=True)
        if self.actor_rate is not None:
            check_real("attack.actor_rate", self.actor_rate, 0, open_low=True)
        check_real("attack.action_noise", self.action_noise, 0)
        check_real("attack.hidden_step", self.hidden_step, 0)
        for field in ("n_iterations", "replan"):
            check_int(f"attack.{field}", getattr(self, field), 0)
        for field in _COUNTS:
            check_int(f"attack.{field}", getattr(self, field), 1)


_NAMES = {
    "samples": ("learned", "own", "true"),
    "matched": ("clean", "moved"),
    "keeps": ("every", "fits"),
    "draws": ("shares", "all"),
    "reward": ("level", "share"),
    "policy_updates": ("round", "episode"),
    "policy_kept": ("last", "best"),
    "acts": ("learned", "untrained", "signs", "greedy", "hidden"),
}
"""Fields of the two-stage attack that have one of several names."""
_COUNTS = (
    "n_samples",
    "pooled",
    "epoch",
    "most_epochs",
    "episode",
    "policy_steps",
    "policy_batch",
    "replan_steps",
)
"""Fields of the two-stage attack that are at least 1."""
