"""Grid of gradient_guard (Gupta and Nagaraj, 2023): accuracy against the malicious share.

The paper's section of results is empty, and its text leaves nearly all of the protocol open. The
"paper" scale here is therefore this book's: one at which a feed-forward network reaches its usual
accuracy. What the text has: data sets, kinds of network, attacks and defences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

from fedlib.aggregators import AGGREGATORS, Aggregator
from fedlib.attacks import ATTACKS, Attack
from fedlib.clients import MomentumSGD
from fedlib.data import DataConfig
from fedlib.grids import Cell, Grid
from fedlib.runs import RunConfig
from fedlib.validation import ConfigError

N_CLIENTS = 20
SHARES = ("0", "10", "20", "30", "40", "50")
"""Malicious clients in percent."""
DATA_TITLES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
ATTACK_TITLES = {
    "full_trim": "full-trim",
    "full_krum": "full-Krum",
    "full_trim_partial": "full-trim, partial knowledge",
    "full_krum_partial": "full-Krum, partial knowledge",
    "saliency_matching": "saliency matching",
}
PUBLISHED_ATTACKS = tuple(ATTACK_TITLES)[:4]
RULE_TITLES = {
    "fedsgd": "FedSGD",
    "trimmed_mean": "Trimmed Mean",
    "median": "Median",
    "krum": "Krum",
    "bulyan": "Bulyan",
    "faba": "FABA",
    "foolsgold": "FoolsGold",
    "fltrust": "FLTrust",
    "flair": "FLAIR",
    "gradient_guard": "Gradient Guard",
}
HISTORIES = ("flair", "gradient_guard")
"""The rules that keep reputations."""
CLASSICAL = ("trimmed_mean", "median", "krum", "bulyan", "faba")
"""The abstract's "traditional defenses"."""
BLIND = ("fedsgd", "median", "foolsgold", "fltrust")
"""The rules that make no use of how many they are to withstand."""


def make_rule(name: str, n_malicious: int, **parameters: Any) -> Aggregator:
    """The rule, set to withstand as many as there are, or as many as it accepts."""
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


def make_attack(name: str, n_malicious: int, seed: int = 1) -> Attack:
    """The attack with full knowledge, unless its name ends with ``_partial``.

    Full-trim has draws of its own in every run's ``seed``.
    """
    if n_malicious == 0:
        none: Attack = ATTACKS["none"]()
        return none
    kind = name.removesuffix("_partial")
    parameters: dict[str, Any] = {"knowledge": "partial"} if kind != name else {}
    if kind == "full_trim":
        parameters["seed"] = seed - 1
    attack: Attack = ATTACKS[kind](n_byzantine=n_malicious, **parameters)
    return attack


@dataclass(frozen=True)
class Protocol:
    """One scale of one data set."""

    model: str
    rounds: int
    eval_every: int
    samples: tuple[int | None, int | None] = (None, None)
    """Training and test samples of a real set; None is all."""
    glyphs: tuple[int, int] = (12_000, 2_000)
    """The same of the embedded set."""


_TINY = (400, 100)
_GREY = {
    "smoke": Protocol("softmax_regression", 2, 1, _TINY, _TINY),
    "quick": Protocol("softmax_regression", 300, 50, (None, 2_000)),
    "paper": Protocol("mlp_100", 1500, 100, glyphs=(60_000, 10_000)),
}
SCALES = {
    "mnist": _GREY,
    "fashion_mnist": _GREY,
    "cifar10": {
        "smoke": Protocol("softmax_regression", 2, 1, _TINY, _TINY),
        "quick": Protocol("cnn_4_8", 150, 25, (None, 2_000)),
        "paper": Protocol("cnn_20_50", 3000, 200, glyphs=(50_000, 10_000)),
    },
}


def config(
    data_name: str, attack: str, share: str, rule: Aggregator, scale: str, seed: int,
    data: DataConfig,
) -> RunConfig:  # fmt: skip
    """A run of the comparison; ``data`` says where its data set comes from."""
    protocol = SCALES[data_name][scale]
    sizes = protocol.glyphs if data.source == "embedded" else protocol.samples
    malicious = N_CLIENTS * int(share) // 100
    return RunConfig(
        data=replace(data, train_samples=sizes[0], test_samples=sizes[1]),
        model=protocol.model,
        n_clients=N_CLIENTS,
        n_byzantine=malicious,
        client=MomentumSGD(batch_size=32),
        aggregator=rule,
        attack=make_attack(attack, malicious, seed),
        rounds=protocol.rounds,
        learning_rate=0.1,
        eval_every=protocol.eval_every,
        seed=seed,
        server_samples=20,
        track=("reputation",) if rule.keeps_reputations else (),
    )


