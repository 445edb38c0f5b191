"""What the chapter has found, in sentences whose numbers come from the stored runs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from fedlib.evidence.found import Headed, resting_on
from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, CellResult
from fedlib.evidence.statistics import MARGIN
from fedlib.evidence.table import plural
from fedlib.papers.clustering_with_outliers.authors_code import CODE, THREE_OF_CODE
from fedlib.papers.clustering_with_outliers.by_code import (
    by_code,
    by_code_on_cifar,
    by_concentration,
)
from fedlib.papers.clustering_with_outliers.claims import CLAIMS
from fedlib.papers.clustering_with_outliers.keys import CellKey, Scenario
from fedlib.papers.clustering_with_outliers.methods import (
    ATTACK_TITLES,
    ONE_PHASE,
    PUBLISHED_ATTACKS,
    RULE_TITLES,
    RULES,
    TWO_PHASE,
)
from fedlib.papers.clustering_with_outliers.published import published
from fedlib.papers.clustering_with_outliers.settings import (
    DIRICHLET,
    N_CLIENTS,
    RATES,
    SETTINGS,
    UNIFORM,
)
from fedlib.papers.clustering_with_outliers.tables.shares import share
from fedlib.papers.clustering_with_outliers.tables.verdicts import claims_table
from fedlib.papers.clustering_with_outliers.variants import CONCENTRATION, VARIANTS, VOTES

_RULE, _ONE = TWO_PHASE[0], ONE_PHASE[0]
"""The rule of the sentences, and the rule that has only its first phase."""
_MOST, _FEW = Scenario(UNIFORM, "0.4"), Scenario(UNIFORM, "0.2")
_UNEQUAL = Scenario(DIRICHLET, "0.2")
_KNOWS = "knows the rule, sees the honest updates and can try out votes"
_ALL_OF_CODE = "with all choices of the authors' code"
_LITTLE = 2 * MARGIN
"""So many points or fewer are little, as in the claims of this chapter."""


def found(archive: Archive) -> list[str]:
    """Return what the chapter has found, the most important first.

    Parameters
    ----------
    archive
        The stored runs.
    """
    return [
        _camouflage(archive),
        _one_phase(archive),
        _fewer_attackers(archive),
        _worst_cases(archive),
        by_code(archive),
        by_concentration(archive),
        by_code_on_cifar(archive),
    ]


def _camouflage(archive: Archive) -> str:
    """Say what an attacker leaves the rule that it knows, beside the attacks of the paper."""
    start = (
        f"{RULE_TITLES[_RULE]} is a defence in which the server proposes two models and the "
        "clients vote for one of them"
    )
    keys = _MOST.cells((_RULE,), PUBLISHED_ATTACKS)
    (attacked,) = _MOST.cells((_RULE,), ("camouflage",))
    known = archive.common((*keys, attacked))
    if known is None:
        return (
            f"{start}. What an attacker that knows this rule leaves of its accuracy on FEMNIST's "
            "handwritten characters is not computed yet."
        )
    *usual, adaptive = known
    worst = min(usual, key=_accuracy)
    if _accuracy(adaptive) < _accuracy(worst) - _LITTLE:
        head = (
            f"With {_attackers(_MOST)}, an attacker that knows the defence {RULE_TITLES[_RULE]} "
            f"brings it to an accuracy of {_percent(adaptive)}. In {RULE_TITLES[_RULE]} the "
            f"clients vote between two models. {_saved_by_votes(archive, adaptive, worst)}"
        )
        then = f". But an attacker that {_KNOWS} brings it down to "
    else:
        head = (
            f"An attacker that knows the defence {RULE_TITLES[_RULE]} does not harm it more than "
            "the paper's attacks do."
        )
        then = f". An attacker that {_KNOWS} leaves it "
    return Headed(
        head,
        f"{start}. On FEMNIST's handwritten characters, with {_attackers(_MOST)}, it keeps a test "
        "accuracy of ",
        _shown(archive, worst),
        f" under the worst of the paper's {_number(len(usual))} attacks",
        then,
        _shown(archive, adaptive),
        f" ({resting_on(known)}{_other_data(known)}).",
        _larger_votes(archive, adaptive),
        _alone(archive, adaptive),
    )


def _saved_by_votes(archive: Archive, adaptive: CellResult, worst: CellResult) -> str:
    """End the headline with larger votes, if they are computed, or with the paper's attacks."""
    known = archive.common([VOTES.cell(adaptive.key), adaptive.key])
    if known is None or known[0].scale != adaptive.scale:
        return f"The paper's attacks leave it {_percent(worst)} or more."
    helps = _accuracy(known[0]) > _accuracy(adaptive) + _LITTLE
    return (
        f"If each client votes on {VOTES.other} images in place of {_images_of_a_vote(adaptive)}, "
        f"it {'keeps' if helps else 'has'} {_percent(known[0])}. (In the authors' code a client "
        "votes on all of its images.)"
    )


