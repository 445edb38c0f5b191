"""What the chapter has found, in sentences whose numbers come from the stored runs."""

from __future__ import annotations

import statistics

from fedlib.evidence.class_counts import majority
from fedlib.evidence.compared import JUMP
from fedlib.evidence.found import Headed, resting_on
from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, CellResult, plural
from fedlib.evidence.results import LAST as _LATE
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.residual_reweighting.keys import (
    COORDINATE_WISE,
    RULE_TITLES,
    Comparison,
)
from fedlib.papers.residual_reweighting.on_digits import (
    FASTER,
    backdoor_in_digits,
    flipped_digits,
)
from fedlib.papers.residual_reweighting.on_loans import (
    backdoor_on_loans,
    percent,
    replaced_model,
)
from fedlib.papers.residual_reweighting.tables.cells import published
from fedlib.papers.residual_reweighting.tables.overview import standings

_REVIEWS = 86_164 + 13_260
"""How many reviews the paper has for training and for testing (section 4.1)."""
_WORDS = "words"
"""The variant in which the model knows fewer words."""
_FEW = "2"
"""The number of attackers on the reviews with which plain averaging fails in print."""


def found(archive: Archive) -> list[str]:
    """Return what the chapter has found, the most important first.

    Parameters
    ----------
    archive
        The stored runs.
    """
    return [
        *flipped_digits(archive),
        *backdoor_in_digits(archive),
        _flipped_reviews(archive),
        _other_rules_on_reviews(archive),
        _few_words(archive),
        _faster_attackers(archive),
        backdoor_on_loans(archive),
        replaced_model(archive),
        _standing_of_the_tables(archive),
    ]


def _flipped_reviews(archive: Archive) -> str:
    """Say what reweighting keeps when four of ten participants flip the labels of reviews."""
    keys = [str(Comparison("table_2", attackers, "ours")) for attackers in ("0", "4")]
    known = archive.common(keys)
    if known is None:
        return (
            "What residual-based reweighting keeps when four of ten participants flip the labels "
            "of Kindle reviews is not computed yet."
        )
    clean, attacked = known
    lost = clean.accuracy.mean - attacked.accuracy.mean
    in_print = published()[keys[1], "test_accuracy"].value
    if lost > MARGIN:
        head = (
            "On the reviews, four of ten participants that flip their labels bring "
            "residual-based reweighting from "
            f"{clean.accuracy.mean:.1f} % to {attacked.accuracy.mean:.1f} %."
        )
    else:
        head = "On the reviews, residual-based reweighting withstands four label flippers of ten."
    return Headed(
        head,
        f"On {attacked.data}, four of ten participants flip all their labels. The test accuracy of "
        "this defence goes from ",
        percent(archive, clean),
        " to ",
        percent(archive, attacked),
        f" ({resting_on(known)}). Under this attack the paper prints {in_print:.1f} % on its own "
        f"{_REVIEWS:,} reviews.",
        _averaging_too(archive, attacked),
    )


def _averaging_too(archive: Archive, ours: CellResult) -> Linked | str:
    """Say what plain averaging keeps in the same runs."""
    pair = archive.common([str(Comparison("table_2", "4", "fedavg")), ours.key])
    if pair is None or pair[1].scale != ours.scale:
        return ""
    return joined(" Plain averaging has ", percent(archive, pair[0]), " here.")


def _other_rules_on_reviews(archive: Archive) -> str:
    """Say which rule keeps most on the reviews."""
    keys = {rule: str(Comparison("table_2", "4", rule)) for rule in RULE_TITLES}
    known = archive.common(list(keys.values()))
    if known is None:
        return "How the other rules do on the reviews is not computed yet."
    results = dict(zip(keys, known, strict=True))
    ours = results["ours"]
    above = sum(result.accuracy.mean > ours.accuracy.mean for result in known)
    some = "all" if above == len(known) - 1 else f"{above} of the"
    # The accuracy moves much from round to round, so that the last one alone says little.
    later = sum(_late(result) > _late(ours) for result in known)
    least = min(_late(result) - _late(ours) for result in known if result is not ours)
    little = (
        f" The smallest of these leads is {least:.1f} points, which may be chance."
        if later == len(known) - 1 and 0 < least <= 2 * MARGIN
        else ""
    )
    also = "also on average" if later == above else f"{later} on average"
    best = max(COORDINATE_WISE, key=lambda rule: results[rule].accuracy.mean)
    floor = majority(ours.records[0])
    near = abs(results["foolsgold"].accuracy.mean - floor) < MARGIN
    return joined(
        f"With these four attackers, {some} {len(known) - 1} other rules keep more "
        f"accuracy on the reviews than reweighting in the last round, and {also} "
        f"over the last {_LATE} rounds.{little} In the last round "
        f"{RULE_TITLES[best]} has ",
        percent(archive, results[best]),
        ", plain averaging has ",
        percent(archive, results["fedavg"]),
        ", and FoolsGold has ",
        percent(archive, results["foolsgold"]),
        f". A model that calls all reviews positive has {floor:.1f} %" if near else "",
        f" ({resting_on(known)}).",
    )


