"""Grid of clustering_with_outliers (Yi et al., 2024): Tables 1 to 5 and Figure 2.

Protocol: section 5 of the paper and appendix D; what they leave open is named where it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fedlib.aggregators import AGGREGATORS, Aggregator
from fedlib.attacks import ATTACKS, Attack
from fedlib.clients import MomentumSGD
from fedlib.data import PARTITIONS, DataConfig
from fedlib.grids import Cell, Grid, Variant, varied, with_changes
from fedlib.runs import RunConfig

N_CLIENTS = 35
RATES = {"0.1": 3, "0.2": 7, "0.4": 14}
"""Adversarial rates and the Byzantine clients among 35 that they stand for."""
TAU = 0.215771


@dataclass(frozen=True)
class Setting:
    """A data set and who holds what of it."""

    key: str
    title: str
    data: str
    partition: str
    test_set: str
    """As of ``RunConfig``. Where all clients are alike, their test sets are the whole one."""


# The "uniform distribution over 62 classes" of the text is read as drawing from the pooled images;
# the other reading, all classes alike, is the variant ``classes``.
SETTINGS = (
    Setting("femnist_uniform", "FEMNIST, uniform", "emnist_byclass", "iid", "pooled"),
    Setting(
        "femnist_dirichlet",
        "FEMNIST, Dir(0.1)",
        "emnist_byclass",
        "dirichlet_per_client",
        "clients",
    ),
    Setting("cifar10_uniform", "CIFAR-10, uniform", "cifar10", "iid", "pooled"),
)

# Appendix D.2. "none" has all clients honest; "camouflage" is this book's probe.
ATTACK_TITLES = {
    "lf": "LF",
    "sf": "SF",
    "gauss": "Gauss",
    "omn": "Omn",
    "empire": "Empire",
    "sv": "SV",
    "pga": "PGA",
    "camouflage": "camouflage",
    "none": "no attack",
}
PUBLISHED_ATTACKS = ("lf", "sf", "gauss", "omn", "empire", "sv")
RULE_TITLES = {
    "avg": "Avg",
    "gm": "GM",
    "cclip": "CClip",
    "cwm": "CWM",
    "cwtm": "CWTM",
    "krum": "Krum",
    "cent2p": "Cent2P",
    "mean2p": "Mean2P",
    "cent1p": "Cent1P",
    "mean1p": "Mean1P",
}
RULES = tuple(rule for rule in RULE_TITLES if not rule.endswith("1p"))


def make_attack(name: str, n_byzantine: int, seed: int) -> Attack:
    """The attack as appendix D.2 has it."""
    kind, parameters = {
        "lf": ("label_flip", {"mapping": "permutation"}),
        "sf": ("sign_flip", {}),
        "gauss": ("norm_matched_gaussian", {"seed": seed}),
        "omn": ("omniscient", {}),
        "empire": ("ipm", {"epsilon": 0.1}),
        "sv": ("scaled_variance", {"z": 20.0}),
        "pga": ("pga", {"outward": True}),
        "camouflage": ("camouflage", {}),
        "none": ("none", {}),
    }[name]
    attack: Attack = ATTACKS[kind](n_byzantine=n_byzantine, **parameters)  # type: ignore[arg-type]
    return attack


def make_rule(name: str, n_byzantine: int) -> Aggregator:
    """The rule of section 5.

    GM's first point is not given: the mean, as in the algorithm that it refers to. Centered
    clipping with a centre of v = 0 in every round is the clipping of norms.
    """
    kind, parameters = {
        "avg": ("mean", {}),
        "gm": ("geometric_median", {"n_iterations": 1, "nu": 1e-5, "start": "mean"}),
        "cclip": ("norm_clipping", {"threshold": TAU}),
        "cwm": ("median", {}),
        "cwtm": ("trimmed_mean", {}),
        "krum": ("krum", {}),
        "cent2p": ("center_with_outliers", {"side": "vote"}),
        "mean2p": ("mean_with_outliers", {"side": "vote"}),
        "cent1p": ("center_with_outliers", {}),
        "mean1p": ("mean_with_outliers", {}),
    }[name]
    rule: Aggregator = AGGREGATORS[kind](n_byzantine=n_byzantine, **parameters)  # type: ignore[arg-type]
    return rule


@dataclass(frozen=True)
class Protocol:
    """One scale's share of the protocol."""

    model: str
    rounds: int
    eval_every: int
    samples: tuple[int | None, int | None]
    """Training and test samples of a real FEMNIST; None is all."""
    glyphs: tuple[int, int]
    """The same of the embedded set."""


