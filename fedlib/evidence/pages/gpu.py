"""Tables of what a GPU took, and of whole runs on it beside the same runs on a CPU."""

from __future__ import annotations

import html
import json
from typing import Any

from fedlib.evidence.links import records_of
from fedlib.evidence.pages.markdown import table, three_digits
from fedlib.evidence.pages.marks import Page, page_mark
from fedlib.evidence.pages.measured import ratios, when
from fedlib.grids.progress import duration
from fedlib.runs.store import Store
from fedlib.validation import ConfigError

GPU_FILE = "measured_gpu.json"
RUNS_FILE = "gpu_runs.jsonl"

_FIRST_HEADS = {
    "rule": ("rule", "n × d"),
    "layer": ("layer", "clients × batch"),
    "replay": ("rule", "clients × batch"),
    "kernel": ("kernels", "clients × batch"),
}
_NAMES_IN_WORDS = ("layer", "replay", "kernel")
"""The kinds of benchmark whose entries are named in words, and not as in code."""
_RUN_HEADS = (
    *("cell", "data", "accuracy on the CPU, %", "accuracy on the GPU, %"),
    *("time on one core of the CPU", "time on the GPU, beside other runs"),
)


@page_mark("gpu:KIND")
def gpu(page: Page, kind: str) -> str:
    """Return a table of what a GPU took, or a line on the machine.

    Parameters
    ----------
    page
        It knows where the benchmarks' results are.
    kind
        ``machine`` for the machine, ``runs`` for whole runs, otherwise a kind of benchmark, such
        as ``round``, ``strategy``, ``layer``, ``aggregator``, ``kernel`` or ``jobs``.
    """
    if kind == "runs":
        return _whole_runs(page)
    summary: dict[str, Any] = json.loads(page.benchmark(GPU_FILE))
    if kind in ("round", "aggregator"):
        return ratios(kind, summary)
    if kind == "machine":
        return (
            f"Measured {when(summary)} on an {summary['processor']} with {summary['cores']} "
            f"cores, by torch {summary['versions']['torch']}."
        )
    entries = [entry for entry in summary["measured"] if entry["kind"] == kind]
    return _milliseconds(kind, entries) if entries else "Not measured yet."


def _milliseconds(kind: str, entries: list[dict[str, Any]]) -> str:
    """Return a table with a row for each entry and a column for each way to compute it."""
    # Not every entry was computed in every way.
    most = max(entries, key=lambda entry: len(entry["seconds"]))
    ways = list(most["seconds"])
    rows = []
    for entry in entries:
        seconds = entry["seconds"]
        shown = [three_digits(1000 * seconds[way]) if way in seconds else "–" for way in ways]
        name = entry["name"] if kind in _NAMES_IN_WORDS else f"`{entry['name']}`"
        size = " × ".join(f"{part:,}" for part in entry["size"])
        rows.append((name, size, *shown))
    heads = _FIRST_HEADS.get(kind, ("network", "clients × batch"))
    return table((*heads, *(f"{way}, ms" for way in ways)), rows, numbers=1 + len(ways))


def _whole_runs(page: Page) -> str:
    """Return a table of runs on a GPU beside the same runs on a CPU.

    The runs on the GPU are in a file of their own, those on the CPU are in the store.
    """
    rows = []
    for line in page.benchmark(RUNS_FILE).splitlines():
        on_gpu = json.loads(line)
        stored = Store(on_gpu["slug"]).read(on_gpu["scale"])
        if on_gpu["id"] not in stored:
            raise ConfigError(
                f"the run {on_gpu['id']} of {RUNS_FILE} is not in the store: {on_gpu['cell']} of "
                f"{on_gpu['slug']} at scale {on_gpu['scale']}."
            )
        runs = (stored[on_gpu["id"]], on_gpu)
        accuracies = [f"{100 * run['metrics']['test_accuracy'][-1]:.2f}" for run in runs]
        times = [duration(run["provenance"]["wall_time_s"]) for run in runs]
        address = html.escape(records_of(on_gpu["slug"], on_gpu["cell"]))
        cell = f'<a href="{address}"><code>{html.escape(on_gpu["cell"])}</code></a>'
        rows.append((cell, on_gpu["provenance"]["data"], *accuracies, *times))
    return table(_RUN_HEADS, rows, numbers=4)
