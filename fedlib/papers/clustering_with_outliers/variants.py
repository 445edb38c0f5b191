"""What text and authors' code of the paper do differently, or leave open, taken the other way."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import Any

from fedlib.aggregators import AGGREGATORS
from fedlib.data import PARTITIONS
from fedlib.grids import Variant, with_changes
from fedlib.papers.clustering_with_outliers.keys import cells_of
from fedlib.papers.clustering_with_outliers.methods import (
    BASELINES,
    PUBLISHED_ATTACKS,
    RULES,
    TAU,
    TWO_PHASE,
)
from fedlib.papers.clustering_with_outliers.settings import CIFAR, DIRICHLET, UNIFORM
from fedlib.runs import RunConfig


def _with_rule(kind: str, **parameters: Any) -> Callable[[RunConfig], RunConfig]:
    return lambda run: run.with_(
        aggregator=AGGREGATORS[kind](n_byzantine=run.aggregator.n_byzantine, **parameters)
    )


def _all_classes_alike(run: RunConfig) -> RunConfig:
    return run.with_(partition=PARTITIONS["uniform_classes"](), test_set="clients")


VOTES = Variant(
    "votes",
    "number of samples by which a client votes",
    "3, one batch (text)",
    "64",
    lambda run: run.with_(vote_samples=64),
    (
        *cells_of(UNIFORM, "0.4", ("sf", "cent2p"), ("lf", "cent2p")),
        *cells_of(DIRICHLET, "0.2", ("sf", "cent2p"), ("empire", "cent2p")),
        # The attack that makes two candidates look alike aims at the vote.
        *cells_of(UNIFORM, "0.4", *(("camouflage", rule) for rule in TWO_PHASE)),
        *cells_of(DIRICHLET, "0.2", ("camouflage", "cent2p")),
    ),
)
"""More images by which a client votes, and the cells that are tried with them."""

CONCENTRATION = Variant(
    "concentration",
    "what the α of Dir(αp) multiplies",
    "the class shares p, whose sum is 1, so that nearly all images of most clients are of one "
    "class (text, literally)",
    "62 times as much, which is 0.1 for a class on average",
    with_changes("partition", alpha=6.2),
    cells_of(DIRICHLET, "0.2", *product(PUBLISHED_ATTACKS, RULES)),
)
"""Less unequal data, as another reading of Dir(0.1) has them: all of Figure 2."""

CIFAR_MOMENTUM = Variant(
    "cifar_momentum",
    "clients' momentum on CIFAR-10",
    "0.99 (text)",
    "0 (code)",
    with_changes("client", momentum=0.0),
    cells_of(
        CIFAR,
        "0.2",
        ("omn", "cent2p"),
        *(("gauss", rule) for rule in BASELINES),
        *(("sv", rule) for rule in BASELINES),
    ),
)

VARIANTS: tuple[Variant, ...] = (
    Variant(
        "classes",
        'meaning of "uniform distribution over 62 classes"',
        "each client draws from the pooled images",
        "all classes are equally likely for each client",
        _all_classes_alike,
        cells_of(UNIFORM, "0.4", ("none", "avg"), ("omn", "cent2p"), ("sv", "cent2p")),
    ),
    CONCENTRATION,
    Variant(
        "momentum",
        "clients' momentum",
        "0.99 (text)",
        "0.9",
        with_changes("client", momentum=0.9),
        cells_of(UNIFORM, "0.4", ("sf", "gm"), ("sf", "cent2p"), ("sv", "cent2p")),
    ),
    Variant(
        "buffer",
        "momentum buffer",
        "each client has its own (text)",
        "all clients share one and pass it on (code, but with the text's 0.99)",
        with_changes("client", buffer="shared"),
        cells_of(
            UNIFORM,
            "0.4",
            ("sf", "avg"),
            ("omn", "cwm"),
            ("omn", "krum"),
            ("sv", "cwtm"),
            ("omn", "cent2p"),
        ),
    ),
    Variant(
        "no_momentum",
        "clients' momentum",
        "0.99 (text)",
        "0 (code)",
        with_changes("client", momentum=0.0),
        (
            *cells_of(
                UNIFORM, "0.4", ("omn", "avg"), ("omn", "cwm"), ("omn", "krum"), ("omn", "cent2p")
            ),
            *cells_of(
                UNIFORM,
                "0.4",
                ("sv", "cwm"),
                ("sv", "cclip"),
                ("gauss", "cwm"),
                ("gauss", "krum"),
                ("sf", "avg"),
            ),
            *cells_of(UNIFORM, "0.2", ("omn", "cent1p")),
            *cells_of(
                UNIFORM,
                "0.4",
                ("empire", "cwtm"),
                ("empire", "cwm"),
                ("sv", "krum"),
                ("omn", "cwtm"),
                ("sv", "cwtm"),
                ("empire", "krum"),
            ),
            *cells_of(UNIFORM, "0.2", ("omn", "mean1p"), ("sv", "cent1p"), ("sv", "mean1p")),
            *cells_of(
                DIRICHLET,
                "0.2",
                ("sf", "cent2p"),
                ("sf", "cwtm"),
                ("sf", "cwm"),
                ("empire", "cclip"),
            ),
        ),
    ),
    Variant(
        "pixels",
        "how pixels are standardised",
        "all pixels by one mean and one standard deviation",
        "each pixel by its own mean and standard deviation (code)",
        with_changes("data", per_pixel=True),
        cells_of(
            UNIFORM,
            "0.4",
            ("omn", "cwm"),
            ("omn", "cent2p"),
            ("gauss", "cwm"),
            ("gauss", "krum"),
            ("none", "avg"),
            ("sf", "avg"),
            ("empire", "cwtm"),
            ("empire", "cwm"),
            ("sv", "krum"),
            ("omn", "krum"),
        ),
    ),
    VOTES,
    Variant(
        "omn",
        "formula of the attack Omn",
        "as in the appendix",
        "as in the code",
        with_changes("attack", version="code"),
        (
            *cells_of(
                UNIFORM, "0.4", ("omn", "gm"), ("omn", "cwm"), ("omn", "krum"), ("omn", "cent2p")
            ),
            *cells_of(UNIFORM, "0.4", ("omn", "cwtm")),
            *cells_of(UNIFORM, "0.2", ("omn", "mean1p"), ("omn", "cent1p")),
        ),
    ),
    Variant(
        "sv",
        "number of standard deviations in the attack SV",
        "20 (appendix)",
        "0.57 (code)",
        with_changes("attack", z=0.57),
        (
            *cells_of(UNIFORM, "0.4", ("sv", "avg"), ("sv", "cwtm"), ("sv", "cent2p")),
            *cells_of(UNIFORM, "0.4", ("sv", "krum"), ("sv", "cwm")),
            *cells_of(UNIFORM, "0.2", ("sv", "cent1p"), ("sv", "mean1p")),
            *cells_of(DIRICHLET, "0.2", ("sv", "avg"), ("sv", "gm"), ("sv", "cwm")),
        ),
    ),
    Variant(
        "gm_start",
        "point at which GM's iteration starts",
        "the mean",
        "zero",
        _with_rule("geometric_median", n_iterations=1, nu=1e-5, start="zero"),
        cells_of(UNIFORM, "0.4", ("sf", "gm"), ("sv", "gm")),
    ),
    Variant(
        "cclip_centre",
        "point around which CClip clips",
        "zero (text)",
        "the last aggregate (the paper that the text refers to)",
        _with_rule("centered_clipping", tau=TAU),
        cells_of(UNIFORM, "0.4", ("sf", "cclip"), ("sv", "cclip")),
    ),
    Variant(
        "cclip_radius",
        "CClip's radius",
        "0.2158 (text)",
        "2.158 (code, in units of the momentum)",
        _with_rule("norm_clipping", threshold=10 * TAU),
        cells_of(UNIFORM, "0.4", ("sf", "cclip"), ("sv", "cclip")),
    ),
    Variant(
        "honest_tests",
        "clients whose test sets count",
        "all clients (code)",
        "only the honest clients",
        lambda run: run.with_(test_set="benign_clients"),
        cells_of(DIRICHLET, "0.2", ("sv", "cent2p"), ("empire", "avg")),
    ),
    CIFAR_MOMENTUM,
    Variant(
        "pga",
        "direction of PGA, and how it finds gamma",
        "along the signs of the benign mean (appendix); gamma is searched in halved steps",
        "against these signs; growing values of gamma from 10 on are tried, "
        "on the candidate that errs least (code)",
        with_changes("attack", outward=False, search="scan", aim="least"),
        cells_of(DIRICHLET, "0.2", ("pga", "avg"), ("pga", "gm"), ("pga", "cent2p")),
    ),
    Variant(
        "pga_against",
        "direction of PGA",
        "along the signs of the benign mean (appendix)",
        "against these signs (code)",
        with_changes("attack", outward=False),
        cells_of(DIRICHLET, "0.2", ("pga", "avg"), ("pga", "gm"), ("pga", "cent2p")),
    ),
)
