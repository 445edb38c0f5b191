"""Tables of the benchmarks, which ``benchmarks/summarise.py`` wrote to ``measured.json``."""

from __future__ import annotations

import json
from typing import Any

from fedlib.evidence.pages.markdown import table, three_digits
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.validation import check_name

CPU_FILE = "measured.json"

_PEERS = {"byzfl": "byzfl", "flower": "Flower", "krum": "krum"}

_BY_NETWORK = ("jobs", "bfloat16", "local", "nnpack")
"""The kinds of benchmark whose tables have a row for each network and a column for each way."""

_KINDS = ("machine", "aggregator", "slower", "goal", "round", "network", "run", *_BY_NETWORK)


@page_mark("measured:KIND")
def measured(page: Page, kind: str) -> str:
    """Return a table of one kind of benchmark on a CPU, or a line on the machine.

    Parameters
    ----------
    page
        It knows where the benchmarks' results are.
    kind
        ``machine`` for the machine, ``slower`` for the rules that another library computes faster,
        otherwise a kind of benchmark: ``aggregator``, ``goal``, ``round``, ``network``, ``run``,
        ``jobs``, ``bfloat16``, ``local`` or ``nnpack``.
    """
    check_name("measured", kind, _KINDS)
    summary: dict[str, Any] = json.loads(page.benchmark(CPU_FILE))
    if kind == "machine":
        versions = ", ".join(f"{name} {v}" for name, v in summary["versions"].items())
        return (
            f"Measured {when(summary)} on {summary['cores']} cores ({summary['processor']}), "
            f"{summary['threads']} threads, with {versions}."
        )
    if kind == "slower":
        return slower(summary)
    return ratios(kind, summary)


def slower(summary: dict[str, Any]) -> str:
    """Say at which sizes another library computes a rule faster, and return a table of them.

    Parameters
    ----------
    summary
        What ``benchmarks/summarise.py`` wrote.
    """
    rows, compared = [], 0
    for entry in summary["measured"]:
        seconds = entry["seconds"]
        if entry["kind"] != "aggregator" or "fedlib" not in seconds:
            continue
        n, d = entry["size"]
        for key, library in _PEERS.items():
            if key in seconds:
                compared += 1
                saved = seconds["fedlib"] - seconds[key]
                if saved > 0:
                    place = (f"`{entry['name']}`", f"{n} × {d:,}", library)
                    ratio = f"{seconds[key] / seconds['fedlib']:.2f}"
                    rows.append((*place, ratio, f"{1e6 * saved:.0f}"))
    said = f"Another library is faster in {len(rows)} of {compared} comparisons."
    heads = ("rule", "n × d", "library", "library / fedlib", "saved, µs")
    return f"{said}\n\n{table(heads, rows, numbers=2)}" if rows else said


def when(summary: dict[str, Any]) -> str:
    """Say on which days the benchmarks were measured."""
    dates = sorted({entry["date"] for entry in summary["measured"]})
    return f"on {dates[0]}" if len(dates) == 1 else f"between {dates[0]} and {dates[-1]}"


def ratios(kind: str, summary: dict[str, Any]) -> str:
    """Return a table of one kind of benchmark, with the ratio of fedlib and the other library.

    Parameters
    ----------
    kind
        The kind of benchmark.
    summary
        What ``benchmarks/summarise.py`` wrote.
    """
    entries = [entry for entry in summary["measured"] if entry["kind"] == kind and _shown(entry)]
    if not entries:
        return "Not measured yet."
    if kind in _BY_NETWORK:
        return _networks(kind, entries)
    if kind in ("network", "run"):
        return _kernels(kind, entries)
    tables = {"aggregator": _rules, "goal": _goals, "round": _rounds}
    return tables[kind](entries)


def _shown(entry: dict[str, Any]) -> bool:
    """Return whether a table shows the entry. The other sizes are measured for the figure."""
    if entry["kind"] == "round":
        return entry["size"][0] == (10 if entry["name"] == "resnet18" else 25)
    if entry["kind"] in ("goal", "network", "run", *_BY_NETWORK):
        return True
    return entry["size"] in ([25, 100_000], [25, 1_000_000], [100, 100_000])


