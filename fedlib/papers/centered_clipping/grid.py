"""Grid of centered_clipping (Ozfatura et al., 2022): Table IV and the curves behind it.

Protocol: section VI of the paper; what its text leaves open is named where it is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.clients import MomentumSGD
from fedlib.data import PARTITIONS, DataConfig
from fedlib.grids import Cell, Grid, Variant, varied, with_changes
from fedlib.runs import RunConfig

N_CLIENTS, N_BYZANTINE = 25, 5
MOMENTA = (0.0, 0.9, 0.99)


@dataclass(frozen=True)
class Setting:
    """A row block of Table IV: a data set and its partition."""

    key: str
    title: str
    data: str
    partition: str
    normalise: bool
    network: str = "cnn_20_50"
    """At paper scale; a smaller one stands in at the others."""

    @property
    def colour(self) -> bool:
        """Whether it is one of the CIFAR settings, which have another length."""
        return self.data.startswith("cifar")


# Fashion-MNIST is not normalised in the authors' code; the text says nothing of it.
SETTINGS = (
    Setting("mnist_noniid", "MNIST*", "mnist", "dirichlet", True),
    Setting("fmnist_iid", "FMNIST", "fashion_mnist", "iid", False),
    Setting("fmnist_noniid", "FMNIST*", "fashion_mnist", "dirichlet", False),
    Setting("cifar10_iid", "CIFAR-10", "cifar10", "iid", True, "resnet20"),
    Setting("cifar10_noniid", "CIFAR-10*", "cifar10", "dirichlet", True, "resnet20"),
    Setting("cifar100_iid", "CIFAR-100", "cifar100", "iid", True, "resnet9"),
)

# "none" is the baseline with all clients honest (section VII), the others Table IV's columns.
ATTACK_NAMES = {
    "rop": "ROP",
    "alie": "ALIE",
    "ipm": "IPM",
    "label_flip": "label flip",
    "bit_flip": "bit flip",
    "none": "no attack",
}

# RFA's smoothing and start are the authors' code's; the text gives the number of steps.
RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "cc_tau0.1": ("centered_clipping", {"tau": 0.1}),
    "cc_tau1": ("centered_clipping", {"tau": 1.0}),
    "rfa": ("geometric_median", {"n_iterations": 3, "nu": 0.1, "start": "zero"}),
    "tm": ("trimmed_mean", {}),
}
RULE_TITLES = {"cc_tau0.1": "CC, τ = 0.1", "cc_tau1": "CC, τ = 1", "rfa": "RFA", "tm": "TM"}


@dataclass(frozen=True)
class Protocol:
    """One scale's share of the protocol."""

    model: str | None
    """None is the setting's own."""
    batch_size: int
    rounds: int
    milestone: int
    eval_every: int
    samples: tuple[int | None, int | None]
    """Training and test samples of a real set; None is all."""
    glyphs: tuple[int, int]
    """The same of the embedded set."""


# An epoch is 60,000 / (25 * 32) = 75 rounds: every client's share is passed through once on
# average.
SCALES = {
    "smoke": Protocol("cnn_4_8", 4, 4, 3, 2, (1000, 200), (1000, 200)),
    "quick": Protocol("cnn_4_8", 8, 1000, 750, 100, (None, None), (12_000, 2_000)),
    "paper": Protocol(None, 32, 7500, 5625, 75, (None, None), (60_000, 10_000)),
}
# CIFAR: an epoch is 50,000 / 800 = 62.5 rounds.
COLOUR_SCALES = {
    "smoke": Protocol("cnn_4_8", 4, 4, 3, 2, (1000, 200), (1000, 200)),
    "quick": Protocol("cnn_4_8", 8, 400, 300, 50, (None, 2_000), (12_000, 2_000)),
    "paper": Protocol(None, 32, 6250, 4688, 125, (None, None), (50_000, 10_000)),
}


