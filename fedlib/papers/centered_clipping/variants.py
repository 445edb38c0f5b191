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

_PASSES = "each client goes through its own samples in random order"
_SHARES = "each class is divided among the clients by Dirichlet shares (text)"
SLICED = (
    "each client has its own distribution over classes, and the samples of a class are cut out of "
    "the sorted data at wrong places (code)"
)
"""The partition of the authors' code in words."""

VARIANTS = (
    Variant(
        "rop_angle", "angle of ROP", "90° (text)", "270° (present code)",
        with_changes("attack", angle=270.0), _ROP,
    ),
    Variant(
        "rop_z", "length of ROP's perturbation", "1 (text)", "0.2533 (code)",
        with_changes("attack", z=0.2533), _ROP,
    ),
    Variant(
        "rop_first", "what ROP takes for the last aggregate in the first round",
        "the benign mean (text)", "zero (code)",
        with_changes("attack", first="zero"), _ROP,
    ),
    Variant(
        "rop_code", "ROP's angle, length and first round together", "as in the text",
        "as in the code", with_changes("attack", **ROP_OF_CODE),
        (*_ROP, *_shown_on("rop", "cc_tau1", ("fmnist_noniid",), 0.99)),
    ),
    Variant(
        "rfa_start", "point at which RFA's iteration starts", "zero (code)", "the mean",
        with_changes("aggregator", start="mean"), _shown_on("rop", "rfa"),
    ),
    Variant(
        "rfa_nu", "smoothing constant of RFA", "0.1 (code)", "1e-6",
        with_changes("aggregator", nu=1e-6), _shown_on("rop", "rfa"),
    ),
    Variant(
        "normalise", "values of Fashion-MNIST's pixels", "from 0 to 1 (code)", "standardised",
        with_changes("data", normalise=True), _shown_on("rop", "cc_tau1", _FMNIST_IID),
    ),
    Variant(
        "rop_location", "point that ROP perturbs", "the last aggregate (text)",
        "the benign mean (earlier code)",
        with_changes("attack", location=0.0),
        (*_shown_on("rop", "cc_tau1", _FMNIST_IID), *_shown_on("rop", "tm", _FMNIST_IID)),
    ),
    Variant(
        "alie_z", "ALIE's strength", "0.2533 (text)", "1.2 (earlier code)",
        with_changes("attack", z=1.2),
        (*_shown_on("alie", "cc_tau1", _FMNIST_IID), *_shown_on("alie", "tm", _FMNIST_IID)),
    ),
    Variant(
        "sampling_fresh", "how clients draw batches", _PASSES,
        "each client shuffles its samples anew in every round (code)",
        with_changes("client", sampling="fresh"), _ROP,
    ),
    Variant(
        "sampling", "how clients draw batches", _PASSES, "each client draws with replacement",
        with_changes("client", sampling="replacement"), _ROP,
    ),
    Variant(
        "partition", "non-IID partition", _SHARES,
        "each client has its own distribution over classes (code)",
        lambda run: run.with_(partition=PARTITIONS["dirichlet_normalised"](alpha=1.0)),
        _shown_on("none", "cc_tau1", ("mnist_noniid",)),
    ),
    # Where ours and Table IV are farthest apart without an explanation: ROP without momentum.
    Variant(
        "partition_sliced", "non-IID partition", _SHARES, SLICED,
        lambda run: run.with_(partition=PARTITIONS["dirichlet_sliced"](alpha=1.0)),
        tuple(key for rule in RULES for key in _shown_on("rop", rule, ("mnist_noniid",), 0.0)),
    ),
    Variant(
        "rop_predicts", "how ROP knows the benign mean", "it sees the benign momenta",
        "it predicts the mean from its own clients",
        with_changes("attack", mean_of="own"), _ROP,
    ),
)  # fmt: skip

# At the other scales a small network stands in for either, and there is nothing to compare.
NETWORK_VARIANT = Variant(
    "network", "size of ResNet-20", "0.27 million parameters, as it usually has",
    "0.70 million (code)",
    lambda run: run.with_(model="resnet20_code"),
    (
        *(str(sparse_rop(rule, VARIANT_MOMENTUM)) for rule in CLIPPING),
        *(str(table_iv("cifar10_iid", attack, "cc_tau1", 0.99)) for attack in ("none", "rop")),
    ),
)  # fmt: skip
