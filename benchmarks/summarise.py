"""Turn a pytest-benchmark JSON into the ratios that the book shows.

usage: summarise.py BENCHMARK.json MEASURED.json

Keeps medians and machine, and drops host names and paths. What MEASURED.json has from the same
processor, and BENCHMARK.json has not measured again, stays in it with its date.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any


def summarise(raw: dict[str, Any]) -> dict[str, Any]:
    """Median seconds by kind, name, size and library, with the machine."""
    machine = raw["machine_info"]
    described = machine["fedlib"]
    entries: dict[tuple[str, str, tuple[int, ...]], dict[str, float]] = {}
    goals: dict[tuple[str, str, tuple[int, ...]], dict[str, float]] = {}
    for benchmark in raw["benchmarks"]:
        info = benchmark["extra_info"]
        place = (info["kind"], info["name"], tuple(info["size"]))
        seconds = info.get("seconds", benchmark["stats"]["median"])
        entries.setdefault(place, {})[info["library"]] = seconds
        goals[place] = {"goal": info["goal"]} if "goal" in info else {}
    date = raw["datetime"][:10]
    return {
        "processor": described["device_name"],
        "cores": machine["cores"],
        "threads": described["threads"],
        "versions": described["versions"],
        "commit": described["commit"],
        "measured": [
            {"kind": kind, "name": name, "size": list(size), "seconds": seconds, "date": date}
            | goals[kind, name, size]
            for (kind, name, size), seconds in entries.items()
        ],
    }


def merged(new: dict[str, Any], old: dict[str, Any]) -> dict[str, Any]:
    """``new`` with those entries of ``old`` that it lacks, if they are of the same processor."""
    if new["processor"] != old["processor"]:
        return new

    def place(entry: dict[str, Any]) -> tuple[Any, ...]:
        return entry["kind"], entry["name"], *entry["size"]

    again = {place(entry): entry for entry in new["measured"]}
    # In the old order: tables are drawn in it.
    kept = sum(place(entry) not in again for entry in old["measured"])
    # Machine, versions and commit are those of the greater part.
    described = old if kept > len(again) else new
    entries = [again.pop(place(entry), entry) for entry in old["measured"]]
    return {**described, "measured": [*entries, *again.values()]}


def main(arguments: list[str]) -> int:
    """Read one file, write the other."""
    source, target = map(Path, arguments)
    summary = summarise(json.loads(source.read_text()))
    if target.exists():
        summary = merged(summary, json.loads(target.read_text()))
    target.write_text(json.dumps(summary, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
