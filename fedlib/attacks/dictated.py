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

    The state is an update ``(n_parameters,)``, or a factor ``(1,)`` of the clients' own updates. It
    may also be both in ``(2, n_parameters)``. The first row then holds factors of the own updates,
    and the second one what is added.

    The attack serves :class:`fedlib.agents.environment.FederationEnvironment`. A policy chooses the
    update of each round there (two_stage_attack, section 3).

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
    samples
        What stands for the data: ``"learned"`` by the first stage, the attacker's ``"own"``, or the
        ``"true"`` data of all clients, which no attacker has. The last two show what the first
        stage is worth. Their attack begins after ``most_epochs`` estimates.
    matched
        The points at which the first stage takes gradients: the ``"clean"`` samples, or the
        ``"moved"`` ones, which robust clients train on.
    keeps
        Which estimates the first stage keeps: ``"every"`` one, or only one that ``"fits"`` rounds
        better that were held out of the matching. The text keeps every one.
    draws
        What the simulated clients draw batches from: their ``"shares"`` of the samples, or
        ``"all"`` of them.
    reward
        The unit of the rewards: the ``"level"`` itself, as in the text, or its ``"share"`` of the
        level at which the attack begins.
    discount, policy_rate, action_noise
        The discount of later rewards, 1 in the text, where an episode's last round is its end; the
        rate of the learner; and the standard deviation of the noise on actions while it learns.
    actor_rate
        The rate of the policy, if it is not that of the learner's critic.
    policy_batch, policy_updates
        The number of rounds of a step of the learner, and whether it steps after each ``"round"``
        or, as often, after each ``"episode"``. The defaults of stable-baselines3 2.9 are 256 and
        ``"round"``, those of 2020 were 100 and ``"episode"``.
    policy_kept
        The policy that is used: the ``"last"``, or that at the end of the ``"best"`` episode.
    replan, replan_steps
        The number of rounds after which the attacker learns on, from the model that there is then,
        and of the rounds that it learns from each time. The policy that it has is kept unless
        another one earns more, and the attacker stays honest until the next plan if that earns
        most: a model that is destroyed can only get worse for it. With 0, the default, it learns
        once, as in the text.
    acts
        What chooses the updates: the ``"learned"`` policy, or a control that learns nothing. The
        ``"untrained"`` policy has the weights that learning starts from. ``"signs"`` always sends
        the same signs of full range, drawn once (as a factor, the lowest). ``"greedy"`` follows the
        signs of the gradient of rho-hat at full range. ``"hidden"`` adds to the own update a step
        along that gradient.
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
