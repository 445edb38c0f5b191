"""The tables of an arena's page, computed from the stored runs."""

from __future__ import annotations

import html
import json
from collections.abc import Mapping

from fedlib.arenas.names import Names, percent
from fedlib.arenas.ranking import Row, Standing, columns_by_harm, far_apart
from fedlib.evidence.statistics import Estimate

HEADS = (
    "rule", "rank", "worst case, %", "by", "attacks that know it, %", "backdoor, points",
    "no attack, %", "seeds",
)  # fmt: skip


def ranks_table(standing: Standing, names: Names, more: Mapping[str, Mapping[str, str]]) -> str:
    """Return the table of ranks as HTML that can be sorted and filtered.

    Parameters
    ----------
    standing
        The ranks.
    names
        How rows and columns are named.
    more
        Further columns: the texts of the rows, by the column's head and the row's name.
    """
    heads = [*HEADS, *more]
    body = []
    for row in standing.rows:
        cells = [
            f"<th scope='row'>{html.escape(names.rule(row.name))}</th>",
            _cell(_rank(row), order=row.rank or 999),
            *_of_attack(row, row.worst, names),
            _value(row, row.adaptive, names),
            _value(row, row.backdoor, names),
            _clean(row, names),
            _cell(str(len(row.seeds) or "–"), order=len(row.seeds)),
            *(_cell(texts.get(row.name, "–")) for texts in more.values()),
        ]
        body.append("<tr>" + "".join(cells) + "</tr>")
    head = "".join(f"<th scope='col'>{html.escape(text)}</th>" for text in heads)
    return _table("ranks", head, body)


def bouts_table(standing: Standing, names: Names) -> str:
    """Return the table of all bouts as HTML: a row for each rule, a column for each attack.

    Parameters
    ----------
    standing
        The ranks.
    names
        How rows and columns are named.
    """
    attacks = [*columns_by_harm(standing), *sorted(standing.columns.backdoors)]
    heads = ["rule", "no attack", *map(names.attack, attacks)]
    body = []
    for row in standing.rows:
        cells = [f"<th scope='row'>{html.escape(names.rule(row.name))}</th>", _clean(row, names)]
        for attack in attacks:
            found = row.results.get(attack)
            if found is None:
                cells.append(_cell("–", order=-1))
            else:
                text = _marked(row, attack, found.accuracy)
                cells.append(_linked(text, found.accuracy.mean, names, row.name, attack))
        body.append("<tr>" + "".join(cells) + "</tr>")
    head = "".join(f"<th scope='col'>{html.escape(text)}</th>" for text in heads)
    return _table("bouts", head, body)


def _table(kind: str, head: str, body: list[str]) -> str:
    return (
        f"<div class='fedlib-table fedlib-sortable fedlib-{kind}'><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )


def _rank(row: Row) -> str:
    if row.rank is None:
        return "–"
    return f"{row.rank}{' =' if row.shared else ''}"


def _cell(text: str, order: float | str | None = None) -> str:
    data = "" if order is None else f" data-order='{order}'"
    return f"<td{data}>{html.escape(text)}</td>"


def _linked(text: str, order: float, names: Names, row: str, column: str) -> str:
    """Return a cell that leads to the records of a bout."""
    key = names.cell(row, column)
    address = names.link(key)
    shown = html.escape(text)
    inner = f"<a href='{html.escape(address)}'>{shown}</a>" if address else shown
    return f"<td data-order='{order:.3f}'>{inner}</td>"


def _clean(row: Row, names: Names) -> str:
    if row.clean is None:
        return _cell("–", order=-1)
    return _linked(percent(row.clean), row.clean.mean, names, row.name, row.columns.clean)


def _of_attack(row: Row, found: tuple[str, Estimate] | None, names: Names) -> list[str]:
    """Return the cells of an accuracy and of the attack that leaves it."""
    if found is None:
        return [_cell("–", order=-1), _cell("–")]
    name, value = found
    shown = _marked(row, name, value)
    return [_linked(shown, value.mean, names, row.name, name), _cell(names.attack(name))]


def _value(row: Row, found: tuple[str, Estimate] | None, names: Names) -> str:
    if found is None:
        return _cell("–", order=-1)
    name, value = found
    # The success of a backdoor is another number than the accuracy whose seeds are looked at.
    backdoor = name in row.columns.backdoors
    shown = percent(value) if backdoor else _marked(row, name, value)
    return _linked(shown, value.mean, names, row.name, name)


def _marked(row: Row, attack: str, value: Estimate) -> str:
    """Return an accuracy in words, with a dagger if no seed has such an accuracy."""
    return percent(value) + ("†" if far_apart(row.results[attack]) else "")


def costs(measured: str, rows: Mapping[str, str]) -> dict[str, float]:
    """Return the time of each row's rule in reads of the update matrix, from the benchmarks.

    Parameters
    ----------
    measured
        The text of the benchmarks' results.
    rows
        The name of the rule of each row.
    """
    entries = [
        entry
        for entry in json.loads(measured)["measured"]
        if entry["kind"] == "aggregator" and tuple(entry["size"]) == (25, 1_000_000)
    ]
    one_read = next(e["seconds"]["memory"] for e in entries if "memory" in e["seconds"])
    seconds = {e["name"]: e["seconds"]["fedlib"] for e in entries if "fedlib" in e["seconds"]}
    return {row: seconds[rule] / one_read for row, rule in rows.items() if rule in seconds}
