"""The verdicts on a paper's claims, from the stored runs and from the paper's own numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

from fedlib.evidence.claim import OWN, Claim, Printed
from fedlib.evidence.grounds import (
    known_to,
    least_known,
    noise_in_words,
    noted,
    obstacle,
    printed_spreads,
    statistic_in_words,
    too_wide_to_tie,
)
from fedlib.evidence.in_print import in_print
from fedlib.evidence.judgement import CONTRADICTED, DECIDED, Judgement
from fedlib.evidence.links import Link, Linked, records_page
from fedlib.evidence.next_runs import next_runs
from fedlib.evidence.noise import LEAST_FREEDOM, NoiseBook, Shared, accuracy, is_chance
from fedlib.evidence.report import Archive
from fedlib.evidence.results import CellResult
from fedlib.evidence.sensitivity import deciding, propagated
from fedlib.evidence.statistics import ALIKE
from fedlib.evidence.table import Table, plural
from fedlib.evidence.verdicts import (
    ENOUGH_SEEDS,
    FAILS,
    HOLDS,
    MAJORITY,
    TIE,
    UNDECIDED,
    SeedValue,
    Verdict,
    count_answers,
    decide,
    is_on_side,
    said_of_unstable,
)
from fedlib.evidence.weighed import Weighed, WeighedSeed, verdicts_alone


@dataclass(frozen=True, repr=False)
class ClaimsTable(Table):
    """The table of a paper's claims.

    Attributes
    ----------
    judged
        The rows in parts, in the order of the claims.
    """

    css: ClassVar[str] = "fedlib-table fedlib-claims"

    judged: tuple[Judgement, ...] = ()


def claims_table(
    archive: Archive, claims: Sequence[Claim], printed: Printed | None = None
) -> ClaimsTable:
    """Return a table of claims, each with its statistic, what is needed, and the verdict.

    The verdict is that of :func:`fedlib.evidence.verdicts.decide`. It needs all cells by the
    paper's protocol on real data. Data other than the paper's own are named beside the verdict.
    Cells are never compared across scales, and only the seeds that all cells have count. A claim
    that the paper's own numbers contradict gets no verdict from the runs, and is not tested once
    more in the runs of a variant.

    Parameters
    ----------
    archive
        The stored runs.
    claims
        The claims.
    printed
        The numbers that the paper prints. They add a column with the same statistic of these
        numbers, for each claim of which the paper prints them all. None leaves the column out.
    """
    judge = Judge(archive, claims, printed)
    # What the paper's own numbers contradict is listed once, however often runs test it.
    judged = tuple(
        row
        for row in map(judge.judgement, claims)
        if row.kind != CONTRADICTED or not row.claim.printed_cells
    )
    rows: list[tuple[str, ...]] = []
    classes, anchors = {}, {}
    for number, row in enumerate(sorted(judged, key=lambda row: row.own)):
        anchors[number] = row.claim.anchor(archive.grid.slug)
        in_print = () if printed is None else (row.in_print,)
        verdict = row.verdict if row.runs == "–" else f"{row.verdict}\n{row.runs}"
        here = linked_statistic(archive, row)
        rows.append((f"{row.text} ({row.place})", row.needed, here, *in_print, verdict))
        if row.decided:
            classes[number, len(rows[-1]) - 1] = DECIDED[row.kind]
    heads = (
        "claim",
        "needed",
        "here",
        *(("in print",) if printed else ()),
        "verdict, and its runs",
    )
    questions = ", then questions of this book" if any(row.own for row in judged) else ""
    caption = f"Claims of the paper{questions}, computed from the stored runs"
    return ClaimsTable(heads, tuple(rows), caption, classes, anchors=anchors, judged=judged)


def linked_statistic(archive: Archive, row: Judgement) -> Linked:
    """Return what the stored runs give for a claim, with a link to the records of its cells.

    Parameters
    ----------
    archive
        The stored runs.
    row
        The claim, judged.
    """
    slug = archive.grid.slug
    return Linked(row.here, [Link(row.here, f"{records_page(slug)}#{row.claim.anchor(slug)}")])


class Judge:
    """A judge knows the noise of the numbers that the claims of a paper rest on.

    Parameters
    ----------
    archive
        The stored runs.
    claims
        The claims of the paper. The cells of all claims that take the same measure share a pool.
    printed
        The numbers that the paper prints, if it prints any.
    """

    def __init__(
        self, archive: Archive, claims: Sequence[Claim], printed: Printed | None = None
    ) -> None:
        self.archive = archive
        self.claims = tuple(claims)
        self.lookup = printed
        self._books: dict[object, NoiseBook] = {}

    def judgement(self, claim: Claim) -> Judgement:
        """Judge one of the claims."""
        printed, contradicted = in_print(claim, self.lookup)
        here, runs, verdict, noise, alone = self._by_runs(claim)
        otherwise = self._said_before(claim, verdict.kind, noise) if verdict.kind in DECIDED else ""
        if otherwise:
            verdict = Verdict(UNDECIDED, otherwise)
        if contradicted and claim.place != OWN:
            verdict = Verdict(CONTRADICTED)
            if claim.own_limit:
                why = "print is beyond a limit that this book has set; no run can decide this row"
                verdict = Verdict(UNDECIDED, why)
            return Judgement(claim, here, printed, runs, verdict.kind, verdict.remark)
        found = Judgement(claim, here, printed, runs, verdict.kind, verdict.remark, alone)
        # More seeds of models that learn nothing would say nothing more.
        if (found.decided and not found.provisional) or "chance" in verdict.remark:
            return found
        known = self.noise_known_on(claim)
        lacking = tuple(sorted({at.data_set for at in known if known[at] < LEAST_FREEDOM}))
        return replace(found, next_runs=tuple(self.next_runs(claim)), noise_unknown_on=lacking)

    def next_runs(self, claim: Claim) -> list[tuple[str, int]]:
        """Return the runs that a claim needs next, as keys of cells with their seed.

        They complete the first seed that not all of the claim's cells have, at the paper's scale
        and on real data. The list is empty if more seeds than ``ENOUGH_SEEDS`` would be needed, or
        if no run can decide the claim.
        """
        return next_runs(self.archive, claim)

    def noise_known_on(self, claim: Claim) -> dict[Shared, int]:
        """Return the degrees of freedom of a claim's noise, by how its cells' data are shared out.

        With fewer than ``LEAST_FREEDOM`` the first seeds of the claim's cells decide nothing. A
        question of yes or no has no noise, and this is empty for it.
        """
        known: dict[Shared, int] = {}
        if claim.yes_or_no:
            return known
        for number, cell in enumerate(claim.cells):
            shared = self.archive.shared(cell)
            freedom = self._book_of(claim, number).freedom(shared)
            known[shared] = min(freedom, known.get(shared, freedom))
        return known

    def noise_cells(self, claim: Claim) -> set[str]:
        """Return the cells whose seeds tell the noise of a claim's numbers."""
        if claim.quantities:
            return set().union(*map(self._cells_of, claim.quantities))
        if claim.measure is not None:
            return self._measured_as(claim)
        return set(self.archive.all_cells())

    def _by_runs(self, claim: Claim) -> tuple[str, str, Verdict, float, tuple[str, ...]]:
        """Return the statistic and its runs in words, the verdict, the noise and seeds' kinds."""
        known = self.archive.common(claim.cells)
        if known is None:
            return "–", "–", Verdict(UNDECIDED, "not computed"), 0.0, ()
        seeds = sorted(set.intersection(*(set(result.seeds) for result in known)))
        weighed = self._weigh(claim, known, seeds)
        found = weighed.seeds
        data = ", ".join(sorted({result.data for result in known}))
        # The reader is told if the runs of some seeds have nothing to judge.
        part = "" if len(found) == len(seeds) else f"{len(found)} of "
        protocols = " and ".join(sorted({result.protocol for result in known}))
        basis = f"{protocols}, {data}, {part}{plural(len(seeds), 'seed')}"
        if not found:
            why = claim.nothing_means or "nothing to measure"
            if known[0].scale != "paper":
                why = "reduced scale"
            elif not seeds:
                why = "no seed in common"
            return "–", basis, Verdict(UNDECIDED, why), 0.0, ()
        values = [seed.weighed for seed in found]
        least = least_known(weighed.noises)
        if least is not None and not claim.yes_or_no:
            basis += f", {noise_in_words(least, values)}"
            basis += ", with the printed spread" if weighed.in_print else ""
            basis += " of the number that is judged" if claim.judged_as else ""
        alone: list[str] = []
        why = obstacle(claim, known, weighed.chance)
        if why:
            verdict = Verdict(UNDECIDED, why)
        elif claim.yes_or_no:
            verdict = count_answers(values, claim.needed)
        elif least is None or not all(weighed.noises):
            few = f": {part}{plural(len(seeds), 'seed')} can be judged" if part else ""
            verdict = Verdict(UNDECIDED, f"the spread between seeds is not known{few}")
        else:
            # The noise of other protocols is no reason for a tie, and neither is a wide one,
            # whether it is that of an unstable cell or of all.
            ties = not (least.origin or weighed.unstable or weighed.wide)
            verdict = decide(values, claim.needed, least.freedom, claim.equality if ties else None)
            alone = verdicts_alone(claim, values, least, ties)
            if weighed.unstable and verdict.kind == UNDECIDED and len(found) < ENOUGH_SEEDS:
                verdict = Verdict(UNDECIDED, said_of_unstable(len(found)))
            # The only seed that a destroyed model has left is no sample of all seeds.
            ruined = bool(claim.nothing_means) and len(found) == 1
            if ruined and len(seeds) > 2 and verdict.kind in DECIDED:
                verdict = Verdict(UNDECIDED, f"only 1 of {len(seeds)} seeds can be judged")
        here = statistic_in_words(claim, [seed.shown for seed in found])
        noise = max(seed.noise for seed in values)
        return here, basis, noted(claim, known, verdict), noise, tuple(alone)

    def _weigh(self, claim: Claim, known: Sequence[CellResult], seeds: Sequence[int]) -> Weighed:
        """Return the statistic of each seed with its noise, and what has to be known of it."""
        books = [self._book_of(claim, number) for number in range(len(known))]
        noises = [book.of(result) for book, result in zip(books, known, strict=True)]
        # What seeds that the claim cannot use say of an unstable cell is not forgotten.
        numbers_of = {
            seed: claim.numbers([result.of_seed(seed) for result in known]) for seed in seeds
        }
        count = sum(math.isfinite(claim.value(numbers)) for numbers in numbers_of.values())
        others = [
            book.own_spread(result) if len(result.seeds) > count else 0.0
            for book, result in zip(books, known, strict=True)
        ]
        pooled = [noise.sd if noise else 0.0 for noise in noises]
        spreads = printed_spreads(claim, self.lookup, noises)
        sds = list(map(max, pooled, others, spreads))
        found: list[WeighedSeed] = []
        by_chance: list[WeighedSeed] = []
        unstable = wide = in_print = False
        for seed in seeds:
            numbers = numbers_of[seed]
            value = claim.value(numbers)
            if not math.isfinite(value):
                continue
            places = deciding(claim.value, numbers)
            errors = [
                max(sd, known_to(claim, result, number))
                for result, number, sd in zip(known, numbers, sds, strict=True)
            ]
            least = 0.0 if claim.accuracies else -math.inf
            noise = propagated(lambda n: claim.judged(claim.value(n)), numbers, errors, least)
            seed_value = WeighedSeed(value, SeedValue(claim.judged(value), noise))
            # Models that have learned nothing say nothing of a claim that compares them. If some
            # of them are much worse than others, they have learned something false.
            decisive = [numbers[i] for i in places]
            if (
                claim.compares_accuracies
                and all(is_chance(known[i], numbers[i] - claim.near_chance) for i in places)
                and max(decisive, default=0.0) - min(decisive, default=0.0) <= ALIKE
            ):
                by_chance.append(seed_value)
                continue
            found.append(seed_value)
            unstable |= any(others[i] > pooled[i] for i in places)
            in_print |= any(spreads[i] > max(pooled[i], others[i]) for i in places)
            wide |= any(too_wide_to_tie(claim, numbers[i], errors[i], count) for i in places)
        return Weighed(
            tuple(found or by_chance), tuple(noises), bool(by_chance) and not found, unstable, wide,
            in_print,
        )  # fmt: skip

    def _said_before(self, claim: Claim, kind: str, noise: float) -> str:
        """Return what the last evaluations say against a verdict, or nothing if they agree.

        What the claim takes of these evaluations must be on the side of the verdict in four fifths
        of the seeds. If it is of the same kind as what the claim measures, such as the mean of the
        last levels, the verdict by it must be the same too. If the verdict is a tie, its mean over
        the seeds must be within the noise of equality. A seed whose run has no such mean does not
        count. If no seed has one, nothing confirms the verdict.
        """
        late, known = claim.at_the_end, self.archive.common(claim.cells)
        if late is None or known is None:
            return ""
        seeds = sorted(set.intersection(*(set(result.seeds) for result in known)))
        every = (
            late.value(late.numbers([result.of_seed(seed) for result in known])) for seed in seeds
        )
        values = list(filter(math.isfinite, every))
        verdict = {HOLDS: "it holds", FAILS: "it does not hold", TIE: "it is a tie"}[kind]
        only = f"{verdict} by the last evaluation alone"
        if not values:
            return f"{only}; those before it have nothing to judge"
        if kind == TIE:
            judged = math.fsum(map(claim.judged, values)) / len(values)
            agrees = abs(judged - (claim.equality or 0.0)) <= noise
        else:
            sides = [is_on_side(kind, value, claim.needed) for value in values]
            agrees = sum(sides) >= MAJORITY * len(sides)
        said = f"{only}; with those before it: {statistic_in_words(late, values)}"
        if agrees and kind != TIE and claim.measure is not None:
            # One evaluation that is far off may give a seed its whole weight.
            alone = self._by_runs(late)[2].kind
            agrees = alone == kind
            said += ", which decides nothing" if alone == UNDECIDED else f", which is: {alone}"
        return "" if agrees else said

    def _book_of(self, claim: Claim, number: int) -> NoiseBook:
        """Return the noise of the numbers that a claim takes of one of its cells."""
        if claim.quantities:
            name = claim.quantities[number]
            measure: Callable[[CellResult], float] = partial(_mean_of, name)
            return self._book(("mean", name), measure, self._cells_of(name))
        if claim.measure is not None:
            cells = self._measured_as(claim)
            return self._book(claim.measure, claim.measure, cells, claim.of_accuracy)
        return self._book(accuracy, accuracy, None, True)

    def _measured_as(self, claim: Claim) -> set[str]:
        """Return the cells of all claims that take the same measure, or are checked by it."""
        same = (other for other in self.claims if claim.measure in (other.measure, other.late))
        return {cell for other in same for cell in other.cells}

    def _cells_of(self, name: str) -> set[str]:
        """Return the cells of which some claim takes the mean of a quantity."""
        return {
            cell
            for claim in self.claims
            if claim.quantities
            for cell, quantity in zip(claim.cells, claim.quantities, strict=True)
            if quantity == name
        }

    def _book(
        self,
        key: object,
        measure: Callable[[CellResult], float],
        cells: Iterable[str] | None,
        at_chance: bool = False,
    ) -> NoiseBook:
        if key not in self._books:
            results = self.archive.results(cells)
            self._books[key] = NoiseBook(results, measure, at_chance)
        return self._books[key]


def _mean_of(name: str, result: CellResult) -> float:
    return result.mean_of(name).mean