def _images_of_a_vote(result: CellResult) -> int:
    """The number of images on which a client votes, which is a batch by default."""
    config = result.records[0]["config"]
    return int(config.get("vote_samples") or config["client"]["batch_size"])


def _larger_votes(archive: Archive, adaptive: CellResult) -> Linked | str:
    """Say what the attacker leaves if the clients vote on more images than the text says."""
    few = (
        f" Here each client votes on {_images_of_a_vote(adaptive)} images, because Algorithm 3 "
        'takes "a new mini-batch" and a batch has as many'
    )
    parts: list[Linked | str] = []
    for variant, how in ((VOTES, f"with votes on {VOTES.other}"), (CODE, _ALL_OF_CODE)):
        known = archive.common([variant.cell(adaptive.key), adaptive.key])
        if known is not None and known[0].scale == adaptive.scale:
            start = f" and {how} it has " if parts else f" {how[0].upper()}{how[1:]} it has "
            parts += [start, _shown(archive, known[0]), f" ({resting_on(known[:1])})"]
    if not parts:
        return f"{few}, and runs with larger votes are not computed yet."
    return joined(f"{few}.", *parts, ".")


def _alone(archive: Archive, adaptive: CellResult) -> str:
    """Say what the same attacker leaves a rule that has only the first phase."""
    (key,) = _MOST.cells((_ONE,), ("camouflage",))
    pair = archive.common((key, adaptive.key))
    if pair is None or pair[1].scale != adaptive.scale:
        return ""
    one = pair[0]
    more = _accuracy(one) > _accuracy(adaptive) + _LITTLE
    return joined(
        f" A rule that stops after the first phase, without a vote, {'keeps' if more else 'has'} ",
        _shown(archive, one),
        " under the same attack",
        *_worst_of_one_phase(archive, one),
        ".",
    )


def _worst_of_one_phase(archive: Archive, one: CellResult) -> Iterator[Linked | str]:
    """Say what that rule keeps under the worst of the paper's attacks, as far as it is stored."""
    known = archive.common((*_MOST.cells((_ONE,), PUBLISHED_ATTACKS), one.key))
    if known is not None and known[-1].scale == one.scale:
        worst = min(known[:-1], key=_accuracy)
        yield ", and "
        yield _shown(archive, worst)
        yield " under the worst of the paper's attacks"


def _fewer_attackers(archive: Archive) -> str:
    """Say how the same attack fares with fewer attackers, on equal and on unequal clients."""
    attacker = f"n attacker that knows {RULE_TITLES[_RULE]} leaves"
    keys = [scenario.cells((_RULE,), ("camouflage",))[0] for scenario in (_FEW, _UNEQUAL)]
    known = archive.common(keys)
    if known is None:
        return f"What a{attacker} with {_attackers(_FEW)} is not computed yet."
    equal, unequal = known
    apart = _accuracy(equal) - _accuracy(unequal)
    unequal_data = "if the clients hold unequal data"
    if abs(apart) <= _LITTLE:
        how_much = f"about as much accuracy {unequal_data} as if they hold equal data"
    else:
        how_much = f"{'less' if apart > 0 else 'more'} accuracy {unequal_data}"
    return joined(
        f"A{attacker} {how_much}. With {_attackers(_FEW)} it leaves an accuracy of ",
        _shown(archive, equal),
        " if all clients draw from the same images, and ",
        _shown(archive, unequal),
        f" if each client has its own mix of classes ({resting_on(known)}).",
        _without_knowing(archive, unequal),
    )


