"""What ``fedlib rank`` answers: where a rule stands, or how much an attack harms."""

from __future__ import annotations

from fedlib.arenas.names import Names, percent
from fedlib.arenas.ranking import Row, Standing


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
    ranked = len(standing.ranked)
    place = f"{ordinal(row.rank)} of {ranked} by worst case"
    if row.shared:
        others = sum(other.rank == row.rank for other in standing.ranked) - 1
        place += f", and {others} other{' shares' if others == 1 else 's share'} this rank"
    text = f"{names.rule(name)} is {place}. {names.attack(attack)} brings it to {percent(left)} %."
    if row.clean:
        text += f" Without an attack it has {percent(row.clean)} %."
    if row.backdoor:
        backdoor, excess = row.backdoor
        text += (
            f" Under the backdoor {names.attack(backdoor)} the trigger works {percent(excess)} "
            "points more often than without an attack."
        )
    return text


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
    stronger = sum(
        _mean_left(common, other) < _mean_left(common, name) for other, common in met.items()
    )
    worst = [row for row in rows if row.worst and row.worst[0] == name]
    weakest = min(rows, key=lambda row: row.results[name].accuracy.mean)
    return (
        f"{names.attack(name)} leaves {left:.1f} % accuracy on average over {len(rows)} rules. "
        f"{stronger} of {len(met)} other attacks leave less. For {len(worst)} rules "
        f"{names.attack(name)} is the most harmful attack. {names.rule(weakest.name)} suffers "
        f"most from it and keeps {percent(weakest.results[name].accuracy)} %."
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


def as_markdown(standing: Standing, names: Names) -> str:
    """Return the ranks as a Markdown table, to be kept as a file.

    Parameters
    ----------
    standing
        The ranks of one setting.
    names
        How rows and columns are named.
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
    return "\n".join([standing.basis, "", *lines, ""])
