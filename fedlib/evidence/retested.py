"""Claims that are tested once more, in runs that take a choice the other way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fedlib.evidence.claim import Claim
from fedlib.grids import Variant

BY_CODE = "all choices of the authors' code"
"""The reading of a claim that is tested in runs with these choices."""


def retested(
    claims: Iterable[Claim], variant: Variant, reading: str = BY_CODE, *, partly: bool = False
) -> list[Claim]:
    """Return the claims again, for the cells of a variant in place of the grid's own.

    A verdict that differs from that of the grid's own cells shows that the claim depends on the
    choice. The numbers that the paper prints stay those of the grid's own cells.

    Parameters
    ----------
    claims
        The claims. Those that need a cell that the variant does not have are left out, unless
        ``partly`` is true.
    variant
        The choice that is taken the other way.
    reading
        What the rows of a table say of the choice.
    partly
        Whether a claim may mix cells of the variant with the grid's own. This suits a choice that
        concerns one attack, because the runs of other attacks do not have it. A claim without any
        cell of the variant is still left out.

    Returns
    -------
    list of Claim
        The claims in their order.
    """
    return [
        replace(
            claim,
            cells=tuple(
                variant.cell(cell) if cell in variant.cells else cell for cell in claim.cells
            ),
            printed_cells=claim.cells,
            reading=f"{claim.reading}; {reading}" if claim.reading else reading,
            former=None,
        )
        for claim in claims
        if (any if partly else all)(cell in variant.cells for cell in claim.cells)
    ]
