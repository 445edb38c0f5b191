"""How far rounding alone moves an accuracy, which ``benchmarks/rounding.py`` measured."""

from __future__ import annotations

import json
import statistics
from typing import Any

from fedlib.evidence.pages.markdown import table
from fedlib.evidence.pages.marks import Page, page_mark

FILE = "rounding.json"

_BASE = "as stored"
_CHANGES = {
    "two threads": "two threads in place of one",
    "without kernels": "torch's sums in place of the compiled kernels",
    "one parameter": "the last digit of one parameter of the first model",
    "another seed": "the seed",
}


@page_mark("rounding")
def rounding(page: Page) -> str:
    """Return a sentence and a table: how far accuracies move by rounding, and by another seed.

    Parameters
    ----------
    page
        It knows where the benchmarks' results are.
    """
    summary: dict[str, Any] = json.loads(page.benchmark(FILE))
    entries = summary["measured"]
    scales = list(dict.fromkeys(entry["scale"] for entry in entries))
    rows = []
    for scale in scales:
        cells = [entry["accuracy"] for entry in entries if entry["scale"] == scale]
        for way, said in _CHANGES.items():
            if any(way not in accuracy for accuracy in cells):
                continue  # It was not measured then.
            moves = [abs(accuracy[way] - accuracy[_BASE]) for accuracy in cells]
            # Accuracies have at most four digits after the point.
            changed = sum(move > 1e-6 for move in moves)
            rows.append(
                (
                    f"{said} ({scale})",
                    f"{changed} of {len(moves)}",
                    f"{statistics.median(moves):.2f}",
                    f"{max(moves):.2f}",
                )
            )
    count = len({entry["cell"] for entry in entries})
    heads = ("changed", "cells that differ", "median, points", "largest, points")
    return (
        f"This was measured on {summary['date']}. {count} cells were played again: "
        f"{_named(entries)}. "
        "Only what the first column names was changed. The accuracy of a cell is the mean of its "
        f"last five evaluations.\n\n{table(heads, rows, numbers=3)}"
    )


def _named(entries: list[dict[str, Any]]) -> str:
    """Say which rules, data and attack the cells have."""
    parts = [entry["cell"].split("/") for entry in entries]
    rules = ", ".join(f"`{rule}`" for rule in dict.fromkeys(part[-1] for part in parts))
    shares = sorted({int(part[-2]) for part in parts})
    attack = next(part[1] for part in parts if part[1] != "none")
    return f"{rules} under `{attack}` of {shares[0]} to {shares[-1]} % malicious clients"