def _without_knowing(archive: Archive, adaptive: CellResult) -> Linked | str:
    """Say whether an attack of the paper, which does not know the rule, leaves as little."""
    cells = _UNEQUAL.cells((_RULE,), PUBLISHED_ATTACKS)
    stored = [result for result in map(archive.best, cells) if result is not None]
    alike = [one for one in stored if (one.scale, one.real) == (adaptive.scale, adaptive.real)]
    worst = min(alike, key=_accuracy, default=None)
    if worst is None or _accuracy(worst) > _accuracy(adaptive) + _LITTLE:
        return ""
    title = ATTACK_TITLES[CellKey.parse(worst.key).attack]
    return joined(
        f" But with unequal data no knowledge is needed: the attack {title}, which does not know "
        "the rule, leaves it ",
        _shown(archive, worst),
        ".",
        *_with_less_unequal_data(archive, worst),
        *_without_momentum(archive, worst),
    )


def _with_less_unequal_data(archive: Archive, worst: CellResult) -> Iterator[Linked | str]:
    """Say what the same attack leaves if Dir(0.1) is read in another way, as far as it is known."""
    known = archive.common([CONCENTRATION.cell(worst.key), worst.key])
    if known is None or known[0].scale != worst.scale:
        return
    yield f" If Dir(0.1) means 0.1 for a class on average, {RULE_TITLES[_RULE]} has "
    yield _shown(archive, known[0])
    yield f" under this attack ({resting_on(known[:1])})."


def _without_momentum(archive: Archive, worst: CellResult) -> Iterator[Linked | str]:
    """Say what the same attack leaves if the clients have the momentum of the code, which is 0."""
    variant = next(one for one in VARIANTS if one.key == "no_momentum")
    if worst.key not in variant.cells:
        return
    known = archive.common([variant.cell(worst.key), worst.key])
    if known is None or known[0].scale != worst.scale:
        return
    yield " If Dir(0.1) is taken literally and clients have no momentum, as in the code, it has "
    yield _shown(archive, known[0])
    yield f" ({resting_on(known[:1])})."


def _worst_cases(archive: Archive) -> str:
    """Say in how many settings the two rules have the best worst case, and by how much."""
    judged = {row.claim: row for row in claims_table(archive).judged}
    claims = [
        claim
        for claim in CLAIMS
        if claim.says == "Cent2P and Mean2P have the highest worst case" and not claim.reading
    ]
    rows = [judged[claim] for claim in claims]
    decided = [row for row in rows if row.decided]
    says = (
        f"The paper compares {_number(len(RULES))} rules, each under the attack that harms it "
        "most. It says that its two rules with a vote have the highest accuracy"
    )
    if not decided:
        return f"{says}. None of the {len(rows)} settings is decided yet."
    held = sum(row.holds for row in decided)
    cells = [cell for row in decided for cell in row.claim.cells]
    if len(decided) == 1:
        where = "the only setting that is decided so far"
        verdict = joined(f"This {'holds' if held else 'does not hold'} in ",
                         archive.linked(where, *cells))  # fmt: skip
    else:
        where = f"{held} of {len(decided)} decided settings"
        verdict = joined("This holds in ", archive.linked(where, *cells))
    first = decided[0]
    scenario = CellKey.parse(first.claim.cells[0]).scenario
    return joined(
        f"{says}. ",
        verdict,
        f".{_undecided(len(rows) - len(decided))} In "
        f"the {'' if len(decided) == 1 else 'first '}decided setting "
        f"({SETTINGS[scenario.setting].title}, with {_attackers(scenario)}), the lower of "
        "these two rules is ",
        archive.linked(_distance_in(first.here), *first.claim.cells),
        f" the best of the other rules here, and {_distance_in(first.in_print)} it in the paper.",
        " These verdicts rest on one seed." if all(row.provisional for row in decided) else "",
    )


