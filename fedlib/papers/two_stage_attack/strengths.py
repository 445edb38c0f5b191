"""The claims about the baselines once more, with the baselines at another strength.

The text gives neither IPM's epsilon nor the scale of the random attack. Whether a baseline does any
harm hangs on its strength, so that a claim about one is tested at two.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fedlib.evidence.claims import Claim
from fedlib.papers.two_stage_attack.keys import CellKey

_RULES = ("mean", "median", "krum")
_RANDOM, _IPM = "random attack of scale 10 in place of 1", "IPM of ε = 0.5 in place of 10"
# The variants of the choices have no cell of Krum, but the sweeps over the strength do.
_VARIANTS = {
    ("random", _RANDOM): ("random", "random", "scale_10"),
    ("ipm", _IPM): ("ipm", "ipm", "epsilon_0.5"),
}


def _cells(attack: str, variants: tuple[str, ...]) -> dict[str, str]:
    """Return the cells of an attack at another strength, by the cells that they replace."""
    bases = [str(CellKey("circle", attack, rule)) for rule in _RULES]
    return {
        base: f"variants/{variant}/{base}" for base, variant in zip(bases, variants, strict=True)
    }


def with_other_strengths(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return the claims, each followed by the same with a baseline at another strength.

    Parameters
    ----------
    claims
        The claims. Those that are about no baseline are followed by nothing.
    """
    return tuple(row for claim in claims for row in (claim, *_at_other_strengths(claim)))


def _at_other_strengths(claim: Claim) -> Iterable[Claim]:
    for (attack, reading), variants in _VARIANTS.items():
        other = _cells(attack, variants)
        if not other.keys().isdisjoint(claim.cells):
            cells = tuple(other.get(cell, cell) for cell in claim.cells)
            yield replace(claim, cells=cells, reading=reading)
