"""The claims with their verdicts, and what the choices change."""

from __future__ import annotations

from dataclasses import replace

from fedlib.evidence import claims
from fedlib.evidence.claims import ClaimsTable
from fedlib.evidence.report import Archive, CellResult, Table
from fedlib.evidence.table import plural
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES
from fedlib.papers.two_stage_attack.claims import CLAIMS
from fedlib.papers.two_stage_attack.grid import RULE_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.tables.accuracy import harm
from fedlib.papers.two_stage_attack.variants import VARIANTS


def claims_table(archive: Archive) -> ClaimsTable:
    """Each claim with its statistic, what it needs to be, and the verdict."""
    return claims.claims_table(archive, CLAIMS)


def variants_table(archive: Archive) -> Table:
    """What each choice changes: harm as used and taken the other way, at a shared scale."""
    rows: list[tuple[str, ...]] = []
    for variant in VARIANTS:
        for cell in variant.cells:
            key = CellKey.parse(cell)
            where = f"{ATTACK_TITLES[key.attack]}, {RULE_TITLES[key.rule]}"
            ways = variant.question, where, variant.used, variant.other
            pair = archive.common([cell, variant.cell(cell)])
            seeds = sorted(set(pair[0].seeds) & set(pair[1].seeds)) if pair is not None else []
            if pair is None or not seeds:
                missing = archive.linked("not computed", cell, variant.cell(cell))
                rows.append((*ways, missing, "–", "–", "–"))
                continue
            used, other = (harm(_of_seeds(result, seeds), True) for result in pair)
            changes = (
                archive.linked(f"{a} → {b}", cell, variant.cell(cell))
                for a, b in zip(used, other, strict=True)
            )
            basis = f"{pair[0].scale}, {pair[0].data}, {plural(len(seeds), 'seed')}"
            rows.append((*ways, *changes, basis))
    heads = (
        "choice", "where", "used here", "other way", "accuracy, %", "certified level", "boundary",
        "runs",
    )  # fmt: skip
    return Table(
        heads,
        tuple(rows),
        (
            "What the choices change, on the synthetic data. The arrows lead from the way that is "
            "used here to the other way"
        ),
    )


def _of_seeds(result: CellResult, seeds: list[int]) -> CellResult:
    """The runs of these seeds alone."""
    held = tuple(record for record in result.records if record["seed"] in seeds)
    return replace(result, records=held)