def config(
    setting: Setting,
    attack: str,
    rule: str,
    momentum: float,
    scale: str,
    seed: int,
    data: DataConfig,
) -> RunConfig:
    """The run of one cell; ``data`` says where its data set comes from."""
    protocol = (COLOUR_SCALES if setting.colour else SCALES)[scale]
    sizes = protocol.glyphs if data.source == "embedded" else protocol.samples
    attackers = 0 if attack == "none" else N_BYZANTINE
    kind, parameters = RULES[rule]
    return RunConfig(
        data=replace(
            data, train_samples=sizes[0], test_samples=sizes[1], normalise=setting.normalise
        ),
        partition=PARTITIONS[setting.partition](),
        model=protocol.model or setting.network,
        n_clients=N_CLIENTS,
        n_byzantine=attackers,
        client=MomentumSGD(
            batch_size=protocol.batch_size,
            momentum=momentum,
            augment="crop_flip" if setting.colour and scale == "paper" else "none",
        ),
        # The rule does not know that there is no attacker: it withstands as many as ever.
        aggregator=AGGREGATORS[kind](n_byzantine=N_BYZANTINE, **parameters),
        attack=ATTACKS[attack](n_byzantine=attackers),
        rounds=protocol.rounds,
        learning_rate=0.1,
        milestones=(protocol.milestone,),
        decay=0.1,
        eval_every=protocol.eval_every,
        seed=seed,
    )


def key(setting: str, attack: str, rule: str, momentum: float) -> str:
    """A cell's key, such as ``table_iv/fmnist_iid/rop/cc_tau1/0.99``."""
    return f"table_iv/{setting}/{attack}/{rule}/{momentum:g}"


VARIANT_MOMENTUM = 0.9


def _shown(
    attack: str, rule: str, settings: tuple[str, ...] = ("mnist_noniid", "fmnist_iid")
) -> tuple[str, ...]:
    """The cells that a choice is shown on."""
    return tuple(key(setting, attack, rule, VARIANT_MOMENTUM) for setting in settings)


_ROP = _shown("rop", "cc_tau1")
_FMNIST_IID = ("fmnist_iid",)
_CODE = {"angle": 270.0, "z": 0.2533, "first": "zero"}
VARIANTS = (
    Variant(
        "rop_angle", "angle of ROP", "90° (text)", "270° (code)",
        with_changes("attack", angle=270.0), _ROP,
    ),
    Variant(
        "rop_z", "length of ROP", "1 (text)", "0.2533 (code)",
        with_changes("attack", z=0.2533), _ROP,
    ),
    Variant(
        "rop_first", "ROP's first place", "benign mean (text)", "zero (code)",
        with_changes("attack", first="zero"), _ROP,
    ),
    Variant(
        "rop_code", "all three of ROP", "text", "code", with_changes("attack", **_CODE), _ROP
    ),
    Variant(
        "rfa_start", "RFA's first point", "zero (code)", "mean",
        with_changes("aggregator", start="mean"), _shown("rop", "rfa"),
    ),
    Variant(
        "rfa_nu", "RFA's smoothing", "0.1 (code)", "1e-6",
        with_changes("aggregator", nu=1e-6), _shown("rop", "rfa"),
    ),
    Variant(
        "normalise", "Fashion-MNIST's pixels", "in [0, 1] (code)", "standardised",
        with_changes("data", normalise=True), _shown("rop", "cc_tau1", _FMNIST_IID),
    ),
    Variant(
        "rop_location", "ROP's place", "last aggregate (text)", "benign mean (earlier code)",
        with_changes("attack", location=0.0),
        (*_shown("rop", "cc_tau1", _FMNIST_IID), *_shown("rop", "tm", _FMNIST_IID)),
    ),
    Variant(
        "alie_z", "ALIE's strength", "0.2533 (text)", "1.2 (earlier code)",
        with_changes("attack", z=1.2),
        (*_shown("alie", "cc_tau1", _FMNIST_IID), *_shown("alie", "tm", _FMNIST_IID)),
    ),
    Variant(
        "sampling_fresh", "batches", "shuffled passes", "a new shuffle every round (code)",
        with_changes("client", sampling="fresh"), _ROP,
    ),
    Variant(
        "sampling", "batches", "shuffled passes", "with replacement",
        with_changes("client", sampling="replacement"), _ROP,
    ),
    Variant(
        "partition", "non-IID partition", "classes split by Dirichlet shares (text)",
        "by a class distribution a client (code)",
        lambda run: run.with_(partition=PARTITIONS["dirichlet_normalised"](alpha=1.0)),
        _shown("none", "cc_tau1", ("mnist_noniid",)),
    ),
)  # fmt: skip

