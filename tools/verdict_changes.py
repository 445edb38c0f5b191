"""Print the claims whose verdicts differ between two working trees, as a table of Markdown.

usage: python -m tools.verdict_changes BEFORE AFTER

Each of the two is a working tree with its code and its ``results``. A former state is had by
``git worktree add FOLDER COMMIT``. The claims are joined by their anchors. The column *why* says
what a program can see; a reader has to add what it cannot.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fedlib.evidence.links import text_anchor
from fedlib.evidence.verdicts import FAILS, HOLDS, TIE
from fedlib.grids import load_grid, paper_slugs

_LIST_VERDICTS = """
import importlib, json, sys
from fedlib.evidence.report import Archive
from fedlib.grids import load_grid

for slug in sys.argv[1:]:
    tables = importlib.import_module(f"fedlib.papers.{slug}.tables")
    for row in tables.claims_table(Archive(load_grid(slug))).judged:
        reading = getattr(row.claim, "reading", "")
        former = getattr(row.claim, "former", None)
        # Where an empty text is the default, it stands for what is still the same.
        defaults = getattr(former, "_field_defaults", {})
        at_first = [getattr(former, name, None) for name in ("text", "place", "reading")]
        if defaults.get("reading") == "":
            at_first = [words or None for words in at_first]
        print(json.dumps([slug, row.place, row.claim.text, reading, str(row.verdict), row.kind,
                          row.here, row.runs, *at_first]))
"""
"""A program that every state of the code since the first verdicts of this kind can run."""


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim in one working tree.

    Attributes
    ----------
    slug, place, text, reading
        The paper, and what the claim is.
    verdict, kind
        The verdict in words, and its kind alone.
    here, runs
        What the stored runs give, and what they are.
    former_text, former_place, former_reading
        What the claim's anchor is made of if it was reworded. What is None is still the same.
    """

    slug: str
    place: str
    text: str
    reading: str
    verdict: str
    kind: str
    here: str
    runs: str
    former_text: str | None = None
    former_place: str | None = None
    former_reading: str | None = None

    @property
    def anchor(self) -> str:
        """The anchor of the claim, which is the same in both trees if the claim is."""
        text = self.text if self.former_text is None else self.former_text
        place = self.place if self.former_place is None else self.former_place
        reading = self.reading if self.former_reading is None else self.former_reading
        return text_anchor("claim", text, self.slug, place, reading)

    @property
    def named(self) -> str:
        """The claim with its reading."""
        return self.text + (f" [{self.reading}]" if self.reading else "")


