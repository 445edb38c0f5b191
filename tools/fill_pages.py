"""Fill the marks of prose pages with what the store and the benchmarks hold.

``{coverage:SLUG}`` becomes the coverage of that paper's grid, ``{tally:SLUG}`` how many of its
claims hold, ``{verdicts:SLUG}`` the claims that are decided, ``{catalogue:aggregators}`` and
``{catalogue:attacks}`` what there is, entry by entry, ``{measured:KIND}`` the table of
benchmarked ratios (``aggregator``, ``round``, ``local``, ``jobs``, ``nnpack``, ``bfloat16``),
``{measured:machine}`` where they were measured. ``{gpu:KIND}`` is what a GPU was found to take
(``round``, ``strategy``, ``layer``, ``rule``, ``aggregator``, ``replay``, ``kernel``, ``jobs``),
and ``{gpu:runs}`` what whole runs give there and on a CPU.
``{contradicted}`` becomes the claims that a paper's own numbers do not bear out, ``{times}`` how
long the stored runs took.
Beside a page with marks of benchmarks, their figure is drawn to ``_static/performance.png``.

usage: fill_pages.py PAGE.md ...
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import re
import statistics
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.lines import Line2D

from fedlib.aggregators import AGGREGATORS
from fedlib.attacks import ATTACKS
from fedlib.evidence import claims
from fedlib.evidence.plots import PALETTE, STYLE
from fedlib.evidence.published import published_slugs
from fedlib.evidence.report import Archive
from fedlib.grids import grid_slugs, load_grid
from fedlib.runs.store import Store
from fedlib.validation import ConfigError

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
MEASURED = BENCHMARKS / "measured.json"
MEASURED_GPU = BENCHMARKS / "measured_gpu.json"


def coverage(slug: str) -> str:
    """How far a paper's grid is computed."""
    return Archive(load_grid(slug)).coverage()


def _claims(slug: str) -> claims.ClaimsTable:
    tables = importlib.import_module(f"fedlib.papers.{slug}.tables")
    found: claims.ClaimsTable = tables.claims_table(Archive(load_grid(slug)))
    return found


def verdicts(slug: str) -> str:
    """Tables of a paper's claims, and of this book's questions, that the stored runs decide."""
    decided = [row for row in _claims(slug).judged if row.decided]
    parts = []
    for own, title in ((False, "claim"), (True, "question of this book")):
        rows = [row for row in decided if row.own == own]
        lines = [f"| {title} | needed | here | verdict, of runs |", "| --- | --- | --- | --- |"]
        for row in rows:
            text = row.text if own else f"{row.text} ({row.place})"
            lines.append(_row(text, row.needed, row.here, f"{row.verdict}: {row.runs}"))
        parts += ["\n".join(lines)] if rows else []
    return "\n\n".join(parts) or "None is decided yet."


