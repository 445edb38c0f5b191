"""What larger batches, whose gradients have less noise, change under full-Krum."""

from __future__ import annotations

from collections.abc import Sequence

from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, CellResult, Note
from fedlib.evidence.table import plural
from fedlib.papers.gradient_guard.measures import late_accuracy, separation
from fedlib.papers.gradient_guard.variants import BATCH


def batch_note(archive: Archive) -> Note:
    """Say what Gradient Guard and the plain average keep with larger batches.

    Parameters
    ----------
    archive
        The stored runs.
    """
    guard, average, watched, _ = BATCH.cells
    pairs = [archive.alike((cell, BATCH.cell(cell))) for cell in (guard, average, watched)]
    start = f"With batches of {BATCH.other} samples in place of {BATCH.used}"
    if pairs[0] is None:
        return Note(f"{start}, nothing is computed yet.")
    parts: list[Linked | str] = [
        f"{start}, 2 of 20 clients that send full-Krum leave Gradient Guard an accuracy of ",
        *_change(archive, pairs[0]),
    ]
    if pairs[1] is not None:
        parts += [". They leave the plain average ", *_change(archive, pairs[1])]
    seeds = len(pairs[0][0].seeds)
    parts.append(f" (MNIST, default reading, {plural(seeds, 'seed')}).")
    if pairs[2] is not None:
        small, large = (separation(one).mean for one in pairs[2])
        parts += [
            " The probability that a malicious client's map is less like the reference than an "
            "honest client's is ",
            archive.linked(f"{large:.2f}", pairs[2][1].key),
            " in place of ",
            archive.linked(f"{small:.2f}", pairs[2][0].key),
            ".",
        ]
    return Note(joined(*parts))


def _change(archive: Archive, pair: Sequence[CellResult]) -> list[Linked | str]:
    """Return the accuracy with larger batches, and that with the others in brackets."""
    small, large = (late_accuracy(result).mean for result in pair)
    return [
        archive.linked(f"{large:.1f} %", pair[1].key),
        " (",
        archive.linked(f"{small:.1f} %", pair[0].key),
        f" with {BATCH.used})",
    ]