SCALES = {
    "smoke": Protocol("softmax_regression", 2, 1, (700, 140), (700, 140)),
    "quick": Protocol("softmax_regression", 750, 75, (None, None), (12_000, 2_000)),
    "paper": Protocol("cnn_32_64", 1500, 100, (None, None), (34_511, 5_752)),
}
# CIFAR-10: 300 training and 60 test images a client.
CIFAR_SAMPLES = (10_500, 2_100)


def config(
    setting: Setting,
    rate: str,
    attack: str,
    rule: str,
    scale: str,
    seed: int,
    data: DataConfig,
) -> RunConfig:
    """The run of one cell; ``data`` says where its data set comes from."""
    protocol = SCALES[scale]
    sizes = protocol.glyphs if data.source == "embedded" else protocol.samples
    if setting.data == "cifar10" and scale != "smoke":
        sizes = CIFAR_SAMPLES
    attackers = 0 if attack == "none" else RATES[rate]
    return RunConfig(
        data=replace(data, train_samples=sizes[0], test_samples=sizes[1]),
        partition=PARTITIONS[setting.partition](),
        model=protocol.model,
        n_clients=N_CLIENTS,
        n_byzantine=attackers,
        client=MomentumSGD(batch_size=3, momentum=0.99),
        # The rule does not know that there is no attacker: it withstands as many as ever.
        aggregator=make_rule(rule, RATES[rate]),
        attack=make_attack(attack, attackers, seed),
        rounds=protocol.rounds,
        learning_rate=0.1,
        eval_every=protocol.eval_every,
        seed=seed,
        track=("average_iterate",),
        test_set=setting.test_set,
    )


def key(setting: str, rate: str, attack: str, rule: str) -> str:
    """A cell's key, such as ``femnist_uniform/0.4/omn/cent2p``."""
    return f"{setting}/{rate}/{attack}/{rule}"


def _keys() -> list[tuple[str, str, str, str]]:
    """All cells but the variants, those that decide the paper's claims first."""
    uniform, dirichlet, cifar = (setting.key for setting in SETTINGS)
    phases = ("cent1p", "mean1p")

    def block(
        setting: str, rate: str, attacks: tuple[str, ...], rules: tuple[str, ...]
    ) -> list[tuple[str, str, str, str]]:
        return [(setting, rate, attack, rule) for attack in attacks for rule in rules]

    return [
        *block(uniform, "0.4", ("omn", "sv", "sf", "empire", "lf", "gauss"), RULES),  # Table 1
        *block(uniform, "0.2", PUBLISHED_ATTACKS, (*phases, "cent2p", "mean2p")),  # Table 5
        *block(uniform, "0.4", ("camouflage", "none"), (*RULES, *phases)),
        *block(dirichlet, "0.2", PUBLISHED_ATTACKS, RULES),  # Figure 2
        *block(dirichlet, "0.2", ("camouflage", "none"), (*RULES, *phases)),
        *block(uniform, "0.2", ("camouflage", "none"), (*RULES, *phases)),
        *block(uniform, "0.2", PUBLISHED_ATTACKS, RULES[:-2]),  # the rest of Table 2
        *block(uniform, "0.1", PUBLISHED_ATTACKS, RULES),
        *block(dirichlet, "0.4", PUBLISHED_ATTACKS, RULES),  # the rest of Table 3
        *block(dirichlet, "0.1", PUBLISHED_ATTACKS, RULES),
        *block(cifar, "0.2", (*PUBLISHED_ATTACKS, "none"), RULES),  # Table 4
        *(cell for rate in RATES for cell in block(dirichlet, rate, ("pga",), RULES)),
    ]


def _rule(kind: str, **parameters: Any) -> Callable[[RunConfig], RunConfig]:
    return lambda run: run.with_(
        aggregator=AGGREGATORS[kind](n_byzantine=run.aggregator.n_byzantine, **parameters)
    )


def _all_classes_alike(run: RunConfig) -> RunConfig:
    return run.with_(partition=PARTITIONS["uniform_classes"](), test_set="clients")


def _at(setting: str, rate: str, *pairs: str) -> tuple[str, ...]:
    return tuple(f"{setting}/{rate}/{pair}" for pair in pairs)


