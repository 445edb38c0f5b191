"""The authors' code: all of its choices at once, and single ones where Table IV is far from ours.

What the code does otherwise and has no parameter here is listed in the chapter as not built.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fedlib.attacks.rop import RelocatedOrthogonalPerturbation
from fedlib.data import PARTITIONS
from fedlib.grids import Variant, with_changes
from fedlib.papers.centered_clipping.keys import table_iv
from fedlib.papers.centered_clipping.variants import ROP_OF_CODE, SLICED
from fedlib.runs import RunConfig


def as_code(run: RunConfig) -> RunConfig:
    """Return a run of MNIST or Fashion-MNIST with all choices of the authors' code.

    These are its batches, its partition, and a ROP that is turned, shorter, starts at zero, and
    predicts the benign momenta. All else is the code's way anyhow.

    Parameters
    ----------
    run
        A run of the grid.
    """
    changed = run.with_(client=replace(run.client, sampling="fresh"))  # type: ignore[call-arg]
    if run.partition.name != "iid":
        changed = _sliced(changed)
    if isinstance(run.attack, RelocatedOrthogonalPerturbation):
        changed = with_changes("attack", **ROP_OF_CODE, mean_of="own")(changed)
    return changed


def _sliced(run: RunConfig) -> RunConfig:
    return run.with_(partition=PARTITIONS["dirichlet_sliced"](alpha=1.0))


def _keys(cells: Iterable[tuple[str, str, str, float]]) -> tuple[str, ...]:
    """The keys of some cells, each given by setting, attack, rule and momentum."""
    return tuple(str(table_iv(*cell)) for cell in cells)


# They are the ones outside the margin when the variants were chosen, the farthest first.
_ROP_FARTHEST = (
    ("mnist_noniid", "rop", "cc_tau0.1", 0.0),
    ("mnist_noniid", "rop", "cc_tau1", 0.0),
    ("fmnist_iid", "rop", "rfa", 0.0),
    ("fmnist_noniid", "rop", "cc_tau0.1", 0.0),
)
_OTHER_FARTHEST = (
    ("fmnist_noniid", "alie", "rfa", 0.99),
    ("mnist_noniid", "label_flip", "rfa", 0.0),
    ("fmnist_noniid", "alie", "cc_tau0.1", 0.9),
    ("fmnist_noniid", "ipm", "rfa", 0.0),
    ("fmnist_noniid", "ipm", "cc_tau0.1", 0.0),
    ("mnist_noniid", "ipm", "cc_tau0.1", 0.99),
)

CODE = Variant(
    "code",
    "all choices together",
    "as in the text",
    "as in the authors' code",
    as_code,
    _keys((*_ROP_FARTHEST, ("fmnist_iid", "rop", "cc_tau0.1", 0.9), *_OTHER_FARTHEST)),
)
SINGLE_CHOICES = (
    Variant(
        "rop_code",
        "ROP's angle, length and first round together",
        "as in the text",
        "as in the code",
        with_changes("attack", **ROP_OF_CODE),
        _keys(_ROP_FARTHEST),
    ),
    Variant(
        "partition_sliced",
        "non-IID partition",
        "each class is divided among the clients by Dirichlet shares (text)",
        SLICED,
        _sliced,
        _keys(_OTHER_FARTHEST),
    ),
    Variant(
        "rop_predicts",
        "how ROP knows the benign mean",
        "it sees the benign momenta",
        "it predicts the mean from its own clients",
        with_changes("attack", mean_of="own"),
        _keys(_ROP_FARTHEST),
    ),
    Variant(
        "rop_location",
        "point that ROP perturbs",
        "the last aggregate (text)",
        "the benign mean (earlier code)",
        with_changes("attack", location=0.0),
        _keys(_ROP_FARTHEST),
    ),
)
"""Single choices of the code, on cells that are far from Table IV."""
