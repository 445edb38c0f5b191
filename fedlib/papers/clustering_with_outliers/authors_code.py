"""The authors' code: all of its choices at once, and single ones where the tables are far apart.

What the code does otherwise and has no parameter here is listed in the chapter as not built.
"""

from __future__ import annotations

from dataclasses import replace

from fedlib.aggregators.clustering import ClusteringRule
from fedlib.aggregators.norm_clipping import NormClipping
from fedlib.attacks import Attack
from fedlib.attacks.label_flip import LabelFlip
from fedlib.attacks.none import NoAttack
from fedlib.attacks.omniscient import Omniscient
from fedlib.attacks.scaled_variance import ScaledVariance
from fedlib.grids import Variant, with_changes
from fedlib.papers.clustering_with_outliers.keys import cells_of
from fedlib.papers.clustering_with_outliers.methods import (
    BASELINES,
    PUBLISHED_ATTACKS,
    RULES,
    TAU,
    TWO_PHASE,
)
from fedlib.papers.clustering_with_outliers.settings import CIFAR, DIRICHLET, SETTINGS, UNIFORM
from fedlib.runs import RunConfig

VOTE_SAMPLES = 64
"""How many samples stand for a client's whole training set in a vote.

A client has about 986 of them, or 300 on CIFAR-10.

The whole set would make a run take hours.
"""
UNDAMPED = 10.0
"""The rate at which a momentum with the factor 0.01 on new gradients steps as far as without it.

Without the factor the rate is 0.1.
"""


def as_code(run: RunConfig) -> RunConfig:
    """Return a run with all choices of the authors' code that have a parameter.

    Parameters
    ----------
    run
        A run of the grid.
    """
    client = replace(run.client, momentum=0.0, sampling="fresh")  # type: ignore[call-arg]
    if _on_cifar(run):
        # A batch is 0.005 of a client's 300 images, without the fraction.
        client = replace(client, batch_size=1)  # type: ignore[call-arg]
    changed = run.with_(
        client=client, data=replace(run.data, per_pixel=True), attack=_attack_of_code(run)
    )
    rule = run.aggregator
    if isinstance(rule, NormClipping):
        return changed.with_(aggregator=replace(rule, threshold=10 * TAU))
    if isinstance(rule, ClusteringRule):
        changed = _scaled_down(changed)
        return changed.with_(vote_samples=VOTE_SAMPLES) if rule.side == "vote" else changed
    return changed


def _on_cifar(run: RunConfig) -> bool:
    return run.data.name == SETTINGS[CIFAR].data


def _attack_of_code(run: RunConfig) -> Attack:
    """Return a run's attack as the code has it; SF, Gauss and Empire are the appendix's there."""
    attack = run.attack
    if isinstance(attack, LabelFlip):
        # The code changes the labels of characters alone. On CIFAR-10 they stay as they are.
        if _on_cifar(run):
            return NoAttack(n_byzantine=attack.n_byzantine)
        return replace(attack, mapping="characters")
    if isinstance(attack, Omniscient):
        return replace(attack, version="code")
    if isinstance(attack, ScaledVariance):
        return replace(attack, z=0.57)
    return attack


def _scaled_down(run: RunConfig) -> RunConfig:
    """Return the run with the filtered mean times (n - f) / n.

    The server's step is this mean times the rate, so that a smaller rate is the same.
    """
    share = (run.n_clients - run.aggregator.n_byzantine) / run.n_clients
    return run.with_(learning_rate=round(run.learning_rate * share, 6))


def _undamped(run: RunConfig) -> RunConfig:
    client = replace(run.client, buffer="shared")  # type: ignore[call-arg]
    return run.with_(client=client, learning_rate=UNDAMPED)


def _attack_without_momentum(run: RunConfig) -> RunConfig:
    return with_changes("client", momentum=0.0)(run.with_(attack=_attack_of_code(run)))


# They are the ten that were farthest from Table 1 when the variants were chosen.
TABLE_1_FARTHEST = (
    ("empire", "cwtm"),
    ("empire", "cwm"),
    ("sv", "krum"),
    ("omn", "krum"),
    ("omn", "cwm"),
    ("sf", "avg"),
    ("omn", "cwtm"),
    ("sv", "cwm"),
    ("sv", "cwtm"),
    ("empire", "krum"),
)
_ONE_PHASE_FARTHEST = (
    ("omn", "mean1p"),
    ("omn", "cent1p"),
    ("sv", "cent1p"),
    ("sv", "mean1p"),
)
_DIRICHLET_FARTHEST = (
    ("sv", "avg"),
    ("sf", "cent2p"),
    ("sf", "cwtm"),
    ("sv", "gm"),
    ("sf", "cwm"),
    ("sv", "cwm"),
    ("empire", "cclip"),
)
# The claims on these settings compare the cells above with these.
_ONE_PHASE_OTHERS = tuple((attack, rule) for attack in ("omn", "sv") for rule in TWO_PHASE)
_DIRICHLET_OTHERS = (
    *(("sv", rule) for rule in TWO_PHASE),
    *(("empire", rule) for rule in ("avg", *TWO_PHASE, "gm")),
    *(("sf", rule) for rule in RULES if ("sf", rule) not in _DIRICHLET_FARTHEST),
)
_WHOLE_TABLE = tuple((attack, rule) for attack in PUBLISHED_ATTACKS for rule in RULES)