_U, _D, _C = (setting.key for setting in SETTINGS)
_GM = {"n_iterations": 1, "nu": 1e-5, "start": "zero"}
VARIANTS = (
    Variant(
        "classes",
        '"uniform distribution over 62 classes"',
        "of the pooled images",
        "all classes alike",
        _all_classes_alike,
        _at(_U, "0.4", "none/avg", "omn/cent2p", "sv/cent2p"),
    ),
    Variant(
        "momentum",
        "clients' momentum",
        "0.99 (text)",
        "0.9",
        with_changes("client", momentum=0.9),
        _at(_U, "0.4", "sf/gm", "sf/cent2p", "sv/cent2p"),
    ),
    Variant(
        "buffer",
        "momentum buffer",
        "each client's own (text)",
        "one for all, passed on (code, but with the text's 0.99)",
        with_changes("client", buffer="shared"),
        _at(_U, "0.4", "sf/avg", "omn/cwm", "omn/krum", "sv/cwtm", "omn/cent2p"),
    ),
    Variant(
        "no_momentum",
        "clients' momentum",
        "0.99 (text)",
        "0 (code)",
        with_changes("client", momentum=0.0),
        (
            *_at(_U, "0.4", *(f"omn/{rule}" for rule in ("avg", "cwm", "krum", "cent2p"))),
            *_at(_U, "0.4", "sv/cwm", "sv/cclip", "gauss/cwm", "gauss/krum", "sf/avg"),
            *_at(_U, "0.2", "omn/cent1p"),
        ),
    ),
    Variant(
        "pixels",
        "pixels standardised",
        "all by one mean and deviation",
        "each by its own (code)",
        with_changes("data", per_pixel=True),
        _at(_U, "0.4", "omn/cwm", "omn/cent2p", "gauss/cwm", "gauss/krum", "none/avg"),
    ),
    Variant(
        "votes",
        "samples a client votes by",
        "a batch of 3 (text)",
        "64",
        lambda run: run.with_(vote_samples=64),
        _at(_U, "0.4", "sf/cent2p", "lf/cent2p"),
    ),
    Variant(
        "omn",
        "Omn",
        "appendix",
        "code",
        with_changes("attack", version="code"),
        _at(_U, "0.4", "omn/gm", "omn/cwm", "omn/krum", "omn/cent2p"),
    ),
    Variant(
        "sv",
        "deviations of SV",
        "20 (appendix)",
        "0.57 (code)",
        with_changes("attack", z=0.57),
        _at(_U, "0.4", "sv/avg", "sv/cwtm", "sv/cent2p"),
    ),
    Variant(
        "gm_start",
        "GM's first point",
        "mean",
        "zero",
        _rule("geometric_median", **_GM),
        _at(_U, "0.4", "sf/gm", "sv/gm"),
    ),
    Variant(
        "cclip_centre",
        "CClip's centre",
        "zero (text)",
        "last aggregate (the paper it refers to)",
        _rule("centered_clipping", tau=TAU),
        _at(_U, "0.4", "sf/cclip", "sv/cclip"),
    ),
    Variant(
        "cclip_radius",
        "CClip's radius",
        "0.2158 (text)",
        "2.158 (code, in units of the momentum)",
        _rule("norm_clipping", threshold=10 * TAU),
        _at(_U, "0.4", "sf/cclip", "sv/cclip"),
    ),
    Variant(
        "honest_tests",
        "clients whose test sets count",
        "all (code)",
        "honest ones",
        lambda run: run.with_(test_set="benign_clients"),
        _at(_D, "0.2", "sv/cent2p", "empire/avg"),
    ),
    Variant(
        "cifar_momentum",
        "clients' momentum on CIFAR-10",
        "0.99 (text)",
        "0 (code)",
        with_changes("client", momentum=0.0),
        _at(_C, "0.2", "omn/cent2p", "gauss/avg"),
    ),
    Variant(
        "pga",
        "PGA",
        "along the benign mean's signs (appendix), gamma searched by halving",
        "against them, gamma scanned from 10 up for the candidate that errs least (code)",
        with_changes("attack", outward=False, search="scan", aim="least"),
        _at(_D, "0.2", "pga/avg", "pga/gm", "pga/cent2p"),
    ),
    Variant(
        "pga_against",
        "direction of PGA",
        "along the benign mean's signs (appendix)",
        "against them (code)",
        with_changes("attack", outward=False),
        _at(_D, "0.2", "pga/avg", "pga/gm", "pga/cent2p"),
    ),
)


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed: those that decide the paper's claims first, the variants last."""
    settings = {setting.key: setting for setting in SETTINGS}
    found = {
        key(*place): config(
            settings[place[0]], *place[1:], scale, seed, data(settings[place[0]].data)
        )
        for place in _keys()
    }
    return [Cell(place, run) for place, run in found.items()] + varied(VARIANTS, found)


GRID = Grid(
    slug="clustering_with_outliers",
    title=(
        "Near-Optimal Resilient Aggregation Rules for Distributed Learning Using 1-Center and "
        "1-Mean Clustering with Outliers"
    ),
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 5},
)