def _undecided(count: int) -> str:
    """Say how many settings are not decided; nothing if all are."""
    if not count:
        return ""
    return f" The other {plural(count, 'setting')} {'is' if count == 1 else 'are'} not decided yet."


def _distance_in(statistic: str) -> str:
    """The part of a statistic in words that says how far one side is above or below another."""
    return re.findall(r"\d+\.\d+ points (?:above|below)", statistic)[0]


def _one_phase(archive: Archive) -> str:
    """Say whether one phase fails under Omn where the paper prints that it does."""
    keys = _FEW.cells((_ONE, _RULE), ("omn",))
    one_printed, two_printed = (published()[key].value for key in keys)
    known = archive.common(keys)
    start = (
        "The attack Omn is made to turn the plain average to its opposite. Under this attack by "
        f"{_attackers(_FEW)}, the paper prints an accuracy of {one_printed:.2f} for the first "
        f"phase of {RULE_TITLES[_RULE]} alone and {two_printed:.2f} for both phases"
    )
    if known is None:
        return f"{start}. What a run by the paper's text gives is not computed yet."
    return joined(
        f"{start}. In runs that follow the paper's text the second phase, which is the vote, ",
        *_second_phase(archive, *known),
        f" ({resting_on(known)}).",
        _one_phase_of_code(archive, keys),
    )


def _one_phase_of_code(archive: Archive, keys: Sequence[str]) -> Linked | str:
    """Say the same of runs with the choices of the authors' code."""
    known = archive.common([CODE.cell(key) for key in keys])
    if known is None:
        return ""
    return joined(
        " In runs with all choices of the authors' code it ",
        *_second_phase(archive, *known),
        f" ({resting_on(known)}).",
        _enough_of_code(archive, keys[0], known[0]),
    )


def _enough_of_code(archive: Archive, key: str, whole: CellResult) -> Linked | str:
    """Say whether three choices of the code do to one phase what all of them do."""
    few = archive.common([THREE_OF_CODE.cell(key), whole.key])
    if few is None or few[0].scale != whole.scale:
        return ""
    three = few[0]
    enough = abs(_accuracy(three) - _accuracy(whole)) <= _LITTLE
    return joined(
        f" Three of these choices {'are' if enough else 'are not'} enough to do this to one "
        "phase: without momentum, with the code's formula of the attack and its way to standardise "
        "pixels, it has ",
        _shown(archive, three),
        ". With these three, two phases are not computed.",
    )


def _second_phase(archive: Archive, one: CellResult, two: CellResult) -> list[Linked | str]:
    """Say what a second phase does to a rule, in words that follow "it"."""
    gap = _accuracy(two) - _accuracy(one)
    effect = "changes little" if abs(gap) <= _LITTLE else "helps" if gap > 0 else "does harm"
    return [
        f"{effect}: ",
        _shown(archive, one),
        " with one phase and ",
        _shown(archive, two),
        " with two",
    ]


def _accuracy(result: CellResult) -> float:
    return result.accuracy.mean


def _percent(result: CellResult) -> str:
    """The accuracy in percent, for the headline."""
    return f"{_accuracy(result):.0f} %"


def _shown(archive: Archive, result: CellResult) -> Linked:
    """The accuracy as a share, which leads to its runs."""
    return archive.linked(share(_accuracy(result)), result.key)


def _attackers(scenario: Scenario) -> str:
    """How many clients attack in a scenario."""
    return f"{RATES[scenario.rate]} attackers among {N_CLIENTS} clients"


def _other_data(results: list[CellResult]) -> str:
    """A word of caution where the images are another sample than the paper's."""
    if all(result.canonical for result in results):
        return ""
    return "; another sample of the images than the paper's"


def _number(count: int) -> str:
    """A small number in words."""
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[count] if count < len(words) else str(count)