CODE = Variant(
    "code",
    "all choices together",
    "as in the text and the appendix",
    "as in the authors' code",
    as_code,
    (
        *cells_of(UNIFORM, "0.4", *TABLE_1_FARTHEST),
        *cells_of(UNIFORM, "0.2", *_ONE_PHASE_FARTHEST),
        *cells_of(DIRICHLET, "0.2", *_DIRICHLET_FARTHEST),
        *cells_of(UNIFORM, "0.4", *(pair for pair in _WHOLE_TABLE if pair not in TABLE_1_FARTHEST)),
        *cells_of(UNIFORM, "0.2", *_ONE_PHASE_OTHERS),
        *cells_of(DIRICHLET, "0.2", *_DIRICHLET_OTHERS),
        # The paper does not have this attack.
        *cells_of(UNIFORM, "0.4", *(("camouflage", rule) for rule in TWO_PHASE)),
        *cells_of(CIFAR, "0.2", *_WHOLE_TABLE),
    ),
)
_ONE_PHASE = cells_of(UNIFORM, "0.2", ("omn", "cent1p"), ("sv", "cent1p"))
"""The cells in which one phase fails in print and in runs of the code, but not by the text."""
THREE_OF_CODE = Variant(
    "pixels_attack_no_momentum",
    "momentum, formula of the attack, and standardisation of pixels together",
    "as in the text and the appendix, with all pixels alike",
    "as in the authors' code",
    lambda run: with_changes("data", per_pixel=True)(_attack_without_momentum(run)),
    _ONE_PHASE,
)
_FIRST = ("gauss", "sv")
"""The attacks on CIFAR-10 that are computed first with each of the choices."""
CODE_BATCH = Variant(
    "code_batch",
    "all choices but the batch on CIFAR-10",
    "as in the text and the appendix",
    "as in the authors' code",
    lambda run: with_changes("client", batch_size=3)(as_code(run)),
    (
        *cells_of(CIFAR, "0.2", *((attack, rule) for attack in _FIRST for rule in BASELINES)),
        *cells_of(
            CIFAR,
            "0.2",
            *(pair for pair in _WHOLE_TABLE if pair[0] not in _FIRST or pair[1] in TWO_PHASE),
        ),
    ),
)
SINGLE_CHOICES = (
    Variant(
        "factor",
        "factor by which the filtered mean is multiplied",
        "1 (Algorithm 2)",
        "(n - f) / n (code)",
        _scaled_down,
        cells_of(DIRICHLET, "0.2", ("sf", "cent2p")),
    ),
    Variant(
        "fresh",
        "how clients draw batches",
        "each client goes through its own images in random order",
        "each client draws anew in every round (code)",
        with_changes("client", sampling="fresh"),
        cells_of(UNIFORM, "0.4", ("sf", "avg"), ("empire", "cwm"), ("omn", "cwm")),
    ),
    Variant(
        "undamped",
        "momentum buffer",
        "each client has its own, and new gradients are multiplied by 0.01 (text)",
        "all clients share one, and new gradients are not scaled (code, but with the text's 0.99)",
        _undamped,
        (
            *cells_of(UNIFORM, "0.4", ("sf", "avg"), ("omn", "cwm"), ("empire", "cwtm")),
            *cells_of(UNIFORM, "0.2", ("omn", "mean1p")),
        ),
    ),
    Variant(
        "code_momentum",
        "all choices but the momentum",
        "as in the text and the appendix",
        "as in the authors' code",
        lambda run: with_changes("client", momentum=0.99)(as_code(run)),
        (
            *cells_of(
                UNIFORM, "0.4", ("omn", "cwm"), ("empire", "cwm"), ("sv", "cwm"), ("sf", "avg")
            ),
            *_ONE_PHASE,
        ),
    ),
    CODE_BATCH,
    Variant(
        "attack_no_momentum",
        "momentum and formula of the attack together",
        "as in the text and the appendix",
        "as in the authors' code",
        _attack_without_momentum,
        _ONE_PHASE,
    ),
    THREE_OF_CODE,
    Variant(
        "labels",
        "how the attack LF changes labels",
        "by one random permutation of the classes",
        "a digit y becomes 7 y + 1 mod 10, and letters change case (code)",
        with_changes("attack", mapping="characters"),
        cells_of(UNIFORM, "0.4", ("lf", "krum"), ("lf", "cwm")),
    ),
)
"""Single choices of the code, and a few together, on cells that are far from the printed ones."""