# At quick scale a small network stands in for either, and there is nothing to compare.
NETWORK_VARIANT = Variant(
    "network", "ResNet-20", "0.27 million parameters (text)", "0.70 million (code)",
    lambda run: run.with_(model="resnet20_code"),
    (
        *(f"figure_3/cifar10_iid/rop_sparse/{rule}/0.9" for rule in ("cc_tau0.1", "cc_tau1")),
        *(key("cifar10_iid", attack, "cc_tau1", 0.99) for attack in ("none", "rop")),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Extra:
    """A run of a figure or of Tables II and III that is a cell of Table IV with one change."""

    key: str
    base: str
    change: Callable[[RunConfig], RunConfig]


def _tracked(run: RunConfig) -> RunConfig:
    return run.with_(track=("cosines",))


# Appendix B's searches; z = 1 and lambda = 0.9 are Table IV's.
LAMBDAS = (0.0, 0.5, 1.0)
LENGTHS = (10.0, 100.0)
# Figure 1 and Tables II and III are CIFAR-10's or do not say whose; Fashion-MNIST besides, because
# its runs are within reach of a CPU. Table II does not name its rule: the trimmed mean's is shown.
SMALL = ("cifar10_iid", "fmnist_iid")
EXTRAS = (
    *(
        Extra(
            f"figure_1/{setting}/alie_alternating/tm/{momentum:g}",
            key(setting, "alie", "tm", momentum),
            with_changes("attack", alternating=True),
        )
        for setting in SMALL
        for momentum in MOMENTA
    ),
    *(
        Extra(
            f"cosines/{setting}/{attack}/{rule}/{momentum:g}",
            key(setting, attack, rule, momentum),
            _tracked,
        )
        for setting in SMALL
        for attack, rule in (("alie", "tm"), ("rop", "cc_tau0.1"), ("rop", "cc_tau1"))
        for momentum in MOMENTA
    ),
    *(
        Extra(
            f"figure_3/cifar10_iid/rop_sparse/{rule}/{momentum:g}",
            key("cifar10_iid", "rop", rule, momentum),
            with_changes("attack", sparse=True),
        )
        for rule in ("cc_tau0.1", "cc_tau1")
        for momentum in MOMENTA
    ),
    *(
        Extra(
            f"figure_12/cifar10_iid/rop_lambda_{lam:g}/{rule}/{momentum:g}",
            key("cifar10_iid", "rop", rule, momentum),
            with_changes("attack", lam=lam),
        )
        for lam in LAMBDAS
        for rule in RULES
        for momentum in MOMENTA
    ),
    *(
        Extra(
            f"{figure}/{setting}/rop_z_{z:g}/{rule}/{momentum:g}",
            key(setting, "rop", rule, momentum),
            with_changes("attack", z=z),
        )
        for figure, setting in (("figure_13", "cifar10_iid"), ("figure_14", "cifar10_noniid"))
        for z in LENGTHS
        for rule in RULES
        for momentum in MOMENTA
    ),
)


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed: those that decide the paper's claims first, the variants last."""
    found = []
    for setting in SETTINGS:
        source = data(setting.data)
        for attack in ATTACK_NAMES:
            for rule in RULES:
                for momentum in MOMENTA:
                    found.append(
                        Cell(
                            key(setting.key, attack, rule, momentum),
                            config(setting, attack, rule, momentum, scale, seed, source),
                        )
                    )
    found.sort(key=_telling)
    by_key = {cell.key: cell.config for cell in found}
    extras = {extra.key: extra.change(by_key[extra.base]) for extra in EXTRAS}
    # A run whose cosines are recorded besides serves Table IV too.
    twins = {extra.base: extras[extra.key] for extra in EXTRAS if extra.change is _tracked}
    found = [Cell(cell.key, twins.get(cell.key, cell.config)) for cell in found]
    found += [Cell(name, run) for name, run in extras.items()]
    variants = VARIANTS if scale == "quick" else (*VARIANTS, NETWORK_VARIANT)
    return found + varied(variants, {**by_key, **extras})


def _telling(cell: Cell) -> tuple[int, ...]:
    """ROP and ALIE against CC with most momentum first, the rules that ignore history later."""
    _, setting, attack, rule, momentum = cell.key.split("/")
    rules = ("cc_tau1", "cc_tau0.1", "tm", "rfa")
    attacks = ("rop", "none", "alie", "label_flip", "ipm", "bit_flip")
    return (
        1 if setting.startswith("cifar") else 0,
        0 if momentum == "0.99" else 1,
        0 if rule.startswith("cc") else 1,
        0 if attack in ("rop", "none", "alie") else 1,
        1 if setting == "fmnist_noniid" else 0,
        rules.index(rule) if rule in rules else len(rules),
        [s.key for s in SETTINGS].index(setting),
        attacks.index(attack) if attack in attacks else len(attacks),
    )


GRID = Grid(
    slug="centered_clipping",
    title="Byzantines can also Learn from History: Fall of Centered Clipping in Federated Learning",
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 3},
)