def key(data: str, attack: str, share: str, rule: str) -> str:
    """A cell's key, such as ``mnist/full_trim/30/flair``; without attackers, any attack's."""
    return f"{data}/{'none' if share == '0' else attack}/{share}/{rule}"


# The readings of the text: each option by itself, and some together with what a map is of.
READINGS: dict[str, dict[str, Any]] = {
    "default": {},
    "highest penalised": {"penalised": "highest"},
    "both ends penalised": {"penalised": "both"},
    "one window": {"window": None},
    "first round rewarded": {"first": "reward"},
    "clients' samples": {"inputs": "clients"},
    "maps of updates": {"map_of": "update"},
    "maps of updates, highest": {"map_of": "update", "penalised": "highest"},
    "maps of updates, clients' samples": {"map_of": "update", "inputs": "clients"},
    "spectral residual": {"map_of": "spectral"},
    "spectral residual, highest": {"map_of": "spectral", "penalised": "highest"},
    "trusted reference": {"reference": "server"},
    "spectral residual, trusted reference": {"map_of": "spectral", "reference": "server"},
    "probabilities": {"score": "probability"},
    "no decay": {"decay": 1.0},
    "decay 0.5": {"decay": 0.5},
}
ABLATED = (("mnist", "full_trim", "30"), ("mnist", "full_krum", "30"))
PROBED = "probabilities"
"""The reading that is not blind to saliency matching."""
FLAIRS_LIMIT = "45"
"""The share that the abstract says FLAIR withstands, between those that all have."""


def reading_key(data: str, attack: str, share: str, reading: str) -> str:
    """A cell of the ablation."""
    if reading == "default":
        return key(data, attack, share, "gradient_guard")
    return f"readings/{reading.replace(' ', '-')}/{data}/{attack}/{share}"


def watched(place: str) -> str:
    """The cell in which the rule of cell ``place`` judges, but the honest mean is taken."""
    return f"watched/{place}"


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed: grey images, full knowledge and the readings first."""
    found: dict[str, RunConfig] = {}

    def add(place: str, name: str, attack: str, share: str, rule: str, **parameters: Any) -> None:
        malicious = N_CLIENTS * int(share) // 100
        made = make_rule(rule, malicious, **parameters)
        found[place] = config(name, attack, share, made, scale, seed, data(name))

    def compare(names: tuple[str, ...], attacks: tuple[str, ...], rules: tuple[str, ...]) -> None:
        for name, attack, share, rule in product(names, attacks, SHARES, rules):
            add(key(name, attack, share, rule), name, attack, share, rule)

    grey, every = ("mnist", "fashion_mnist"), tuple(RULE_TITLES)
    compare(grey, PUBLISHED_ATTACKS[:2], every)
    for name, attack in product(grey, PUBLISHED_ATTACKS[:2]):
        add(key(name, attack, FLAIRS_LIMIT, "flair"), name, attack, FLAIRS_LIMIT, "flair")
    for (name, attack, share), (reading, parameters) in product(ABLATED, READINGS.items()):
        place = reading_key(name, attack, share, reading)
        add(place, name, attack, share, "gradient_guard", **parameters)
    judged = [
        key(name, attack, share, "gradient_guard")
        for name, attack, share in product(grey, PUBLISHED_ATTACKS[:2], SHARES[1:])
    ]
    judged += [place for place in found if place.startswith("readings/")]
    for place in judged:
        found[watched(place)] = found[place].with_(server_step="honest_mean")
    compare(grey, ("saliency_matching",), ("median", "fltrust", *HISTORIES))
    for name, share in product(grey, SHARES[1:]):
        place = reading_key(name, "saliency_matching", share, PROBED)
        add(place, name, "saliency_matching", share, "gradient_guard", **READINGS[PROBED])
    compare(grey, PUBLISHED_ATTACKS[2:], every)
    compare(("cifar10",), PUBLISHED_ATTACKS[:2], every)
    return [Cell(place, run) for place, run in found.items()]


GRID = Grid(
    slug="gradient_guard",
    title="Gradient Guard: Robust Federated Learning using Saliency Maps",
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 3},
)
