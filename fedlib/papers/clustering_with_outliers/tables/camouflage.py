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
            columns = [
                scenario.cells((rule,), attacks)
                for attacks in (("none",), PUBLISHED_ATTACKS, ("camouflage",))
            ]
            planned = [wanted for wanted in columns if in_grid.issuperset(wanted)]
            alike = archive.common([cell for wanted in planned for cell in wanted])
            for wanted in columns:
                if wanted not in planned:
                    row.append("–")
                    continue
                found = archive.common(wanted)
                if found is None:
                    row.append(archive.linked("not computed", *wanted))
                    continue
                data.update(result.data for result in found)
                shown = least_share(found)
                if alike is not None and alike[0].scale != found[0].scale:
                    compared = [result for result in alike if result.key in wanted]
                    shown = f"{least_share(compared)}\n{shown}"
                row.append(archive.linked(shown, *wanted))
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
        f"{data_named(data)}. The first numbers of the three columns of a setting are of one "
        "scale. If a column has runs at a larger scale too, these stand below. A dash means that "
        "no runs are planned",
        compact=True,
    )
