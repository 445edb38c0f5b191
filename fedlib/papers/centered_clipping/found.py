"""What the chapter has found, in sentences whose numbers come from the stored runs."""

from __future__ import annotations

from collections.abc import Sequence

from fedlib.evidence.agreement import AGREES, DIFFERS
from fedlib.evidence.claims import claims_table
from fedlib.evidence.found import Headed, resting_on
from fedlib.evidence.judgement import Judgement
from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, CellResult
from fedlib.evidence.statistics import MARGIN, WIDEST_MARGIN
from fedlib.evidence.table import plural
from fedlib.evidence.verdicts import FAILS, HOLDS, TIE
from fedlib.papers.centered_clipping.by_code import (
    angle,
    costs_as_in_the_code,
    in_short_as_in_the_code,
    percent,
)
from fedlib.papers.centered_clipping.claims import CLAIMS
from fedlib.papers.centered_clipping.claims.across_settings import ROP_STRONGEST
from fedlib.papers.centered_clipping.keys import Key, table_iv
from fedlib.papers.centered_clipping.published import ALL_BUT_ROP, printed
from fedlib.papers.centered_clipping.settings import ATTACK_NAMES, MOMENTA, SETTINGS
from fedlib.papers.centered_clipping.tables.accuracies import Comparison, comparisons

_WHERE = ("fmnist_noniid", "cc_tau1", 0.99)
"""The setting, rule and momentum of the first sentence."""
_RULES = {
    "cc_tau0.1": "centered clipping with τ = 0.1",
    "cc_tau1": "centered clipping with τ = 1",
    "tm": "the trimmed mean",
    "rfa": "the geometric median (RFA)",
}
"""What the sentence on momentum calls the rules."""


def found(archive: Archive) -> list[str]:
    """Return what the chapter has found, the most important first.

    Parameters
    ----------
    archive
        The stored runs.
    """
    return [
        _rop_on_centered_clipping(archive),
        _agreement(archive),
        _strongest(archive),
        _momentum(archive),
        angle(archive),
    ]


def _rop_on_centered_clipping(archive: Archive) -> str:
    """Say what ROP costs centered clipping, beside the other attacks."""
    setting, rule, momentum = _WHERE
    attacks = ("none", "rop", *ALL_BUT_ROP)
    keys = [str(table_iv(setting, attack, rule, momentum)) for attack in attacks]
    known = archive.common(keys)
    if known is None:
        return (
            "What the attack ROP costs the defence centered clipping on Fashion-MNIST, beside "
            "other attacks, is not computed yet."
        )
    results = dict(zip(attacks, known, strict=True))
    other = min(ALL_BUT_ROP, key=lambda attack: results[attack].accuracy.mean)
    clean, rop, next_best = (results[attack] for attack in ("none", "rop", other))
    lower = rop.accuracy.mean < clean.accuracy.mean
    strongest = rop.accuracy.mean < next_best.accuracy.mean
    if lower:
        numbers = [f"{result.accuracy.mean:.1f} %" for result in (clean, rop)]
        head = (
            "On Fashion-MNIST with unequal data, the attack ROP brings centered clipping from "
            f"{' to '.join(numbers)}. The strongest of the other attacks leaves "
            f"{next_best.accuracy.mean:.1f} %.{in_short_as_in_the_code(archive, rop)}"
        )
    else:
        head = "The attack ROP does not harm centered clipping."
    return Headed(
        head,
        "ROP is an attack that was made against the defence centered clipping. On Fashion-MNIST, "
        f"five of 25 clients that send ROP {'bring' if lower else 'do not bring'} its test "
        f"accuracy {'down from' if lower else 'down. Without an attack it is'} ",
        percent(archive, clean),
        " to " if lower else ", and under ROP it is ",
        percent(archive, rop),
        f". {'Even the' if strongest else 'The'} strongest of the {len(ALL_BUT_ROP)} other attacks "
        f"({ATTACK_NAMES[other]}) leaves ",
        percent(archive, next_best),
        f" (clients with unequal data, clipping radius τ = 1, momentum 0.99; {resting_on(known)}).",
        _costs_elsewhere(archive),
        costs_as_in_the_code(archive, rop),
    )


def _costs_elsewhere(archive: Archive) -> str:
    """Say what ROP costs in all settings with this radius and with momentum."""
    _, rule, _ = _WHERE
    costs = [
        clean.accuracy.mean - rop.accuracy.mean
        for setting in SETTINGS
        for momentum in MOMENTA
        if momentum > 0
        if (
            known := archive.common(
                [str(table_iv(setting.key, attack, rule, momentum)) for attack in ("none", "rop")]
            )
        )
        for clean, rop in [known]
    ]
    if len(costs) < 2:
        return ""
    return (
        f" In the {len(costs)} settings that are computed with τ = 1 and momentum, ROP costs "
        f"{min(costs):.1f} to {max(costs):.1f} points."
    )


