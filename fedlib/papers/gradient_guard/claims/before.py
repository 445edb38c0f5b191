"""What the paper says of the attacks, and of the defences before Gradient Guard."""

from __future__ import annotations

from fedlib.evidence.claims import OWN, Claim, Former, above, at_least, below
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.gradient_guard.claims.makers import (
    costs_at_worst,
    each_kept,
    late_accuracy,
    on_accuracy,
    on_points,
    where,
)
from fedlib.papers.gradient_guard.keys import comparisons
from fedlib.papers.gradient_guard.measures import BREAKS, HALF_TOLD, penalties_told
from fedlib.papers.gradient_guard.players import make_rule
from fedlib.papers.gradient_guard.settings import (
    AMPLIFIED,
    CLASSICAL,
    DATA_TITLES,
    FLAIRS_LIMIT,
    FULL,
    GREY,
    N_CLIENTS,
    ONE,
    RULE_TITLES,
    SHARES,
    n_malicious,
)

_BEFORE = (*CLASSICAL, "foolsgold", "fltrust", "flair")
"""The defences of section 2."""
_NO_MORE_THAN_30 = "no classical rule withstands more than 30 %"
_TO_FLAIRS_LIMIT = (*(share for share in SHARES if int(share) < int(FLAIRS_LIMIT)), FLAIRS_LIMIT)


def _least_cost(values: list[float]) -> float:
    """How far the largest of the other values is below the first."""
    return values[0] - max(values[1:])


def _attacks_harm() -> tuple[Claim, ...]:
    """That the attacks raise the test error of a server without a defence."""
    return tuple(
        Claim(
            "abstract",
            f"{where(data, attack)}: the attack raises the test error of FedSGD, {when}",
            comparisons(data, attack, ("fedsgd",), SHARES),
            statistic,
            above(MARGIN),
            shown,
            measure=late_accuracy,
            equal=0,
            of_accuracy=True,
            sentence=_HARM,
            # The sentence had the words of the rows on some share alone.
            former=Former(
                f"{where(data, attack)}: the attack raises the test error of FedSGD, {when}"
            ),
        )
        for data in DATA_TITLES
        for attack in FULL
        for when, statistic, shown in (
            ("at some share up to 50 %", costs_at_worst, "by up to {:.1f} points"),
            ("at every share up to 50 %", _least_cost, "by at least {:.1f} points"),
        )
    )


_HARM = "the attacks raise the test error of FedSGD"
"""The sentence of the abstract, which does not say at which shares."""
_STRUGGLE = "existing defences struggle against the attacks"


def _struggle() -> tuple[Claim, ...]:
    """That every defence before Gradient Guard loses accuracy, at some share at least."""
    return tuple(
        Claim(
            "abstract",
            f"{where(data, *FULL)}: {RULE_TITLES[rule]} loses more than {MARGIN:g} points at some "
            "share up to 50 %, under the attack that is worse for it",
            tuple(cell for attack in FULL for cell in comparisons(data, attack, (rule,), SHARES)),
            _most_lost_of_both,
            above(MARGIN),
            "at worst {:.1f} points lost",
            measure=late_accuracy,
            equal=0,
            of_accuracy=True,
            sentence=_STRUGGLE,
        )
        for data in DATA_TITLES
        for rule in _BEFORE
    )


def _most_lost_of_both(values: list[float]) -> float:
    """What a rule loses in points at most, from no share and all shares of two attacks."""
    half = len(values) // 2
    return max(costs_at_worst(values[:half]), costs_at_worst(values[half:]))


def _both(data: str, rules: tuple[str, ...], *shares: str) -> tuple[str, ...]:
    """The cells of some rules under both attacks, at no share and then at some."""
    return tuple(
        cell
        for rule in rules
        for attack in FULL
        for cell in comparisons(data, attack, (rule,), ("0", *shares))
    )


def _worst_of_both(count: int, values: list[float]) -> list[float]:
    """What each rule keeps under the attack that is worse for it, of ``count`` shares in all."""
    kept = each_kept(count, values)
    return [min(kept[i : i + 2]) for i in range(0, len(kept), 2)]


def _least_lost(values: list[float]) -> float:
    """What the rule that loses least loses in points, from pairs of no share and one."""
    lost = [values[i] - values[i + 1] for i in range(0, len(values), 2)]
    return min(max(lost[i : i + 2]) for i in range(0, len(lost), 2))


