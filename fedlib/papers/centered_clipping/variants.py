"""Choices that the text leaves open or the authors' code makes differently, taken the other way."""

from __future__ import annotations

from fedlib.data import PARTITIONS
from fedlib.grids import Variant, with_changes
from fedlib.papers.centered_clipping.keys import sparse_rop, table_iv
from fedlib.papers.centered_clipping.settings import CLIPPING, RULES

VARIANT_MOMENTUM = 0.9
"""The momentum that most choices are shown at."""


def _shown_on(
    attack: str,
    rule: str,
    settings: tuple[str, ...] = ("mnist_noniid", "fmnist_iid"),
    momentum: float = VARIANT_MOMENTUM,
) -> tuple[str, ...]:
    """Return the keys of the cells that a choice is shown on."""
    return tuple(str(table_iv(setting, attack, rule, momentum)) for setting in settings)


_ROP = _shown_on("rop", "cc_tau1")
_FMNIST_IID = ("fmnist_iid",)
ROP_OF_CODE = {"angle": 270.0, "z": 0.2533, "first": "zero"}
"""What the authors' present code has for ROP in place of the text's values."""

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
        "rop_code", "all three of ROP", "text", "code", with_changes("attack", **ROP_OF_CODE), _ROP
    ),
    Variant(
        "rfa_start", "RFA's first point", "zero (code)", "mean",
        with_changes("aggregator", start="mean"), _shown_on("rop", "rfa"),
    ),
    Variant(
        "rfa_nu", "RFA's smoothing", "0.1 (code)", "1e-6",
        with_changes("aggregator", nu=1e-6), _shown_on("rop", "rfa"),
    ),
    Variant(
        "normalise", "Fashion-MNIST's pixels", "in [0, 1] (code)", "standardised",
        with_changes("data", normalise=True), _shown_on("rop", "cc_tau1", _FMNIST_IID),
    ),
    Variant(
        "rop_location", "ROP's place", "last aggregate (text)", "benign mean (earlier code)",
        with_changes("attack", location=0.0),
        (*_shown_on("rop", "cc_tau1", _FMNIST_IID), *_shown_on("rop", "tm", _FMNIST_IID)),
    ),
    Variant(
        "alie_z", "ALIE's strength", "0.2533 (text)", "1.2 (earlier code)",
        with_changes("attack", z=1.2),
        (*_shown_on("alie", "cc_tau1", _FMNIST_IID), *_shown_on("alie", "tm", _FMNIST_IID)),
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
        _shown_on("none", "cc_tau1", ("mnist_noniid",)),
    ),
    # Where ours and Table IV are farthest apart without an explanation: ROP without momentum.
    Variant(
        "partition_sliced", "non-IID partition", "classes split by Dirichlet shares (text)",
        "pools cut at wrong places (code)",
        lambda run: run.with_(partition=PARTITIONS["dirichlet_sliced"](alpha=1.0)),
        tuple(key for rule in RULES for key in _shown_on("rop", rule, ("mnist_noniid",), 0.0)),
    ),
    Variant(
        "rop_predicts", "the benign mean that ROP knows", "seen", "predicted from its own clients",
        with_changes("attack", mean_of="own"), _ROP,
    ),
)  # fmt: skip

# At quick scale a small network stands in for either, and there is nothing to compare.
NETWORK_VARIANT = Variant(
    "network", "ResNet-20", "0.27 million parameters (text)", "0.70 million (code)",
    lambda run: run.with_(model="resnet20_code"),
    (
        *(str(sparse_rop(rule, VARIANT_MOMENTUM)) for rule in CLIPPING),
        *(str(table_iv("cifar10_iid", attack, "cc_tau1", 0.99)) for attack in ("none", "rop")),
    ),
)  # fmt: skip