def verdicts_in(tree: Path, slugs: Iterable[str]) -> dict[str, Verdict]:
    """Return the verdicts on all claims of a working tree, by the anchors of the claims.

    Parameters
    ----------
    tree
        The folder of the working tree.
    slugs
        The papers.

    Raises
    ------
    subprocess.CalledProcessError
        If the code of the tree fails. Its message is printed.
    """
    told = {"PYTHONPATH": str(tree), "FEDLIB_RESULTS": str(tree / "results")}
    done = subprocess.run(
        [sys.executable, "-c", _LIST_VERDICTS, *slugs],
        cwd=tree,
        env={**os.environ, **told},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    rows: list[list[Any]] = list(map(json.loads, done.stdout.splitlines()))
    return {verdict.anchor: verdict for verdict in (Verdict(*row) for row in rows)}


def changes(
    before: Mapping[str, Verdict], after: Mapping[str, Verdict]
) -> list[tuple[Verdict, Verdict | None, str]]:
    """Return the claims whose kind of verdict changed, each with both verdicts and why.

    Claims that are new are left out. A claim that was undecided and is no more is left out too.

    Parameters
    ----------
    before, after
        The verdicts by the anchors of the claims.
    """
    new = [verdict for anchor, verdict in after.items() if anchor not in before]
    found: list[tuple[Verdict, Verdict | None, str]] = []
    for anchor, old in before.items():
        now = after.get(anchor)
        if now is not None:
            if now.kind != old.kind:
                same = (now.text, now.reading) == (old.text, old.reading)
                reason = "" if same else "The claim is reworded. "
                found.append((old, now, reason + why(old, now)))
        elif (now := _reworded(old, new)) is not None:
            if now.kind != old.kind:
                found.append((old, now, f"The claim is reworded. {why(old, now)}"))
        elif old.kind in (HOLDS, FAILS, TIE):
            found.append((old, None, "There is no such claim any more."))
    return found


def _reworded(old: Verdict, new: Iterable[Verdict]) -> Verdict | None:
    """Return the claim that replaces an old one: of the same place, with nearly the same text."""
    for verdict in new:
        if (verdict.slug, verdict.place) == (old.slug, old.place) and (
            verdict.text == old.text
            or (_start(verdict.text) == _start(old.text) and verdict.reading == old.reading)
        ):
            return verdict
    return None


def _start(text: str) -> str:
    """Return a text without what stands in round brackets."""
    return re.sub(r" \(.*?\)", "", text)


def why(old: Verdict, now: Verdict) -> str:
    """Say why the verdict on a claim changed, as far as both verdicts tell.

    Parameters
    ----------
    old, now
        The verdicts.
    """
    if now.kind == "contradicted in print":
        return "The printed means contradict the sentence, so that our runs give no verdict on it."
    if "a limit that this book has set" in now.verdict:
        return "The sentence names no limit, so that the printed means do not contradict it."
    if now.runs == "–":
        return "The runs that it rested on are of a former revision, and not computed again."
    if "the spread between seeds is not known" in now.verdict:
        if " of other " in old.runs:
            return "The noise of another data set does not serve any more, and this one has none."
        return "There are new runs, too few of which have a second seed."
    if "by the last evaluation alone" in now.verdict:
        return "Earlier evaluations of the run do not agree with the last one."
    if "unstable" in now.verdict:
        return "The seeds disagree far beyond the noise, and there are fewer than five."
    if "chance" in now.verdict:
        return "The runs that decide it are at chance."
    if "nothing to measure" in now.verdict:
        return "The statistic finds nothing in the runs that the claim could be judged by."
    if _numbers(old.here) != _numbers(now.here) or _seeds(old) != _seeds(now):
        return "There are new runs."
    if old.kind == "tie" and now.kind == "undecided":
        return "The noise of other protocols or scales is no reason for a tie any more."
    if old.kind == "tie":
        return "Equal sides refute this claim, and do not tie."
    return "The same runs are judged by another noise."


def _numbers(text: str) -> list[float]:
    """Return the numbers of a statistic, whose words may be other ones by now.

    A number that is repeated with a minus sign, as in "3.2 points less (-3.2)", counts once.
    """
    numbers = [float(number) for number in re.findall(r"[+-]?\d+(?:\.\d+)?", text)]
    return [
        number
        for place, number in enumerate(numbers)
        if number <= 0 or numbers[place + 1 : place + 2] != [-number]
    ]


def _seeds(verdict: Verdict) -> str:
    """Return the protocol, data and number of seeds of the runs, without their noise."""
    return verdict.runs.partition(", noise ")[0]


def as_markdown(found: Iterable[tuple[Verdict, Verdict | None, str]]) -> str:
    """Return a table of Markdown for each paper, below a heading with its name.

    Parameters
    ----------
    found
        The changes.
    """
    parts: dict[str, list[str]] = {}
    for old, now, reason in found:
        cells = (old.named, old.verdict, now.verdict if now else "no such claim", reason)
        row = " | ".join(cell.replace("|", "\\|").replace("*", "\\*") for cell in cells)
        parts.setdefault(old.slug, []).append(f"| {row} |")
    head = "| claim | before | now | why |\n| --- | --- | --- | --- |"
    return "\n\n".join(
        f"### {load_grid(slug).name}\n\n{head}\n" + "\n".join(rows) for slug, rows in parts.items()
    )


def main(arguments: list[str]) -> int:
    """Print the table; the exit status is 2 if the call is wrong."""
    if len(arguments) != 2:
        print(__doc__)
        return 2
    slugs = paper_slugs()
    before, after = (verdicts_in(Path(tree).resolve(), slugs) for tree in arguments)
    print(as_markdown(changes(before, after)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