def times() -> str:
    """A table of how long the stored runs took on the CPU, by paper, data and scale."""
    lines = ["| grid | data | quick | paper |", "| --- | --- | ---: | ---: |"]
    for slug in grid_slugs():
        taken: dict[str, dict[str, list[float]]] = {}
        for scale in ("quick", "paper"):
            for record in Store(slug).read(scale).values():
                provenance = record["provenance"]
                if provenance["device"].startswith("cpu"):
                    of_data = taken.setdefault(provenance["data"], {})
                    of_data.setdefault(scale, []).append(provenance["wall_time_s"])
        for data, by_scale in sorted(taken.items()):
            cells = [
                _duration(statistics.median(by_scale[scale])) if scale in by_scale else "–"
                for scale in ("quick", "paper")
            ]
            lines.append(f"| `{slug}` | {data} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


def contradicted() -> str:
    """A table of the claims, of all papers, that a paper's own numbers do not bear out."""
    lines = ["| paper | claim | needed | its own numbers give |", "| --- | --- | --- | --- |"]
    for slug in published_slugs():
        title = slug.replace("_", " ").capitalize()
        for row in claims.contradicted(_claims(slug)):
            lines.append(_row(title, f"{row.text} ({row.place})", row.needed, row.in_print))
    return "\n".join(lines) if len(lines) > 2 else "None."


def _row(*cells: str) -> str:
    # A star or a bar of the text is none of Markdown's.
    return "| " + " | ".join(re.sub(r"([*_|<>])", r"\\\1", cell) for cell in cells) + " |"


_REGISTRIES: dict[str, Any] = {"aggregators": AGGREGATORS, "attacks": ATTACKS}


def catalogue(kind: str) -> str:
    """A table of the registered aggregators or attacks, then a section on each, from the code."""
    last = "most Byzantine of 25" if kind == "aggregators" else "is told"
    lines = [f"| name | what it does | {last} |", "| --- | --- | --- |"]
    registry = _REGISTRIES[kind]
    for name, cls in registry.items():
        rule = kind == "aggregators"
        value = str(_most_byzantine(cls)) if rule else _listed(cls(n_byzantine=1).knows)
        lines.append(f"| [`{name}`](#{kind}-{name}) | {_described(cls)[0]} | {value} |")
    return "\n".join([*lines, "", *(_section(kind, name, registry[name]) for name in registry)])


def _section(kind: str, name: str, cls: Any) -> str:
    """Formula, description, hyperparameters, cost, knowledge and example of one entry."""
    summary, description = _described(cls)
    lines = [f"({kind}-{name})=", f"### {name}", "", summary, "", f"$$ {cls.formula} $$", ""]
    lines += [description, ""] if description else []
    documented = _documented_fields(cls)
    for field in dataclasses.fields(cls):
        if field.name == "n_byzantine":
            continue
        if field.name not in documented:
            raise ConfigError(
                f"{cls.__name__}: field {field.name!r} has no entry under Parameters."
            )
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        lines.append(f"- `{field.name}={default!r}`: {documented[field.name]}")
    lines.append("")
    part = cls(n_byzantine=1)  # an option may decide what it needs or is told
    if kind == "aggregators":
        lines.append(f"Cost: $O({cls.cost})$. Needs beside the updates: {_listed(part.needs)}.")
    else:
        lines.append(f"Is told: {_listed(part.knows)}.")
    code = f'{kind.upper()}["{name}"](n_byzantine=1).apply({_arguments(kind, part)})[0]'
    shown = eval(code, _EXAMPLE)
    return "\n".join([*lines, "", "```python", f">>> {code}", repr(shown), "```", ""])


def _arguments(kind: str, part: Any) -> str:
    if kind == "attacks":
        return "benign, None, told" if part.knows - {"benign_updates"} else "benign"
    return "updates, None, facts" if part.needs else "updates"


def _listed(names: frozenset[str]) -> str:
    return ", ".join(name.replace("_", " ") for name in sorted(names)) or "nothing"


def _markdown(text: str) -> str:
    """reStructuredText of a docstring as Markdown, paragraphs unwrapped."""
    text = re.sub(r":\w+:`~?(?:[\w.]+\.)?(\w+)`", r"`\1`", text.replace("``", "`"))
    paragraphs = [" ".join(part.split()) for part in re.split(r"\n\s*\n|\n(?=\* )", text)]
    return "\n\n".join(part for part in paragraphs if part)


def _described(cls: Any) -> tuple[str, str]:
    """Summary and the rest of a class's docstring up to its parameters."""
    text = inspect.cleandoc(cls.__doc__ or "").split("\nParameters\n---")[0]
    summary, _, rest = text.partition("\n\n")
    return _markdown(summary), _markdown(rest)


def _documented_fields(cls: Any) -> dict[str, str]:
    """What the docstrings of a class and its bases say of each field."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        text = inspect.cleandoc(base.__doc__ or "").partition("\nParameters\n----------\n")[2]
        for names, said in re.findall(r"^(\w[\w, ]*)\n((?:    .*\n?|\n)+)", text, re.MULTILINE):
            found.update({name: _markdown(said) for name in names.split(", ")})
    return found


def _example() -> dict[str, Any]:
    """The names that the page's examples use, from its own code block."""
    text = (Path(__file__).resolve().parent.parent / "book" / "catalogue.md").read_text("utf-8")
    names: dict[str, Any] = {}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    return names


_EXAMPLE = _example()


def _most_byzantine(cls: type) -> int:
    """The largest ``n_byzantine`` that the rule accepts with 25 clients."""
    accepted = 0
    for f in range(26):
        try:
            cls(n_byzantine=f).check(25)
        except ConfigError:
            continue
        accepted = f
    return accepted


_SIDE_BY_SIDE = ("jobs", "bfloat16", "local", "nnpack")
"""Kinds of benchmark whose tables have a row for each network."""


def measured(kind: str, path: Path | None = None) -> str:
    """A Markdown table of one kind of benchmark, or a line on the machine."""
    summary: dict[str, Any] = json.loads((path or MEASURED).read_text(encoding="utf-8"))
    if kind == "machine":
        versions = ", ".join(f"{name} {v}" for name, v in summary["versions"].items())
        return (
            f"Measured {_when(summary)} on {summary['cores']} cores ({summary['processor']}), "
            f"{summary['threads']} threads, with {versions}."
        )
    chosen = [entry for entry in summary["measured"] if entry["kind"] == kind and _shown(entry)]
    if not chosen:
        return "Not measured yet."
    if kind in _SIDE_BY_SIDE:
        return _side_by_side(kind, chosen)
    reads = {
        tuple(entry["size"]): entry["seconds"]["memory"]
        for entry in chosen
        if "memory" in entry["seconds"]
    }
    lines = {
        "aggregator": ["| rule | n | d | fedlib, ms | byzfl / fedlib | fedlib / one read |"],
        "round": ["| network | fedlib, ms | byzfl / fedlib | merged pass / fedlib |"],
    }[kind]
    lines.append("| --- |" + " ---: |" * (lines[0].count("|") - 2))
    for entry in chosen:
        seconds = entry["seconds"]
        if "fedlib" not in seconds:
            continue
        ours, theirs = seconds["fedlib"], seconds.get("byzfl")
        cells = [f"`{entry['name']}`"]
        if kind == "aggregator":
            n, d = entry["size"]
            cells += [str(n), f"{d:,}"]
            last = ours / reads[n, d]
        else:
            last = seconds["merged pass"] / ours
        ratio = f"{theirs / ours:.1f}" if theirs else "not in byzfl"
        cells += [_number(1000 * ours), ratio, f"{last:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _side_by_side(kind: str, entries: list[dict[str, Any]]) -> str:
    """Of each network, what the libraries took: as rounds a second, or as time of a pass."""
    names = list(entries[0]["seconds"])
    unit = "rounds/s" if kind == "jobs" else "ms"
    first, second = names[:2] if kind == "jobs" else (names[1], names[0])
    ratio = f"{first} / {second}" if kind == "jobs" else f"{second} / {first}"
    lines = ["| network | " + " | ".join(f"{name}, {unit}" for name in names) + f" | {ratio} |"]
    lines.append("| --- |" + " ---: |" * (len(names) + 1))
    for entry in entries:
        seconds = entry["seconds"]
        shown = [1 / seconds[name] if kind == "jobs" else 1000 * seconds[name] for name in names]
        cells = [f"`{entry['name']}`", *map(_number, shown)]
        lines.append("| " + " | ".join([*cells, f"{seconds[second] / seconds[first]:.1f}"]) + " |")
    return "\n".join(lines)


def _when(summary: dict[str, Any]) -> str:
    dates = sorted({entry["date"] for entry in summary["measured"]})
    return f"on {dates[0]}" if len(dates) == 1 else f"between {dates[0]} and {dates[-1]}"


def gpu(kind: str) -> str:
    """A table of what a GPU took, in milliseconds: a row a network or rule, a column a way."""
    if kind == "runs":
        return _gpu_runs()
    if kind in ("round", "aggregator"):
        return measured(kind, MEASURED_GPU)
    summary = json.loads(MEASURED_GPU.read_text(encoding="utf-8"))
    if kind == "machine":
        torch_version = summary["versions"]["torch"]
        return (
            f"Measured {_when(summary)} on an {summary['processor']} with {summary['cores']} "
            f"cores, by torch {torch_version}."
        )
    entries = [entry for entry in summary["measured"] if entry["kind"] == kind]
    if not entries:
        return "Not measured yet."
    names = list(max((entry["seconds"] for entry in entries), key=len))
    first = {
        "rule": "rule | n × d",
        "layer": "layer | clients × batch",
        "replay": "rule | clients × batch",
        "kernel": "kernels | clients × batch",
    }.get(kind, "network | clients × batch")
    lines = [f"| {first} | " + " | ".join(f"{name}, ms" for name in names) + " |"]
    lines.append("| --- |" + " ---: |" * (1 + len(names)))
    for entry in entries:
        taken = entry["seconds"]
        shown = [_number(1000 * taken[name]) if name in taken else "–" for name in names]
        name = entry["name"] if kind in ("layer", "replay", "kernel") else f"`{entry['name']}`"
        size = " × ".join(f"{part:,}" for part in entry["size"])
        lines.append("| " + " | ".join([name, size, *shown]) + " |")
    return "\n".join(lines)


def _gpu_runs() -> str:
    """Whole runs on a GPU, which are not in the store, beside the same runs on a CPU, which are."""
    lines = [
        "| cell | data | CPU, % | GPU, % | CPU, one core | GPU, of several at once |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for line in (BENCHMARKS / "gpu_runs.jsonl").read_text(encoding="utf-8").splitlines():
        there = json.loads(line)
        here = Store(there["slug"]).read(there["scale"])[there["id"]]
        runs = (here, there)
        accuracies = [f"{100 * run['metrics']['test_accuracy'][-1]:.2f}" for run in runs]
        times = [_duration(run["provenance"]["wall_time_s"]) for run in runs]
        cell, data = f"`{there['cell']}`", there["provenance"]["data"]
        lines.append("| " + " | ".join([cell, data, *accuracies, *times]) + " |")
    return "\n".join(lines)


def _number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _shown(entry: dict[str, Any]) -> bool:
    """Whether a table has the entry; the other sizes are for the figure."""
    if entry["kind"] == "round":
        return entry["size"][0] == (10 if entry["name"] == "resnet18" else 25)
    if entry["kind"] in _SIDE_BY_SIDE:
        return True
    return entry["size"] in ([25, 100_000], [25, 1_000_000], [100, 100_000])


def draw(path: Path) -> None:
    """How a round grows with the clients, and each rule with n and d."""
    summary: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    times = {
        (entry["kind"], entry["name"], *entry["size"], library): 1000 * seconds
        for entry in summary["measured"]
        for library, seconds in entry["seconds"].items()
        if entry["kind"] in ("round", "aggregator")
    }
    rules = ("median", "geometric_median", "krum", "centered_clipping", "nearest_neighbour_mixing")
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(1, 3, figsize=(10, 3.6), layout="constrained")
        for library, style in (("fedlib", "-"), ("byzfl", ":")):
            curve = sorted(
                (n, t) for (kind, name, n, _, lib), t in times.items()
                if (kind, name, lib) == ("round", "cnn_20_50", library)
            )  # fmt: skip
            axes[0].plot(*zip(*curve, strict=True), style, color="black", marker=".")
            for rule, colour in zip(rules, PALETTE, strict=False):
                of_rule = [
                    (n, d, t) for (_, name, n, d, lib), t in times.items()
                    if (name, lib) == (rule, library)
                ]  # fmt: skip
                over_n = sorted((n, t) for n, d, t in of_rule if d == 100_000)
                over_d = sorted((d, t) for n, d, t in of_rule if n == 25)
                label = rule if library == "fedlib" else None
                for axis, points in ((axes[1], over_n), (axes[2], over_d)):
                    axis.plot(
                        *zip(*points, strict=True), style, color=colour, marker=".", label=label
                    )
        titles = ("a round, 431,080 parameters", "rules, d = 100,000", "rules, n = 25")
        for axis, title, label in zip(
            axes, titles, ("clients n", "clients n", "parameters d"), strict=True
        ):
            axis.set(title=title, xlabel=label, ylabel="ms", xscale="log", yscale="log")
            axis.grid(alpha=0.25)
            axis.yaxis.set_major_formatter("{x:g}")
            axis.yaxis.set_minor_formatter("")
            if label == "clients n":
                axis.set_xticks([10, 25, 50, 100], ["10", "25", "50", "100"])
                axis.xaxis.set_minor_formatter("")
        axes[0].set_yticks([20, 50, 100, 200, 500])
        handles, labels = axes[1].get_legend_handles_labels()
        handles += [Line2D([], [], color="grey", linestyle=style) for style in ("-", ":")]
        figure.legend(handles, [*labels, "fedlib", "byzfl"], loc="outside upper center", ncols=4)
        figure.savefig(path)
        plt.close(figure)


def fill(text: str) -> str:
    """``text`` with every mark replaced."""
    text = re.sub(r"\{coverage:(\w+)\}", lambda match: coverage(match[1]), text)
    text = re.sub(r"\{tally:(\w+)\}", lambda match: claims.tally(_claims(match[1])), text)
    text = re.sub(r"\{verdicts:(\w+)\}", lambda match: verdicts(match[1]), text)
    text = text.replace("{times}", times()) if "{times}" in text else text
    text = text.replace("{contradicted}", contradicted()) if "{contradicted}" in text else text
    text = re.sub(r"\{catalogue:(\w+)\}", lambda match: catalogue(match[1]), text)
    text = re.sub(r"\{gpu:(\w+)\}", lambda match: gpu(match[1]), text)
    return re.sub(r"\{measured:(\w+)\}", lambda match: measured(match[1]), text)


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        text = page.read_text(encoding="utf-8")
        if "{measured:" in text:
            draw(page.parent / "_static" / "performance.png")
        page.write_text(fill(text), encoding="utf-8")
