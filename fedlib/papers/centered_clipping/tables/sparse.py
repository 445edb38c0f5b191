"""The share of a network that sparse ROP aims at."""

from __future__ import annotations

from fedlib.evidence.report import Table
from fedlib.models import critical_parameters, make_model

_NETWORKS = {
    "resnet20": "ResNet-20 of this book's runs",
    "resnet20_code": "ResNet-20 of the authors' code",
}


def sparse_table() -> Table:
    """How many parameters sparse ROP aims at, and by how much it scales the perturbation there."""
    rows = []
    for name, title in _NETWORKS.items():
        mask = critical_parameters(make_model(name, (3, 32, 32), 10, 0))
        total, aimed = mask.numel(), int(mask.sum())
        share = f"{100 * aimed / total:.2f} %"
        rows.append((title, f"{total:,}", f"{aimed:,}", share, f"{total / aimed:.0f}"))
    rows.append(("ResNet-20 of the text (section VII)", "–", "–", "≈ 0.5 %", "≈ 200"))
    return Table(
        (
            "network",
            "parameters",
            "parameters that sparse ROP changes",
            "their share",
            "factor of the strength there",
        ),
        tuple(rows),
        "How many parameters sparse ROP changes on CIFAR-10, and by what factor its perturbation "
        "is stronger there. Both are computed from the networks",
    )
