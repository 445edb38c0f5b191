"""The rules and attacks of the grid, made for a number of malicious clients."""

from __future__ import annotations

from functools import cache
from typing import Any

from fedlib.aggregators import AGGREGATORS, Aggregator
from fedlib.attacks import ATTACKS, Attack
from fedlib.papers.gradient_guard.settings import AMPLIFIED, N_CLIENTS
from fedlib.validation import ConfigError


@cache
def make_rule(name: str, n_malicious: int, **parameters: Any) -> Aggregator:
    """Make a rule that is set to withstand all malicious clients, or as many as it accepts.

    Parameters
    ----------
    name
        One of ``RULE_TITLES``.
    n_malicious
        How many of the ``N_CLIENTS`` clients are malicious.
    parameters
        Further parameters of the rule.

    Raises
    ------
    ConfigError
        If the rule does not accept the clients even if none of them is malicious.
    """
    if name == "fedsgd":
        parameters = {"weights": "samples", **parameters}
    kind = "mean" if name == "fedsgd" else name
    for f in range(n_malicious, -1, -1):
        rule: Aggregator = AGGREGATORS[kind](n_byzantine=f, **parameters)
        try:
            rule.check(N_CLIENTS)
        except ConfigError:
            continue
        return rule
    raise ConfigError(f"rule={name!r} cannot serve {N_CLIENTS} clients.")


@cache
def make_attack(name: str, n_malicious: int, seed: int = 1) -> Attack:
    """Make an attack for a number of malicious clients; with none of them there is no attack.

    Parameters
    ----------
    name
        One of ``ATTACK_TITLES``. The attacker has full knowledge unless the name ends with
        ``_partial``.
    n_malicious
        How many clients are malicious.
    seed
        The seed of the run. Full-trim has other random draws in every seed.
    """
    if n_malicious == 0:
        none: Attack = ATTACKS["none"]()
        return none
    kind = name.removesuffix("_partial")
    parameters: dict[str, Any] = {"knowledge": "partial"} if kind != name else {}
    if kind == "full_trim":
        parameters["seed"] = seed - 1
    if kind == "amplified":
        kind, parameters["epsilon"] = "ipm", AMPLIFIED
    attack: Attack = ATTACKS[kind](n_byzantine=n_malicious, **parameters)
    return attack
