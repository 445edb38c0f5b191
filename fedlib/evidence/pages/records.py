"""The page of a grid's records: every cell with its stored runs, and every claim with its cells.

The numbers of the book lead here. Each cell and each claim is folded, and has an anchor that is
made of its name alone.
"""

from __future__ import annotations

import html
import itertools
import math
from collections.abc import Sequence
from typing import Any

from fedlib.data.datasets import DATASETS
from fedlib.evidence.judgement import CONTRADICTED, Judgement
from fedlib.evidence.links import ALL_CELLS, cell_anchor
from fedlib.evidence.pages.kinds import chip
from fedlib.evidence.pages.markdown import raw_html
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.evidence.pages.opened import judged_claims, opened
from fedlib.evidence.replay import run_command, verify_command
from fedlib.evidence.report import Archive, CellResult
from fedlib.evidence.table import plural
from fedlib.evidence.tally import kind_of_row
from fedlib.evidence.verdicts import ENOUGH_SEEDS
from fedlib.grids import paper_slugs

LAST = 5
"""How many evaluations the column with the mean of the last ones is about."""

_COLUMNS = (
    "scale", "seed", "accuracy, %", f"mean of last {LAST}", "id", "commit", "started", "took",
    "device", "data", "other numbers",
)  # fmt: skip


@page_mark("records:SLUG")
def records(page: Page, slug: str) -> str:
    """Return the records of all cells of a grid, and the cells of all claims of its paper."""
    archive = opened(slug)
    # The anchor of this heading is ALL_CELLS.
    every = sorted(archive.all_cells())
    asked = _FILTER.format(slug=slug, example=html.escape(_example(every)))
    parts = [f"## {ALL_CELLS.capitalize()}", raw_html(asked)]
    for name, keys in itertools.groupby(every, key=_first_part):
        parts += [f"### `{name}`", raw_html("".join(_cell(archive, key) for key in keys))]
    if slug in paper_slugs():  # an arena claims nothing
        claims = "".join(_claim(archive, row) for row in judged_claims(slug).judged)
        parts += [
            "## Claims",
            "Each claim stands here with the cells that decide it.",
            raw_html(claims),
        ]
    return "\n\n".join(parts)


_FILTER = (
    '<form class="fedlib-filter fedlib-cells-filter" role="search" data-slug="{slug}" hidden>'
    '<label>Show cells <input type="search" name="only" placeholder="{example}"></label>'
    '<p class="fedlib-count" role="status"></p>'
    '<pre class="fedlib-command" hidden></pre></form>'
)


def _example(keys: Sequence[str]) -> str:
    """Return a pattern that some of the keys match, as an example: ``*/greedy/*``."""
    parts = keys[0].split("/")
    return f"*/{parts[1]}/*" if len(parts) > 2 else f"{parts[0]}/*"


def _first_part(key: str) -> str:
    return key.partition("/")[0]


def _cell(archive: Archive, key: str) -> str:
    """Return the HTML of a cell: its records, and the commands that play it again."""
    slug = archive.grid.slug
    results = sorted(archive.results([key]), key=lambda result: result.rank, reverse=True)
    if results:
        held = "; ".join(_summary(result) for result in results)
        rows = "".join(
            f"<tr>{_record(result, record)}" for result in results for record in result.records
        )
        heads = "".join(f"<th>{head}" for head in _COLUMNS)
        body = (
            '<div class="fedlib-table" tabindex="0"><table>'
            f"<thead><tr>{heads}<tbody>{rows}</table></div>"
        )
        commands = [
            command
            for scale in dict.fromkeys(result.scale for result in results)
            for command in (
                run_command(slug, scale, _last_seed(results, scale), [key]),
                verify_command(slug, scale, [key]),
            )
        ]
    else:
        held, body = "not computed", ""
        commands = [run_command(slug, "paper", 1, [key])]
    return (
        f'<details class="fedlib-cell" id="{cell_anchor(key)}">'
        f"<summary><code>{html.escape(key)}</code> "
        f"{_SUPERSEDED if archive.grid.superseded(key) else ''}"
        f"<span>{html.escape(held)}</span></summary>"
        f"{body}{''.join(map(_command, commands))}</details>\n"
    )


_SUPERSEDED = (
    '<em title="Other cells have taken its place, and no claim is about it.">superseded</em> '
)


def _summary(result: CellResult) -> str:
    """Say what is stored of a cell at one scale: ``paper: 97.39 (1 seed)``."""
    return f"{result.protocol}: {result.shown()} % ({plural(len(result.records), 'seed')})"


def _last_seed(results: Sequence[CellResult], scale: str) -> int:
    return max(seed for result in results if result.scale == scale for seed in result.seeds)