def _few_words(archive: Archive) -> str:
    """Say what a model with fewer words does, which nearly all participants have."""
    bases = [str(Comparison("table_2", "4", rule)) for rule in ("ours", "fedavg")]
    few = [f"variants/{_WORDS}/{base}" for base in bases]
    known = archive.alike([*bases, *few])
    start = (
        "Our reviews are few, so that many words occur at few participants. A model that knows "
        "only the 1,000 most frequent words in place of 25,000"
    )
    if known is None:
        return f"{start} is not computed yet."
    ours, averaging, ours_few, averaging_few = known
    late = [100 * share for last in ours_few.last_values() for share in last]
    nearer = _late(ours_few) > _late(ours) + MARGIN
    gains = _late(ours_few) - _late(ours), _late(averaging_few) - _late(averaging)
    both = nearer and abs(gains[0] - gains[1]) <= MARGIN
    return joined(
        f"{start} {'loses less' if nearer else 'does not lose less'} to four label flippers: over "
        f"the last {_LATE} rounds reweighting has a mean accuracy of ",
        archive.linked(f"{_late(ours_few):.1f} %", ours_few.key),
        " in place of ",
        archive.linked(f"{_late(ours):.1f} %", ours.key),
        ", and plain averaging ",
        archive.linked(f"{_late(averaging_few):.1f} %", averaging_few.key),
        " in place of ",
        archive.linked(f"{_late(averaging):.1f} %", averaging.key),
        ". So fewer words help both rules by about as much" if both else "",
        f". In single rounds reweighting has between {min(late):.0f} % and {max(late):.0f} % "
        f"({resting_on([ours, ours_few])}).",
    )


def _faster_attackers(archive: Archive) -> str:
    """Say whether the learning rate of the attackers is why plain averaging fails in print."""
    base = str(Comparison("table_2", _FEW, "fedavg"))
    keys = (base, f"variants/{FASTER}/{base}")
    known = archive.common(keys)
    in_print = published()[base, "test_accuracy"].value
    start = (
        f"On the reviews the paper prints {in_print:.1f} % for plain averaging with {_FEW} of ten "
        "attackers"
    )
    if known is None:
        return f"{start}. What the attackers' learning rate does to this is not computed yet."
    slow, fast = known
    return joined(
        f"{start}. Here it has ",
        _in_the_last_rounds(archive, slow),
        " if the attackers train at the rate of the others, and ",
        _in_the_last_rounds(archive, fast),
        f" if they train at ten times this rate ({resting_on(known)}; all numbers are means over "
        f"the last {_LATE} rounds). In the authors' code, all "
        "attackers that train longer than the others do so, except for those on loans. The code "
        "has no experiment on reviews, and the text does not give the rate there.",
        _reweighting_at_this_rate(archive, fast),
    )


def _reweighting_at_this_rate(archive: Archive, averaging: CellResult) -> Linked | str:
    """Say what the faster attackers leave reweighting, and what the paper prints for it."""
    base = str(Comparison("table_2", "4", "ours"))
    known = archive.common([f"variants/{FASTER}/{base}"])
    if known is None:
        return ""
    (result,) = known
    in_print = published()[base, "test_accuracy"].value
    jump = all(most - least > JUMP for least, most in map(_range, (averaging, result)))
    explains = (
        " So from one round to the next the model goes from right answers to wrong ones and back. "
        "Whether this rate gives what is printed depends on the round after which one stops."
        if jump
        else ""
    )
    return joined(
        " At this rate reweighting has ",
        _in_the_last_rounds(archive, result),
        f" with four attackers ({resting_on(known)}), and the paper prints {in_print:.1f} %."
        f"{explains}",
    )


def _in_the_last_rounds(archive: Archive, result: CellResult) -> Linked:
    """Return the mean over the last rounds, and between which accuracies it jumps if it does."""
    least, most = _range(result)
    jumps = f" (it jumps between {least:.0f} and {most:.0f} %)" if most - least > JUMP else ""
    return joined(archive.linked(f"{_late(result):.1f} %", result.key), jumps)


def _late(result: CellResult) -> float:
    """Return the mean accuracy of all seeds over the last rounds, in percent."""
    return 100 * statistics.fmean(share for last in result.last_values() for share in last)


def _range(result: CellResult) -> tuple[float, float]:
    """Return the lowest and the highest accuracy of the seed that moves most in these rounds."""
    ranges = [(100 * min(last), 100 * max(last)) for last in result.last_values()]
    return max(ranges, key=lambda ends: ends[1] - ends[0])


def _standing_of_the_tables(archive: Archive) -> str:
    """Say how few of the printed numbers can be compared."""
    counts = standings(archive)
    compared = counts["agrees"] + counts["differs"]
    if compared == 1:
        agreeing = "it agrees" if counts["agrees"] else "it does not agree"
    else:
        agreeing = f"{counts['agrees']} of them {'agrees' if counts['agrees'] == 1 else 'agree'}"
    return (
        f"Besides averages, the paper states {counts.total()} values. By its protocol and on its "
        f"data, {plural(compared, 'number')} can be compared so far, and {agreeing}. "
        f"{_successes(counts['success'])}"
        f"{counts['other data']} numbers are computed on other data than the paper's, and "
        f"{counts['missing']} are not computed at the paper's scale yet."
    )


def _successes(count: int) -> str:
    """Say how many printed numbers on the success of attacks have ours beside them."""
    if count == 0:
        return ""
    have = "has" if count == 1 else "have"
    return (
        f"{plural(count, 'more number')} on the success of a backdoor {have} ours beside "
        f"{'it' if count == 1 else 'them'}, without a verdict. "
    )
