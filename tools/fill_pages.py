"""Fill the marks of prose pages with what the store and the benchmarks hold.

``{coverage:SLUG}`` becomes the coverage of that paper's grid, ``{measured:KIND}`` the table of
benchmarked ratios (``aggregator``, ``round``), ``{measured:machine}`` where they were measured.

usage: fill_pages.py PAGE.md ...
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from fedlib.grid import load_grid
from fedlib.report import Archive

MEASURED = Path(__file__).resolve().parent.parent / "benchmarks" / "measured.json"


def coverage(slug: str) -> str:
    """How far a paper's grid is computed."""
    return Archive(load_grid(slug)).coverage()


def measured(kind: str) -> str:
    """A Markdown table of one kind of benchmark, or a line on the machine."""
    summary: dict[str, Any] = json.loads(MEASURED.read_text(encoding="utf-8"))
    if kind == "machine":
        versions = ", ".join(f"{name} {v}" for name, v in summary["versions"].items())
        return (
            f"Measured on {summary['date']} on {summary['cores']} cores ({summary['processor']}), "
            f"{summary['threads']} threads, with {versions}."
        )
    chosen = [entry for entry in summary["measured"] if entry["kind"] == kind]
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
        ours, theirs = seconds["fedlib"], seconds["byzfl"]
        cells = [f"`{entry['name']}`"]
        if kind == "aggregator":
            n, d = entry["size"]
            cells += [str(n), f"{d:,}"]
            last = ours / reads[n, d]
        else:
            last = seconds["merged pass"] / ours
        cells += [f"{1000 * ours:.3g}", f"{theirs / ours:.1f}", f"{last:.1f}"]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def fill(text: str) -> str:
    """``text`` with every mark replaced."""
    text = re.sub(r"\{coverage:(\w+)\}", lambda match: coverage(match[1]), text)
    return re.sub(r"\{measured:(\w+)\}", lambda match: measured(match[1]), text)


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        page.write_text(fill(page.read_text(encoding="utf-8")), encoding="utf-8")
