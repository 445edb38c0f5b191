"""The attacks of the chapter: the paper's, controls that learn nothing, and runs of before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fedlib.attacks import ATTACKS, Attack
from fedlib.attacks.dictated import TwoStage

N_BYZANTINE = 1
EPSILON = 10.0
"""The strength of IPM, which the paper does not give."""
PAPER_TITLES = {
    "none": "no attack",
    "random": "random",
    "ipm": "IPM",
    "learned": "two-stage",
    "learned_blind": "two-stage, black box",
}
"""The five attacks of the paper's Figure 3."""
CONTROL_TITLES = {
    "untrained": "untrained policy",
    "signs": "constant signs",
    "greedy": "greedy",
    "hidden": "greedy, hidden",
}
"""Attackers that learn no policy. They have the data of the first stage."""
SUPERSEDED_TITLES = {
    "rl": "two-stage, defaults of 2.9",
    "rlb": "two-stage, defaults of 2.9, black box",
}
"""The attack with the defaults of stable-baselines3 2.9, with which no policy is learned."""
ATTACK_TITLES = {**PAPER_TITLES, **CONTROL_TITLES, **SUPERSEDED_TITLES}

ATTACKS_ON = {
    "circle": tuple(ATTACK_TITLES),
    "pixels": (*PAPER_TITLES, *CONTROL_TITLES),
    "mnist": ("none", "random", "ipm", *SUPERSEDED_TITLES),
}
"""The attacks that are played on each data set. The standardised images are superseded."""

LEARNS: Mapping[str, Any] = {
    "matched": "moved",
    "keeps": "fits",
    "draws": "all",
    "reward": "share",
    "discount": 1.0,
    "policy_rate": 1e-4,
    "action_noise": 0.3,
    "policy_kept": "best",
}
"""How the agent differs from that of the superseded runs, at every scale."""
RATES: Mapping[str, Any] = {"actor_rate": 1e-5}
"""The policy learns at a tenth of the critic's rate, as in the paper that DDPG is from."""


def make_attack(
    name: str, epoch: int, agent: Mapping[str, Any], replans: Mapping[str, Any], seed: int
) -> Attack:
    """The attack of this name; the strengths of the baselines are this book's.

    Parameters
    ----------
    name
        One of ``ATTACK_TITLES``.
    epoch
        The rounds of an epoch.
    agent
        What the agent has other than usual at a scale, for all its runs.
    replans
        How often the agent plans again, and what from, unless the run is superseded.
    seed
        The seed of the run.
    """
    if name in SUPERSEDED_TITLES:
        knowledge = "white" if name == "rl" else "black"
        return TwoStage(n_byzantine=N_BYZANTINE, knowledge=knowledge, epoch=epoch, **agent)
    if name in CONTROL_TITLES:
        return TwoStage(n_byzantine=N_BYZANTINE, epoch=epoch, acts=name, **agent, **LEARNS)
    if name in ("learned", "learned_blind"):
        knowledge = "white" if name == "learned" else "black"
        return TwoStage(
            n_byzantine=N_BYZANTINE, knowledge=knowledge, epoch=epoch, **agent, **LEARNS, **RATES,
            **replans,
        )  # fmt: skip
    parameters = {"none": {}, "random": {"scale": 1.0, "seed": seed}, "ipm": {"epsilon": EPSILON}}
    count = 0 if name == "none" else N_BYZANTINE
    attack: Attack = ATTACKS[name](n_byzantine=count, **parameters[name])
    return attack