_FALTER = "traditional defences falter with 20 to 30 % malicious clients"
"""The sentence of section 1, which does not say how much a rule loses that falters."""


def _most_lost(values: list[float]) -> float:
    """What a rule loses in points at most, from triples of no share and two shares."""
    return max(costs_at_worst(values[i : i + 3]) for i in range(0, len(values), 3))


_AT_20 = "every classical rule withstands 20 % malicious clients"


_CITED = "FABA alone, which section 1 cites for the limit"
"""The reading in which the traditional defences are the one that is cited there, [15]."""


def _withstand_20(data: str, rules: tuple[str, ...], reading: str) -> tuple[Claim, Claim]:
    """That every classical rule withstands 20 %, by both limits of what a rule may lose."""
    by_half = Claim(
        "abstract",
        f"{where(data, *FULL)}: {_AT_20}",
        _both(data, rules, "10", "20"),
        lambda values: min(_worst_of_both(3, values)),
        at_least(BREAKS),
        "the worst of them keeps {:.0f} % of its clean accuracy",
        measure=late_accuracy,
        of_accuracy=True,
        reading=reading,
        sentence=_AT_20,
    )
    return by_half, on_points(by_half, _most_lost)


def _classical_limit() -> tuple[Claim, ...]:
    """That traditional defences have their limit at 20 to 30 %, each by its worse attack."""
    return tuple(
        claim
        for data in DATA_TITLES
        for rules, reading in ((CLASSICAL, ""), (("faba",), _CITED))
        for claim in (
            *_withstand_20(data, rules, reading),
            Claim(
                "section 1",
                f"{where(data, *FULL)}: every classical rule has broken at 30 % malicious "
                "clients, under the attack that is worse for it",
                _both(data, rules, "30"),
                lambda values: max(_worst_of_both(2, values)),
                below(BREAKS),
                "the best of them keeps {:.0f} % of its clean accuracy",
                measure=late_accuracy,
                of_accuracy=True,
                reading=reading,
                sentence=_FALTER,
                former=Former(
                    f"{where(data, *FULL)}: every classical rule has broken at 30 % malicious "
                    "clients, under the attack that is worse for it"
                ),
            ),
            Claim(
                "section 1",
                f"{where(data, *FULL)}: every classical rule loses more than {MARGIN:g} points at "
                "30 % malicious clients, under the attack that is worse for it",
                _both(data, rules, "30"),
                _least_lost,
                above(MARGIN),
                "the best of them loses {:.1f} points",
                measure=late_accuracy,
                equal=0,
                of_accuracy=True,
                reading=reading,
                sentence=_FALTER,
            ),
            Claim(
                "abstract",
                f"{where(data, *FULL)}: {_NO_MORE_THAN_30}: every one has broken at 40 %, under "
                "the attack that is worse for it",
                _both(data, rules, "40"),
                lambda values: max(_worst_of_both(2, values)),
                below(BREAKS),
                "the best of them keeps {:.0f} % of its clean accuracy",
                measure=late_accuracy,
                of_accuracy=True,
                reading=reading,
                sentence=_NO_MORE_THAN_30,
                former=Former(
                    f"{where(data, *FULL)}: {_NO_MORE_THAN_30}: every one has broken at 40 %, "
                    "under the attack that is worse for it"
                ),
            ),
            Claim(
                "abstract",
                f"{where(data, *FULL)}: {_NO_MORE_THAN_30}: every one loses more than {MARGIN:g} "
                "points at 40 %, under the attack that is worse for it",
                _both(data, rules, "40"),
                _least_lost,
                above(MARGIN),
                "the best of them loses {:.1f} points",
                measure=late_accuracy,
                equal=0,
                of_accuracy=True,
                reading=reading,
                sentence=_NO_MORE_THAN_30,
            ),
        )
    )


def _own_limit(rule: str) -> tuple[str, ...]:
    """The malicious shares that a rule is made to withstand."""
    counts = {share: n_malicious(share) for share in SHARES[1:]}
    return tuple(s for s, count in counts.items() if make_rule(rule, count).n_byzantine == count)


