"""What ``fedlib rank`` answers: where a rule stands, or how much an attack harms."""

from __future__ import annotations

from collections.abc import Sequence

from fedlib import __version__
from fedlib.arenas.comparing import leaves_less
from fedlib.arenas.names import Names, percent
from fedlib.arenas.ranking import Row, Standing, better


def of_rule(standing: Standing, name: str, names: Names) -> str:
    """Say where a rule stands by its worst case.

    Parameters
    ----------
    standing
        The ranks of one setting, the rule's among them.
    name
        The name of its row.
    names
        How rows and columns are named.
    """
    row = standing.row(name)
    if row.rank is None or row.worst is None:
        return _unranked(row, names)
    attack, left = row.worst
    others = [other for other in standing.ranked if other is not row]
    brings = f"{names.attack(attack)} brings it to {percent(left)} %."
    if not others:
        text = f"{names.rule(name)} has nobody to be compared with. {brings}"
    else:
        ahead = [other for other in others if other.worst and other.worst[1].mean > left.mean]
        place = f"{ordinal(1 + len(ahead))} of {1 + len(others)} by worst case"
        text = f"{names.rule(name)} is {place}. {brings}"
        if ahead:
            first = standing.ranked[0]
            kept = percent(first.worst[1] if first.worst else None)
            text += f" The first, {names.rule(first.name)}, keeps {kept} %."
        text += f" {_clearly(standing, row, others)}"
    if row.clean:
        text += f" Without an attack it has {percent(row.clean)} %."
    if row.backdoor:
        backdoor, excess = row.backdoor
        text += (
            f" Under the backdoor {names.attack(backdoor)} the trigger works {percent(excess)} "
            "points more often than without an attack."
        )
    return text


def _clearly(standing: Standing, row: Row, others: Sequence[Row]) -> str:
    """Say how many other rules are clearly better and worse, and which rank follows from it."""
    above = sum(better(other, row, standing.noise) for other in others)
    below = sum(better(row, other, standing.noise) for other in others)
    rest = len(others) - above - below
    said = (
        f"Of the {len(others)} other rules {above} {'is' if above == 1 else 'are'} clearly better "
        f"and {below} {'is' if below == 1 else 'are'} clearly worse. "
    )
    if rest:
        said += (
            f"Chance could explain how {'the other one differs' if rest == 1 else ''}"
            f"{f'the other {rest} differ' if rest > 1 else ''} from it. "
        )
    equal = sum(other.rank == row.rank for other in others)
    share = f", which {equal} other{' rule shares' if equal == 1 else ' rules share'}"
    said += f"Its rank is {row.rank}{share if equal else ''}."
    if not noise_is_known(standing, row):
        said += f" {NOISE_UNKNOWN}"
    return said


def noise_is_known(standing: Standing, row: Row) -> bool:
    """Return whether stored runs tell how far seeds are apart where a rule has its worst case."""
    return row.worst is None or standing.noise.of(row.results[row.worst[0]]) is not None


NOISE_UNKNOWN = (
    'No stored runs tell how far seeds are apart here, so that "clearly" takes only the size of '
    "the test set into account: too many rules count as clearly better or worse."
)


def _unranked(row: Row, names: Names) -> str:
    """Say why a rule has no rank."""
    begin = f"{names.rule(row.name)} has no rank yet, because"
    if row.seeds and row.worst is not None:
        attack, left = names.attack(row.worst[0]), percent(row.worst[1])
        return f"{begin} {attack} brings it to {left} %, and too few rules have met {attack}."
    missing = ", ".join(map(names.attack, row.missing)) or "the same seeds"
    return f"{begin} these runs are missing: {missing}."


def of_attack(standing: Standing, name: str, names: Names) -> str:
    """Say how much an attack harms, beside all others.

    Parameters
    ----------
    standing
        The ranks of one setting, with the attack among the columns.
    name
        The name of its column.
    names
        How rows and columns are named.
    """
    if name in standing.columns.backdoors:
        return _of_backdoor(standing, name, names)
    rows = [row for row in standing.rows if name in row.results]
    if not rows:
        return f"{names.attack(name)} is not computed for any rule."
    left = _mean_left(rows, name)
    # Two attacks are compared over the rules that have met both.
    met = {
        other: common
        for other in standing.columns.counted
        if other != name and (common := [row for row in rows if other in row.results])
    }
    both = [
        [(row.results[name], row.results[other]) for row in common] for other, common in met.items()
    ]
    weaker = sum(leaves_less(pairs, standing.noise) for pairs in both)
    stronger = sum(
        leaves_less([(theirs, its) for its, theirs in pairs], standing.noise) for pairs in both
    )
    worst = [row for row in rows if row.worst and row.worst[0] == name]
    weakest = min(rows, key=lambda row: row.results[name].accuracy.mean)
    return (
        f"{names.attack(name)} leaves {left:.1f} % accuracy on average over {len(rows)} rules. "
        f"Of {len(met)} other attacks {stronger} leave clearly less and {weaker} clearly more. For "
        f"{len(worst)} rules {names.attack(name)} leaves the least of all attacks. "
        f"{names.rule(weakest.name)} suffers most from it and keeps "
        f"{percent(weakest.results[name].accuracy)} %."
    )


def _of_backdoor(standing: Standing, name: str, names: Names) -> str:
    """Say under how many rules a backdoor is the one that succeeds most."""
    rows = [row for row in standing.rows if row.backdoor and name in row.results]
    first = [row for row in rows if row.backdoor and row.backdoor[0] == name]
    return (
        f"{names.attack(name)} is a backdoor. Of all backdoors it succeeds most often "
        f"under {len(first)} of {len(rows)} rules."
    )


def _mean_left(rows: list[Row], attack: str) -> float:
    return sum(row.results[attack].accuracy.mean for row in rows) / len(rows)


def ordinal(number: int) -> str:
    """Return a number as an ordinal: ``1st``, ``12th``, ``23rd``."""
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"


def as_markdown(standing: Standing, names: Names, about: str) -> str:
    """Return the ranks as a Markdown table, to be kept as a file.

    Parameters
    ----------
    standing
        The ranks of one setting.
    names
        How rows and columns are named.
    about
        The version of the arena, and its setting.
    """
    heads = ("rank", "rule", "worst case, %", "by", "no attack, %", "backdoor, points")
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for row in standing.rows:
        rank = "–" if row.rank is None else f"{row.rank}{' =' if row.shared else ''}"
        attack, left = row.worst or ("", None)
        excess = row.backdoor[1] if row.backdoor else None
        cells = (
            rank, names.rule(row.name), percent(left), names.attack(attack) if attack else "–",
            percent(row.clean), percent(excess),
        )  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    known = all(noise_is_known(standing, row) for row in standing.ranked)
    head = (
        f"{about}, fedlib {__version__}. Runs: {standing.basis}.",
        "",
        f"{RANK} Several rules share a rank with =.{'' if known else f' {NOISE_UNKNOWN}'}",
        "",
    )
    return "\n".join([*head, *lines, ""])


RANK = (
    "A rule's rank is one more than the number of rules that are clearly better, and never better "
    "than the rank of a rule whose worst case is better."
)
