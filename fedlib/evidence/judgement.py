"""The verdict on a claim, with what decides it, in words."""

from __future__ import annotations

from dataclasses import dataclass

from fedlib.evidence.claim import OWN, Claim
from fedlib.evidence.verdicts import FAILS, HOLDS, TIE, Verdict

CONTRADICTED = "contradicted in print"
"""The kind of verdict on a claim that the paper's own numbers do not support."""

DECIDED = {HOLDS: "agrees", FAILS: "differs", TIE: "tie"}
"""The kinds of verdicts that decide a claim, with the ends of their CSS classes."""


@dataclass(frozen=True)
class Judgement:
    """A claim with what decides it, in words.

    Attributes
    ----------
    claim
        The claim.
    here
        What the stored runs give: the statistic, and its values if there are several seeds.
    in_print
        What the paper's own numbers give.
    runs
        The scale, data, seeds and noise of the runs.
    kind
        ``holds``, ``does not hold``, ``tie``, ``undecided`` or ``contradicted in print``.
    remark
        What has to be said with the verdict.
    alone
        The kind of the verdict that each seed would give if it were the only one. It is empty if
        there is only one, or if seeds are not what decides.
    next_runs
        The runs that the claim needs next, as keys of cells with their seed. It is empty if the
        verdict is firm, or if no run is planned for the claim or could decide it.
    noise_unknown_on
        The data sets on which the spread between seeds is not known as they are shared out here, so
        that first seeds alone decide nothing.
    """

    claim: Claim
    here: str
    in_print: str
    runs: str
    kind: str
    remark: str = ""
    alone: tuple[str, ...] = ()
    next_runs: tuple[tuple[str, int], ...] = ()
    noise_unknown_on: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where the paper makes the claim."""
        return self.claim.place

    @property
    def text(self) -> str:
        """The claim, with the reading that it is tested in if the text allows several."""
        reading = self.claim.reading
        return self.claim.text + (f" [{reading}]" if reading else "")

    @property
    def needed(self) -> str:
        """What the statistic has to be."""
        return str(self.claim.needed)

    @property
    def verdict(self) -> str:
        """The verdict with its remark, in words."""
        return str(Verdict(self.kind, self.remark))

    @property
    def decided(self) -> bool:
        """Whether the runs decide the claim: it holds, it does not hold, or it is a tie."""
        return self.kind in DECIDED

    @property
    def own(self) -> bool:
        """Whether the paper does not claim this, but this book asks it."""
        return self.claim.place == OWN

    @property
    def holds(self) -> bool:
        """Whether the claim holds."""
        return self.kind == HOLDS

    @property
    def provisional(self) -> bool:
        """Whether the verdict rests on one seed."""
        return self.decided and "one seed" in self.remark
