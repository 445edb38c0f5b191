"""What an arena has found, in sentences that are computed from the stored runs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from fedlib.arenas.comparing import leaves_more
from fedlib.arenas.names import Names, percent
from fedlib.arenas.ranking import Row, Standing
from fedlib.evidence.table import plural

_NAMED = 5
"""At most this many of the rules that share the first rank are named."""
_BROKEN = 20.0
"""A rule is called broken if some attack leaves less than this many percent in most of the seeds.
Guessing one of ten classes gives 10 %."""


def findings(standing: Standing, names: Names) -> list[str]:
    """Return what the ranks of a setting say, as a list of sentences in Markdown.

    Parameters
    ----------
    standing
        The ranks.
    names
        How rows and columns are named.
    """
    rows = standing.ranked
    if not rows:
        return ["Not enough runs are stored yet to rank any rule."]
    said = [_best(standing, names), _broken(standing, names), _strongest(standing, names)]
    return [*said, _knowing(standing), _backdoors(standing, names), _baseline(standing)]


def headline(standing: Standing, names: Names, where: str) -> str:
    """Say in one short sentence which rules survive most, or nothing if no rule has a rank.

    Parameters
    ----------
    standing
        The ranks.
    names
        How rows and columns are named.
    where
        The setting in words.
    """
    if not standing.ranked:
        return ""
    first = _first(standing)
    titles = _titles(first, names).replace("*", "")
    does = "survives" if len(first) == 1 else "survive"
    attacks = plural(len(standing.columns.counted), "attack")
    count = plural(len(standing.ranked), "rule")
    return f"Of {count}, {titles} {does} {attacks} best ({where})."


def best_everywhere(standings: Sequence[Standing], names: Names) -> str:
    """Name the rules that share the best rank in every one of several settings.

    Parameters
    ----------
    standings
        The ranks of the settings. The first is the one that the headline is about.
    names
        How rows and columns are named.

    Returns
    -------
    str
        A short sentence. It is empty if there is only one setting, if one of them has no rule of
        the first rank, or if no rule has the first rank in all of them.
    """
    if len(standings) < 2 or not all(_has_first(standing) for standing in standings):
        return ""
    firsts = [{row.name for row in _first(standing)} for standing in standings]
    common = set.intersection(*firsts)
    rows = [row for row in _first(standings[0]) if row.name in common]
    if not rows:
        return ""
    others = len(standings) - 1
    where = "the other setting" if others == 1 else f"each of the {others} other settings"
    is_one = f"{'is' if len(rows) == 1 else 'are'} among the best"
    seeds = {
        len(row.seeds) for other in standings[1:] for row in other.ranked if row.name in common
    }
    one_seed = ", which rests on one seed" if 1 in seeds else ""
    return f"{_titles(rows, names).replace('*', '')} {is_one} in {where} too{one_seed}."


def _has_first(standing: Standing) -> bool:
    """Whether a rule has the first rank. Rules without a rank may share it with all others."""
    return bool(standing.ranked) and standing.ranked[0].rank == 1


def _first(standing: Standing) -> list[Row]:
    """Return the rows that share the best rank."""
    best = standing.ranked[0].rank
    return [row for row in standing.ranked if row.rank == best]


def _titles(rows: list[Row], names: Names) -> str:
    """Name some rules in bold letters, and count the others."""
    named = [f"**{names.rule(row.name)}**" for row in rows[:_NAMED]]
    if len(rows) > _NAMED:
        named.append(plural(len(rows) - _NAMED, "other"))
    return _listed(named)


def _best(standing: Standing, names: Names) -> str:
    """Say which rule survives most."""
    best = standing.ranked[0].rank
    first = _first(standing)
    titles = _titles(first, names)
    worsts = [row.worst for row in first if row.worst]
    if len(first) == 1:
        attack, left = worsts[0]
        among = "" if best == 1 else " of the ranked rules"
        clean = f" It has {percent(first[0].clean)} % without an attack." if first[0].clean else ""
        return (
            f"{titles} has the best worst case{among}. It keeps {percent(left)} % accuracy under "
            f"{names.attack(attack)}, the attack that harms it most.{clean}"
            f"{_provisional(standing, first)}"
        )
    rules = "best rules" if best == 1 else "best of the ranked rules"
    if len(first) == 2:
        kept = " and ".join(
            f"{names.rule(row.name)} keeps {percent(left)} %"
            for row, (_, left) in zip(first, worsts, strict=True)
        )
        return (
            f"{titles} are the {rules}, because no rule is clearly better than either. Under "
            f"the attack that harms it most, {kept} accuracy.{_provisional(standing, first)}"
        )
    low, high = (f(left.mean for _, left in worsts) for f in (min, max))
    return (
        f"{titles} are the {rules}, because no rule is clearly better than any of them. Each "
        f"keeps between {low:.1f} and {high:.1f} % accuracy under the attack that harms it most."
        f"{_provisional(standing, first)}"
    )


def _provisional(standing: Standing, first: Sequence[Row]) -> str:
    """Say that the first ranks rest on one seed, or on the noise of other settings, if they do."""
    one_seed = any(len(row.seeds) == 1 for row in first)
    said = " This is provisional, because it rests on one seed." if one_seed else ""
    return said + _of_elsewhere(standing, first[0])


def _of_elsewhere(standing: Standing, row: Row) -> str:
    """Say that the noise is that of other settings, or nothing if it is of this one."""
    noise = standing.noise.of(next(iter(row.results.values())))
    if noise is None or not noise.origin:
        return ""
    return (
        " The noise between seeds is known from other settings only. Here it may be larger, and "
        "then other rules may share this rank."
    )


def _broken(standing: Standing, names: Names) -> str:
    """Say how many rules are brought down."""
    rows = standing.ranked
    several = any(len(row.seeds) > 1 for row in rows)
    broken = sum(row.breaks(_BROKEN) for row in rows)
    stood = sum(row.worst[1].mean >= 60 for row in rows if row.worst)
    return (
        f"Of {len(rows)} ranked rules, {broken} {'is' if broken == 1 else 'are'} broken. This "
        f"means that some attack leaves less than {_BROKEN:.0f} % accuracy"
        f"{' in most of the seeds' if several else ''}. (Guessing would give 10 %.) "
        f"{plural(stood, 'rule')} "
        f"{'keeps' if stood == 1 else 'keep'} 60 % or more under each of the "
        f"{plural(len(standing.columns.counted), 'attack')}.{_broken_too(standing, names)}"
    )


def _broken_too(standing: Standing, names: Names) -> str:
    """Name the rules without a rank that some attack breaks, or say nothing if there are none."""
    found = [
        names.rule(row.name) for row in standing.rows if row.rank is None and row.breaks(_BROKEN)
    ]
    if not found:
        return ""
    has, them = ("has", "it") if len(found) == 1 else ("have", "them")
    return f" {_listed(found)} {has} no rank yet, but some attack breaks {them} too."


def _strongest(standing: Standing, names: Names) -> str:
    """Say which attack is the worst case of the most rules.

    Several attacks may bring a rule to chance. Which of them leaves the least then means nothing.
    """
    unbroken = [row for row in standing.ranked if row.worst and not row.breaks(_BROKEN)]
    counts = Counter(row.worst[0] for row in unbroken if row.worst)
    if not counts:
        return "Every rule is broken by some attack."
    (name, most), *others = counts.most_common(3)
    text = (
        f"On average over the seeds, {names.attack(name)} leaves the least accuracy to {most} of "
        f"the {plural(counts.total(), 'rule')} that no attack breaks"
    )
    if others:
        then = [f"{names.attack(other)} to {plural(count, 'rule')}" for other, count in others]
        text += f", {', and '.join(then)}"
    close = sum(_has_rival(row, standing) for row in unbroken)
    if close:
        text += f". For {close} of the {counts.total()}, another attack may leave as little"
    return text + "."


def _has_rival(row: Row, standing: Standing) -> bool:
    """Return whether chance may be why one attack leaves a rule less than another attack does."""
    worst = row.worst[0] if row.worst else ""
    return any(
        not leaves_more(row.results[attack], row.results[worst], standing.noise)
        for attack in standing.columns.counted
        if attack != worst
    )


def _knowing(standing: Standing) -> str:
    """Say for how many rules an attack that knows the rule harms most."""
    columns = standing.columns
    clearly = [0, 0]
    rows = standing.ranked
    for row in rows:
        groups = [
            [name for name in columns.counted if columns.knows(name, row.name) == knows]
            for knows in (True, False)
        ]
        # Of each kind of attack the one that leaves the least.
        worst = [
            min((row.results[name] for name in group), key=lambda found: found.accuracy.mean)
            for group in groups
            if group
        ]
        if len(worst) == 2:
            knowing, other = worst
            clearly[0] += leaves_more(other, knowing, standing.noise)
            clearly[1] += leaves_more(knowing, other, standing.noise)
    return (
        f"For {clearly[0]} of {len(rows)} rules the most harmful attack is clearly one that knows "
        f"the rule or is made against it, and for {clearly[1]} it is clearly another one. For the "
        f"other {len(rows) - sum(clearly)} rules the difference may be chance."
    )


def _backdoors(standing: Standing, names: Names) -> str:
    """Say how the rules do against backdoors."""
    rows = [row for row in standing.ranked if row.backdoor]
    if not rows:
        return "No backdoor is computed yet."
    open_ = [row for row in rows if row.backdoor and row.backdoor[1].mean >= 50]
    return (
        "A backdoor makes the model give the answer that the attacker wants if a trigger is in the "
        f"image. For {len(open_)} of {len(rows)} rules, a backdoor raises the share of images with "
        "the trigger that get this answer by at least 50 points."
    )


def _baseline(standing: Standing) -> str:
    """Say what protection costs where nobody attacks."""
    rows = [row for row in standing.ranked if row.clean]
    costly = sorted(row.clean.mean for row in rows if row.clean)
    if not costly:
        return "No clean run is computed yet."
    within = sum(value >= costly[-1] - 2 for value in costly)
    most = 2 * within > len(costly)
    little = " So most rules lose little accuracy by their protection." if most else ""
    return (
        f"If nobody attacks, the best rule has {costly[-1]:.1f} % accuracy, and {within} of "
        f"{len(costly)} rules have at most 2 points less.{little}"
    )


def _listed(texts: list[str]) -> str:
    """Return texts as a list in words."""
    return texts[0] if len(texts) == 1 else ", ".join(texts[:-1]) + " and " + texts[-1]