def _undermines(place: str, rule: str, data: str, attack: str, how: str) -> tuple[Claim, Claim]:
    """That an attack undermines a rule, which may mean to break it or to harm it."""
    said = (
        f"{RULE_TITLES[rule]} is undermined{how} by a share that it is made for (up to "
        f"{_own_limit(rule)[-1]} %)"
    )
    cells = comparisons(data, attack, (rule,), ("0", *_own_limit(rule)))
    return (
        on_accuracy(
            place,
            f"{where(data, attack)}: {said}, with less than half of its clean accuracy left",
            cells,
            below(BREAKS),
            sentence=said,
            former=Former(f"{where(data, attack)}: {said}"),
        ),
        Claim(
            place,
            f"{where(data, attack)}: {said}, with more than {MARGIN:g} points lost",
            cells,
            costs_at_worst,
            above(MARGIN),
            "at worst {:.1f} points lost",
            measure=late_accuracy,
            equal=0,
            of_accuracy=True,
            sentence=said,
        ),
    )


def _undermined() -> tuple[Claim, ...]:
    """What section 2 says of the defences before it, as far as these attacks can tell."""
    targets = (
        ("section 2", "trimmed_mean", "full_trim", ""),
        ("section 2", "median", "full_trim", ""),
        ("section 2", "krum", "full_krum", ""),
        (OWN, "bulyan", "full_trim", " by the attack as it is (section 2: adapted)"),
    )
    return (
        *(
            claim
            for data in DATA_TITLES
            for place, rule, attack, how in targets
            for claim in _undermines(place, rule, data, attack, how)
        ),
        *(
            on_accuracy(
                "section 2",
                f"{where(data, 'amplified')}: FedSGD is broken by a single one of {N_CLIENTS} "
                f"clients, which sends {AMPLIFIED:.0f} times the honest mean against its direction",
                comparisons(data, "amplified", ("fedsgd",), ("0", ONE)),
                below(BREAKS),
                "{:.0f} % of the clean accuracy left",
            )
            for data in GREY
        ),
        *(
            on_accuracy(
                OWN,
                f"{where(data, attack)}: FedSGD has broken under the attack as it is at 10 % "
                "malicious clients (two clients that amplify little or not at all)",
                comparisons(data, attack, ("fedsgd",), ("0", "10")),
                below(BREAKS),
                "{:.0f} % of the clean accuracy left",
                former=Former(
                    f"{where(data, attack)}: FedSGD has broken at 10 % malicious clients of the "
                    "attack as it is, two that amplify little or not"
                ),
            )
            for data in GREY
            for attack in FULL
        ),
    )


def _flair_withstands(data: str, attack: str) -> tuple[Claim, Claim]:
    """That FLAIR withstands its share, by both limits of what a rule may lose."""
    said = f"FLAIR withstands up to {FLAIRS_LIMIT} % malicious clients"
    by_half = on_accuracy(
        "abstract",
        f"{where(data, attack)}: {said}",
        comparisons(data, attack, ("flair",), _TO_FLAIRS_LIMIT),
        at_least(BREAKS),
        sentence=said,
    )
    return by_half, on_points(by_half)


def _of_flair() -> tuple[Claim, ...]:
    """What the paper says of FLAIR: how much it withstands, and that its scores tell."""
    return tuple(
        claim
        for data in GREY
        for attack in FULL
        for claim in (
            *_flair_withstands(data, attack),
            *(
                Claim(
                    "section 2",
                    f"{where(data, attack)}, {share} %: {_TELL}",
                    comparisons(data, attack, ("flair",), (share,)),
                    # It penalises both ends of its scores, and with many malicious clients it
                    # penalises most of the others too. So the area under the ROC curve does not
                    # say what it does.
                    min,
                    above(HALF_TOLD),
                    "{:.0f} % of the possible difference in penalties",
                    measure=penalties_told,
                    equal=0,
                    # Links to the row that had all shares lead to the last of them.
                    former=Former(
                        f"{where(data, attack)}: {_AT_EVERY_SHARE}"
                        if share == FLAIRS_LIMIT
                        else f"{where(data, attack)}, {share} %: {_TELL}",
                        _AT_EVERY_SHARE,
                    ),
                )
                for share in _TO_FLAIRS_LIMIT[1:]
            ),
        )
    )


_AT_EVERY_SHARE = f"FLAIR's scores tell malicious clients at every share up to {FLAIRS_LIMIT} %"
_TELL = "FLAIR's scores tell malicious clients from honest ones"


BEFORE = (*_attacks_harm(), *_struggle(), *_classical_limit(), *_undermined(), *_of_flair())
"""The attacks, the classical rules, and FLAIR."""
