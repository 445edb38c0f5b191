"""The table of what a round costs."""

from __future__ import annotations

from fedlib.evidence.report import Archive, CellResult, Table
from fedlib.papers.gradient_guard.keys import comparisons
from fedlib.papers.gradient_guard.settings import DATA_TITLES, N_CLIENTS, RULE_TITLES


def cost_table(archive: Archive, data: str = "mnist", share: str = "20") -> Table:
    """The time of a round of each defence under full-trim.

    The time is that of the fastest stored run. Attackers are there because several defences would
    have nothing to do without them.

    Parameters
    ----------
    archive
        The stored runs of the grid.
    data
        The data set, one of ``DATA_TITLES``.
    share
        The malicious share in percent, one of ``SHARES``.
    """
    cells = comparisons(data, "full_trim", tuple(RULE_TITLES), (share,))
    found = archive.together(cells)
    results = dict(zip(RULE_TITLES, found, strict=True))
    base, rows = results["fedsgd"], []
    for (rule, title), cell in zip(RULE_TITLES.items(), cells, strict=True):
        result = results[rule]
        if result is None:
            rows.append((title, archive.linked("not computed", cell), "–"))
            continue
        own, usual = _round_ms(result), 0.0 if base is None else _round_ms(base)
        shown = archive.linked(f"{own:.1f} ms", cell)
        rows.append((title, shown, f"{own / usual:.1f}" if usual else "–"))
    scales = {f", {result.scale} scale" for result in found if result is not None}
    return Table(
        ("defence", "time of one round", "as a multiple of FedSGD's"),
        tuple(rows),
        f"Time of one round with {N_CLIENTS} clients, of which {share} % send full-trim, on "
        f"{DATA_TITLES[data]}{''.join(scales)}. The attack and the evaluation are included",
    )


def _round_ms(result: CellResult) -> float:
    """Milliseconds for each round of the fastest run.

    The slower runs shared the machine with other work.
    """
    return min(
        float(1000 * record["provenance"]["wall_time_s"] / record["config"]["rounds"])
        for record in result.records
    )
