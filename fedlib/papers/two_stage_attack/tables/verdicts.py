"""The claims with their verdicts, and what the choices change."""

from __future__ import annotations

import math

from fedlib.evidence import claims
from fedlib.evidence.claims import ClaimsTable
from fedlib.evidence.report import Archive, Note, Table
from fedlib.evidence.table import plural
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES
from fedlib.papers.two_stage_attack.claims import CLAIMS
from fedlib.papers.two_stage_attack.grid import RULE_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.measures import LATE, late_level
from fedlib.papers.two_stage_attack.tables.accuracy import harm
from fedlib.papers.two_stage_attack.variants import VARIANTS

_OTHERWISE = {
    "once": "learns once, as in the text",
    "true": "learns from the true data of all clients",
    "own": "learns from its own data",
    "level": "has rewards that are levels, as in the text",
    "stage_one": "takes gradients at clean points and keeps every estimate, as in the text",
    "discount": "discounts later rewards by 0.99, the learner's default",
    "policy_rate": "trains both networks at a rate of 0.001, the learner's default",
    "actor_rate": "trains the policy as fast as the critic",
    "noise": "explores without noise, the learner's default",
    "last": "uses the last policy and not the best one",
    "longer": "learns its first policy from four times as many rounds",
}
"""The variants of the learned attack that are nearer to the text, know more, or learn otherwise."""


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
            pair = archive.alike([cell, variant.cell(cell)])
            if pair is None:
                missing = archive.linked("not computed", cell, variant.cell(cell))
                rows.append((*ways, missing, "–", "–", "–"))
                continue
            used, other = (harm(result, True) for result in pair)
            changes = (
                archive.linked(f"{a} → {b}", cell, variant.cell(cell))
                for a, b in zip(used, other, strict=True)
            )
            basis = f"{pair[0].scale}, {pair[0].data}, {plural(len(pair[0].seeds), 'seed')}"
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


def stronger_table(archive: Archive, rule: str) -> Table | Note:
    """Return what an attack that is built as in the text, or that knows more, leaves under a rule.

    Parameters
    ----------
    archive
        The stored runs.
    rule
        The server's rule.
    """
    base, clean = (str(CellKey("circle", attack, rule)) for attack in ("learned", "none"))
    title = f"the {RULE_TITLES[rule]}" if RULE_TITLES[rule].islower() else RULE_TITLES[rule]
    rows: list[tuple[str, ...]] = []
    for name, who in _OTHERWISE.items():
        known = archive.alike([clean, base, f"variants/{name}/{base}"])
        if known is None:
            continue
        unattacked, used, other = map(late_level, known)
        if not all(map(math.isfinite, (unattacked, used, other))) or unattacked <= 0:
            continue
        shown = archive.linked(f"{100 * other / unattacked:.0f} %", f"variants/{name}/{base}")
        usual = archive.linked(f"{100 * used / unattacked:.0f} %", base)
        seeds = ", ".join(map(str, known[0].seeds))
        rows.append((who, shown, usual, seeds))
    if not rows:
        return Note(f"Other ways to build the attack are not computed under {title} yet.")
    others = len({row[-1] for row in rows}) > 1
    differs = (
        ". The third column differs from row to row because the rows have other seeds"
        if others
        else ""
    )
    caption = (
        f"What is left of the certified level under {title}, by the mean of the last {LATE} "
        "evaluations, if the attack is built in another way. Each row compares the same seeds"
        f"{differs}"
    )
    heads = ("if the attack", "is left", "is left by the attack above", "seeds")
    return Table(heads, tuple(rows), caption)