def _record(result: CellResult, record: dict[str, Any]) -> str:
    """Return the HTML of the columns of a record."""
    made, metrics = record["provenance"], record["metrics"]
    accuracies = [100 * value for value in metrics["test_accuracy"]]
    last = accuracies[-LAST:]
    device = made["device_name"] + (", TF32" if made.get("tf32") else "")
    columns = (
        result.protocol,
        str(record["seed"]),
        f"{accuracies[-1]:.2f}",
        f"{math.fsum(last) / len(last):.2f}",
        record["id"],
        made["commit"],
        made["started"][:10],
        f"{made['wall_time_s']:.0f} s",
        device,
        made["data"],
        ", ".join(_others(metrics)),
    )
    return "".join(f"<td>{html.escape(column)}" for column in columns)


def _others(metrics: dict[str, Any]) -> list[str]:
    """Say every other recorded quantity: ``test loss 0.0821 (mean 0.114)``.

    The first number is the one after the last round. The mean is over the run.
    """
    said = []
    for name, values in metrics.items():
        known = [value for value in values if isinstance(value, int | float)]
        if name not in ("rounds", "test_accuracy") and known:
            mean = math.fsum(known) / len(known)
            said.append(f"{name.replace('_', ' ')} {known[-1]:.3g} (mean {mean:.3g})")
    return said


def _claim(archive: Archive, row: Judgement) -> str:
    """Return the HTML of a claim: its verdict, its cells, what it needs next, and the commands."""
    slug, cells = archive.grid.slug, list(dict.fromkeys(row.claim.cells))
    known = archive.common(cells)
    shown = map(_summary, known) if known else (_held(archive, key) for key in cells)
    items = "".join(
        f'<li><a href="#{cell_anchor(key)}">{html.escape(key)}</a> {html.escape(text)}'
        for key, text in zip(cells, shown, strict=True)
    )
    said = html.escape(
        f"Needed: {row.needed}. Here: {row.here}. Verdict: {row.verdict}. Runs: {row.runs}."
    )
    repeat = ""
    if known:
        scale = known[0].scale
        seeds = max(_last_seed([result], scale) for result in known)
        again = (run_command(slug, scale, seeds, cells), verify_command(slug, scale, cells))
        repeat = f"<p>These commands repeat the stored runs.</p>{''.join(map(_command, again))}"
    return (
        f'<details class="fedlib-cell" id="{row.claim.anchor(slug)}">'
        f"<summary>{chip(kind_of_row(row))} {html.escape(f'{row.text} ({row.place})')}</summary>"
        f"<p>{said}</p><ul>{items}</ul>{_next(archive, row, cells)}{repeat}</details>\n"
    )


def _held(archive: Archive, key: str) -> str:
    """Say what is stored of a cell at its best scale."""
    best = archive.best(key)
    return _summary(best) if best else "not computed"


def _next(archive: Archive, row: Judgement, cells: Sequence[str]) -> str:
    """Return the HTML of what a claim needs next, or nothing if its verdict is firm."""
    if row.kind == CONTRADICTED or (row.decided and not row.provisional):
        return ""
    if not row.next_runs:
        return f"<p>No more runs are planned for this row, because {_why_no_more(row)}.</p>"
    keys, seed = [key for key, _ in row.next_runs], row.next_runs[0][1]
    said = f"What comes next: {plural(len(keys), 'run')} at the paper's scale, with seed {seed}."
    others = len(cells) - len(keys)
    if others:
        have = "cell has" if others == 1 else f"{others} cells have"
        said += f" The other {have} this seed already."
    held = {key: archive.seeds(key, "paper") for key in keys}
    before = sum(number not in held[key] for key in keys for number in range(1, seed))
    if before:
        said += f" The command also computes {plural(before, 'run')} of earlier seeds."
    if row.decided:
        said += " The verdict rests on one seed so far."
    else:
        said += " The row may still be undecided after these runs."
    titles = [DATASETS[name].title for name in row.noise_unknown_on]
    if titles:
        said += (
            f" For {' and '.join(titles)}, shared out as in this row, it is not known how far two "
            "seeds are apart in this number, so that second seeds of some cells are needed too. "
            "The command <code>python -m fedlib plan</code> lists them."
        )
    command = run_command(archive.grid.slug, "paper", seed, keys)
    return f"<p>{said}</p>{_command(command)}"


def _why_no_more(row: Judgement) -> str:
    """Say why a row that is not decided firmly waits for no run."""
    if "chance" in row.remark:
        return "the models have learned nothing"
    if row.remark.endswith(("no run can decide this row", "too wide to tell")):
        return "no run can decide it"
    if row.claim.yes_or_no:
        return f"each of {ENOUGH_SEEDS} seeds must answer, and one of them cannot"
    return f"{ENOUGH_SEEDS} seeds are stored, or have nothing to judge"


def _command(text: str) -> str:
    """Return the HTML of a command; a script adds a button that copies it."""
    return f'<pre class="fedlib-command">{html.escape(text)}</pre>'
