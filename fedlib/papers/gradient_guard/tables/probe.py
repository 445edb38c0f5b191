"""The table of the attack that matches honest clients' saliency."""

from __future__ import annotations

from fedlib.evidence.report import Archive, CellResult, Table, basis_of
from fedlib.papers.gradient_guard.keys import Comparison, comparisons, reading_cell
from fedlib.papers.gradient_guard.measures import LAST, late_accuracy
from fedlib.papers.gradient_guard.settings import (
    DATA_TITLES,
    GREY,
    MATCHED,
    PROBED,
    RULE_TITLES,
    SHARES,
)


def probe_table(archive: Archive) -> Table:
    """Accuracy under the attack that maps of logits cannot see.

    All rows of a data set are of one scale.

    Parameters
    ----------
    archive
        The stored runs of the grid.
    """
    rows = []
    basis: list[CellResult] = []
    attack, guard = "saliency_matching", RULE_TITLES["gradient_guard"]
    for data in GREY:
        cells = {RULE_TITLES[rule]: comparisons(data, attack, (rule,), SHARES) for rule in MATCHED}
        # Without attackers all clients have equal weights in every reading.
        cells[f"{guard}, {PROBED}"] = (
            str(Comparison.of(data, attack, "0", "gradient_guard")),
            *(str(reading_cell(data, attack, share, PROBED)) for share in SHARES[1:]),
        )
        found = iter(archive.together([cell for line in cells.values() for cell in line]))
        for title, line in cells.items():
            results = [next(found) for _ in line]
            held = [result for result in results if result is not None]
            basis += held
            shown = [
                archive.linked("–" if result is None else f"{late_accuracy(result).mean:.2f}", cell)
                for result, cell in zip(results, line, strict=True)
            ]
            scale = held[0].scale if held else "–"
            rows.append((DATA_TITLES[data], title, *shown, scale))
    return Table(
        ("data", "defence", *(f"{share} %" for share in SHARES), "scale"),
        tuple(rows),
        "Accuracy in % under the attack saliency matching, by the share of malicious clients. Each "
        f"is the mean of the last {LAST} evaluations. The runs: {basis_of(basis)}",
    )