def _rules(entries: list[dict[str, Any]]) -> str:
    """Return the table of rules, also against one read of the matrix from memory."""
    one_read = {
        tuple(entry["size"]): entry["seconds"]["memory"]
        for entry in entries
        if "memory" in entry["seconds"]
    }
    rows = []
    for entry in entries:
        if "fedlib" in entry["seconds"]:
            n, d = entry["size"]
            name, time, ratio = _against_byzfl(entry)
            reads = entry["seconds"]["fedlib"] / one_read[n, d]
            others = (_ratio(entry, peer) or "" for peer in ("flower", "krum", "torch"))
            rows.append((name, str(n), f"{d:,}", time, ratio, *others, f"{reads:.1f}"))
    heads = (
        *("rule", "n", "d", "fedlib, ms", "byzfl / fedlib", "Flower / fedlib"),
        *("krum / fedlib", "torch / fedlib", "fedlib / one read"),
    )
    # A column is left out if nothing in it was measured, as on a GPU.
    kept = [place for place in range(len(heads)) if any(row[place] for row in rows)]
    shown = [[row[place] for place in kept] for row in rows]
    return table([heads[place] for place in kept], shown, numbers=len(kept) - 1)


def _goals(entries: list[dict[str, Any]]) -> str:
    """Return the table of how many reads a rule takes on one thread, beside its goal."""
    sizes = list(dict.fromkeys(tuple(entry["size"]) for entry in entries))
    seconds = {(entry["name"], *entry["size"]): entry["seconds"] for entry in entries}
    rows = []
    for name, goal in {entry["name"]: entry.get("goal") for entry in entries}.items():
        if goal is None:
            continue
        shown = []
        for size in sizes:
            one_read = seconds["one read", *size]["memory"]
            reads = seconds[name, *size]["fedlib"] / one_read
            shown.append(f"{reads:.1f}" if reads <= goal else f"**{reads:.1f}**")
        rows.append((f"`{name}`", f"{goal:g}", *shown))
    heads = ("rule", "goal", *(f"{n} × {d:,}" for n, d in sizes))
    return table(heads, rows, numbers=len(heads) - 1)


def _rounds(entries: list[dict[str, Any]]) -> str:
    """Return the table of whole rounds, also against one merged pass over all samples."""
    rows = []
    for entry in entries:
        seconds = entry["seconds"]
        if "fedlib" in seconds:
            merged = seconds["merged pass"] / seconds["fedlib"]
            rows.append((*_against_byzfl(entry), f"{merged:.1f}"))
    heads = ("network", "fedlib, ms", "byzfl / fedlib", "merged pass / fedlib")
    return table(heads, rows, numbers=3)


def _kernels(kind: str, entries: list[dict[str, Any]]) -> str:
    """Return a table of what was measured with the compiled kernels and without them.

    A ``network`` is shown in microseconds a sample, and a ``run`` in seconds.
    """
    rows = []
    for entry in entries:
        shown = [
            1e6 * entry["seconds"][switch] / entry["size"][0]
            if kind == "network"
            else entry["seconds"][switch]
            for switch in ("on", "off")
        ]
        rows.append((entry["name"], *map(three_digits, shown), f"{shown[1] / shown[0]:.1f}"))
    unit = "µs a sample" if kind == "network" else "s"
    heads = ("measured", f"with kernels, {unit}", f"without, {unit}", "without / with")
    return table(heads, rows, numbers=3)


def _against_byzfl(entry: dict[str, Any]) -> tuple[str, str, str]:
    """Return the name of an entry, the time of fedlib, and the ratio of byzfl's time to it."""
    ratio = _ratio(entry, "byzfl") or "not in byzfl"
    return f"`{entry['name']}`", three_digits(1000 * entry["seconds"]["fedlib"]), ratio


def _ratio(entry: dict[str, Any], library: str) -> str:
    """Return how many times as long a library took as fedlib, or nothing if it has no such rule."""
    seconds = entry["seconds"]
    return f"{seconds[library] / seconds['fedlib']:.1f}" if library in seconds else ""


def _networks(kind: str, entries: list[dict[str, Any]]) -> str:
    """Return a table of what each way took with each network, and the ratio of two of them.

    ``jobs`` are shown as rounds a second, the other kinds as milliseconds of a pass.
    """
    ways = list(entries[0]["seconds"])
    as_rate = kind == "jobs"
    first, second = ways[:2] if as_rate else (ways[1], ways[0])
    if "tiled" in ways:
        first = "tiled"
    rows = []
    for entry in entries:
        seconds = entry["seconds"]
        shown = [1 / seconds[way] if as_rate else 1000 * seconds[way] for way in ways]
        ratio = f"{seconds[second] / seconds[first]:.1f}"
        rows.append((f"`{entry['name']}`", *map(three_digits, shown), ratio))
    unit = "rounds/s" if as_rate else "ms"
    ratio_head = f"{first} / {second}" if as_rate else f"{second} / {first}"
    heads = ("network", *(f"{way}, {unit}" for way in ways), ratio_head)
    return table(heads, rows, numbers=len(ways) + 1)