def _agreement(archive: Archive) -> str:
    """Say how much of Table IV comes out as printed."""
    telling = [at for at in comparisons(archive) if at.verdict in (AGREES, DIFFERS)]
    if not telling:
        return "No accuracy of Table IV is computed by the paper's protocol yet."
    showing = [at for at in telling if at.shows]
    agreed, shown = (sum(at.verdict == AGREES for at in group) for group in (telling, showing))
    beside = (
        f" In {len(showing)} of the {len(telling)} the attack makes a visible difference, and "
        f"{shown} of these {len(showing)} agree."
        if showing
        else ""
    )
    rop = [at for at in telling if at.key.attack == "rop"]
    of_rop = ""
    if 0 < len(rop) < len(telling):
        held = sum(at.verdict == AGREES for at in rop)
        of_rop = (
            f" Under ROP, the paper's own attack, {held} of {len(rop)} agree, and under the other "
            f"attacks {agreed - held} of {len(telling) - len(rop)}."
        )
    return (
        "Table IV of the paper has the accuracy of each rule under each attack. For "
        f"{len(telling)} of its accuracies there are runs by the paper's protocol that can be "
        f"compared. {agreed} of these {len(telling)} agree with the paper.{_wide(telling)}{beside}"
        f"{of_rop}"
    )


def _wide(telling: Sequence[Comparison]) -> str:
    """Say how many numbers differ although their printed spread is wide."""
    wide = [at for at in telling if 2 * (at.published.spread or 0.0) > WIDEST_MARGIN]
    if not wide:
        return ""
    differ = "differs" if len(wide) == 1 else "differ"
    return (
        " (Where the printed spread is wider than 5 points, a number that agrees tells nothing and "
        f"is not counted. {len(wide)} with such a spread {differ} even so.)"
    )


def _strongest(archive: Archive) -> str:
    """Say in how many settings ROP is the strongest attack on centered clipping."""
    says = (
        "that ROP is the strongest attack when clients hold similar data. It names centered "
        "clipping, which is the rule of these settings"
    )
    # The noise is pooled over all claims, so that all of them are judged.
    judged = {row.claim: row for row in claims_table(archive, CLAIMS, printed).judged}
    rows = [judged[claim] for claim in ROP_STRONGEST if not judged[claim].own]
    decided = [row for row in rows if row.kind in (HOLDS, FAILS, TIE)]
    if not decided:
        return f"The paper says {says}. None of the {len(rows)} settings is decided yet."
    held, left = sum(row.holds for row in decided), len(rows) - len(decided)
    provisional = " Some of these verdicts rest" if len(decided) > 1 else " The verdict rests"
    if all(row.provisional for row in decided) and len(decided) > 1:
        provisional = " All of these verdicts rest"
    one_seed = any(row.provisional for row in decided)
    keys = [cell for row in decided for cell in row.claim.cells]
    if len(decided) == 1:
        does = "holds" if held else "does not hold"
        setting = decided[0].text.partition(": ")[0]
        where = f"the only setting that is decided so far ({setting})"
    else:
        does, where = "holds", f"{held} of {len(decided)} decided settings"
    return joined(
        f"The paper says {says}. This {does} in ",
        archive.linked(where, *keys),
        f".{provisional} on one seed." if one_seed else ".",
        f" The other {plural(left, 'setting')} {'has' if left == 1 else 'have'} no verdict yet."
        if left
        else "",
        "" if any(map(_with_momentum, decided)) else " No setting with momentum is decided.",
        _weaker_than_another(archive, rows),
    )


def _weaker_than_another(archive: Archive, rows: Sequence[Judgement]) -> Linked | str:
    """Name the setting without a verdict in which ROP is the furthest behind another attack."""
    behind: list[tuple[float, str, CellResult, CellResult]] = []
    for row in rows:
        known = archive.common(row.claim.cells) if not row.decided else None
        if known is not None:
            rop, *others = known
            lowest = min(others, key=lambda result: result.accuracy.mean)
            setting = row.text.partition(": ")[0]
            behind.append((rop.accuracy.mean - lowest.accuracy.mean, setting, rop, lowest))
    if not behind or (worst := max(behind, key=lambda one: one[0]))[0] <= MARGIN:
        return ""
    _, setting, rop, lowest = worst
    return joined(
        f" In one setting without a verdict ({setting}) "
        f"{ATTACK_NAMES[Key.parse(lowest.key).attack]} leaves less than ROP: ",
        percent(archive, lowest),
        " and ",
        percent(archive, rop),
        f" ({resting_on([rop, lowest])}).",
    )


def _with_momentum(row: Judgement) -> bool:
    """Whether the clients of a claim's first cell have momentum."""
    return Key.parse(row.claim.cells[0]).momentum > 0


def _momentum(archive: Archive) -> str:
    """Say what ALIE leaves each rule without and with momentum."""
    keys = [str(table_iv("fmnist_iid", "alie", rule, m)) for m in (0.0, 0.9) for rule in _RULES]
    known = archive.common(keys)
    if known is None:
        return "What momentum does against the attack ALIE is not computed yet."
    without, with_momentum = known[: len(_RULES)], known[len(_RULES) :]
    each = [
        joined(percent(archive, result), f" for {name}")
        for name, result in zip(_RULES.values(), without, strict=True)
    ]
    least = min(with_momentum, key=lambda result: result.accuracy.mean)
    better = all(
        after.accuracy.mean > before.accuracy.mean
        for before, after in zip(without, with_momentum, strict=True)
    )
    return joined(
        "How much the attack ALIE harms depends on the clients' momentum. On Fashion-MNIST with "
        "similar data and without momentum it leaves a test accuracy of ",
        *(part for text in each[:-1] for part in (text, ", ")),
        "and ",
        each[-1],
        ". With a momentum of 0.9 ",
        "every rule does better, and " if better else "",
        "the lowest accuracy is ",
        percent(archive, least),
        f" ({resting_on(known)}).",
    )
