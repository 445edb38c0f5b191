"""This book's own attack on the paper's rules."""

from __future__ import annotations

from fedlib.evidence.report import Archive, Table, data_named
from fedlib.papers.clustering_with_outliers.methods import (
    ONE_PHASE,
    PUBLISHED_ATTACKS,
    RULE_TITLES,
    RULES,
)
from fedlib.papers.clustering_with_outliers.settings import CAMOUFLAGED, heading_of
from fedlib.papers.clustering_with_outliers.tables.shares import least_share


def camouflage_table(archive: Archive) -> Table:
    """The adaptive attack beside the worst of the paper's six and beside no attack."""
    rows: list[tuple[str, ...]] = []
    data: set[str] = set()
    in_grid = set(archive.cells())
    for rule in (*RULES, *ONE_PHASE):
        row = [RULE_TITLES[rule]]
        for scenario in CAMOUFLAGED:
            for attacks in (("none",), PUBLISHED_ATTACKS, ("camouflage",)):
                wanted = scenario.cells((rule,), attacks)
                if not in_grid.issuperset(wanted):
                    row.append("–")
                    continue
                found = archive.common(wanted)
                if found is None:
                    row.append(archive.linked("not computed", *wanted))
                    continue
                data.update(result.data for result in found)
                row.append(archive.linked(least_share(found), *wanted))
        rows.append(tuple(row))
    heads = [
        head
        for scenario in CAMOUFLAGED
        for head in (
            f"{heading_of(scenario)}\nno attack",
            "\nworst of the six attacks",
            "\ncamouflage",
        )
    ]
    return Table(
        ("rule", *heads),
        tuple(rows),
        "Test accuracy without an attack, under the worst of the paper's six attacks, and under "
        "camouflage, an attacker whose updates are part of both candidates. The data are "
        f"{data_named(data)}. A dash means that no runs are planned",
        compact=True,
    )
