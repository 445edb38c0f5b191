"""The paper's claims on Gradient Guard, and questions of this book, as data."""

from __future__ import annotations

from collections.abc import Callable

from fedlib.evidence.claims import Claim, above, at_least, below
from fedlib.evidence.report import CellResult
from fedlib.evidence.statistics import MARGIN
from fedlib.papers.gradient_guard import measures
from fedlib.papers.gradient_guard.keys import Comparison, Watched, comparisons
from fedlib.papers.gradient_guard.measures import BREAKS, HONEST, TELLS, percent_kept
from fedlib.papers.gradient_guard.players import make_rule
from fedlib.papers.gradient_guard.settings import (
    ATTACK_TITLES,
    CLASSICAL,
    DATA_TITLES,
    FLAIRS_LIMIT,
    FULL,
    GREY,
    PARTIAL,
    RULE_TITLES,
    SHARES,
    n_malicious,
)


def _late_accuracy(result: CellResult) -> float:
    return measures.late_accuracy(result).mean


def _separation(result: CellResult) -> float:
    return measures.separation(result).mean


def _where(data: str, attack: str) -> str:
    """The data set and the attack in words."""
    return f"{DATA_TITLES[data]}, {ATTACK_TITLES[attack]}"


def _caution(attack: str, share: str) -> str:
    """A word of caution where the attack is not defined for so many malicious clients."""
    return " (beyond the attack's own limit)" if (attack, share) == ("full_krum", "50") else ""


def _holds_up_to(
    rule: str, share: str, names: tuple[str, ...] = GREY, attacks: tuple[str, ...] = FULL
) -> tuple[Claim, ...]:
    """That a rule keeps most of its accuracy up to a share, for every data set and attack."""
    shares = (*(s for s in SHARES if int(s) < int(share)), share)
    return tuple(
        Claim(
            "abstract",
            f"{_where(data, attack)}: {RULE_TITLES[rule]} withstands up to {share} % malicious "
            "clients",
            comparisons(data, attack, (rule,), shares),
            percent_kept,
            at_least(BREAKS),
            "at worst {:.0f} % of the clean accuracy left",
            measure=_late_accuracy,
        )
        for data in names
        for attack in attacks
    )


def _each_kept(count: int, values: list[float]) -> list[float]:
    """The percentage that each rule keeps, from ``count`` values of every rule."""
    return [percent_kept(values[i : i + count]) for i in range(0, len(values), count)]


def _classical_limit() -> tuple[Claim, ...]:
    """That traditional defences have their limit at 20 to 30 %."""
    return tuple(
        claim
        for data in GREY
        for attack in FULL
        for claim in (
            Claim(
                "abstract",
                f"{_where(data, attack)}: every classical rule withstands 20 % malicious clients",
                comparisons(data, attack, CLASSICAL, ("0", "10", "20")),
                lambda values: min(_each_kept(3, values)),
                at_least(BREAKS),
                "the worst of them keeps {:.0f} % of its clean accuracy",
                measure=_late_accuracy,
            ),
            Claim(
                "abstract",
                f"{_where(data, attack)}: every classical rule has broken at 30 % malicious "
                "clients",
                comparisons(data, attack, CLASSICAL, ("0", "30")),
                lambda values: max(_each_kept(2, values)),
                below(BREAKS),
                "the best of them keeps {:.0f} % of its clean accuracy",
                measure=_late_accuracy,
            ),
        )
    )


def _own_limit(rule: str) -> tuple[str, ...]:
    """The malicious shares that a rule is made to withstand."""
    counts = {share: n_malicious(share) for share in SHARES[1:]}
    return tuple(s for s, count in counts.items() if make_rule(rule, count).n_byzantine == count)


def _undermined() -> tuple[Claim, ...]:
    """What section 2 says of the defences before it, as far as these attacks can tell."""
    targets = (
        ("section 2", "trimmed_mean", "full_trim", ""),
        ("section 2", "median", "full_trim", ""),
        ("section 2", "krum", "full_krum", ""),
        ("this book", "bulyan", "full_trim", " by the attack as it is (section 2: adapted)"),
    )
    return (
        *(
            Claim(
                place,
                f"{_where(data, attack)}: {RULE_TITLES[rule]} is undermined{how} by a share that "
                f"it is made for (up to {_own_limit(rule)[-1]} %)",
                comparisons(data, attack, (rule,), ("0", *_own_limit(rule))),
                percent_kept,
                below(BREAKS),
                "at worst {:.0f} % of the clean accuracy left",
                measure=_late_accuracy,
            )
            for data in GREY
            for place, rule, attack, how in targets
        ),
        *(
            Claim(
                "this book",
                f"{_where(data, attack)}: FedSGD has broken at 10 % malicious clients (section 2: "
                "by a single one that amplifies; here two, which amplify little or not)",
                comparisons(data, attack, ("fedsgd",), ("0", "10")),
                percent_kept,
                below(BREAKS),
                "{:.0f} % of the clean accuracy left",
                measure=_late_accuracy,
            )
            for data in GREY
            for attack in FULL
        ),
    )


def _lead(values: list[float]) -> float:
    """How far the first value is above the largest of the others."""
    return values[0] - max(values[1:])


def _best_at_half() -> tuple[Claim, ...]:
    """That Gradient Guard is better at 50 % than what the abstract names, and than the others."""
    groups = {
        "abstract": ((*CLASSICAL, "flair"), "the classical rules and FLAIR"),
        "this book": (("fedsgd", "foolsgold", "fltrust"), "FedSGD, FoolsGold and FLTrust"),
    }
    return tuple(
        Claim(
            place,
            f"{_where(data, attack)}, 50 %{_caution(attack, '50')}: Gradient Guard is better than "
            f"{named}",
            comparisons(data, attack, ("gradient_guard", *rules), ("50",)),
            _lead,
            above(MARGIN),
            "{:+.1f} points to the best of them",
            measure=_late_accuracy,
        )
        for place, (rules, named) in groups.items()
        for data in GREY
        for attack in FULL
    )


def _maps_differ() -> tuple[Claim, ...]:
    """That malicious clients' maps are less alike a benign one, and by what the rule judges."""
    references: dict[str, tuple[str, Callable[[str], str]]] = {
        "section 2.2": (
            f"malicious clients' maps are less like a benign one (of the {HONEST}) than honest "
            "ones', on a model that the honest make alone",
            lambda cell: str(Watched(cell)),
        ),
        "this book": (
            "malicious clients' maps are less like that of the last aggregate, as the rule itself "
            "judges",
            lambda cell: cell,
        ),
    }
    return tuple(
        Claim(
            place,
            f"{_where(data, attack)}, {share} %{_caution(attack, share)}: {said}",
            (cell_of(str(Comparison(data, attack, share, "gradient_guard"))),),
            min,
            above(TELLS),
            "area under the ROC curve {:.2f}",
            measure=_separation,
        )
        for place, (said, cell_of) in references.items()
        for data in GREY
        for attack in FULL
        for share in ("10", "30", "50")
    )


def _withstands_matching() -> tuple[Claim, ...]:
    """That Gradient Guard withstands the attack that has an honest client's saliency map."""
    return tuple(
        Claim(
            "this book",
            f"{DATA_TITLES[data]}: Gradient Guard withstands up to 30 % that match honest saliency",
            comparisons(data, "saliency_matching", ("gradient_guard",), SHARES[:4]),
            percent_kept,
            at_least(BREAKS),
            "at worst {:.0f} % of the clean accuracy left",
            measure=_late_accuracy,
        )
        for data in GREY
    )


CLAIMS = (
    *_holds_up_to("gradient_guard", "50"),
    *_holds_up_to("gradient_guard", "50", attacks=PARTIAL),
    *_holds_up_to("gradient_guard", "50", ("cifar10",)),
    *_holds_up_to("flair", FLAIRS_LIMIT),
    *_classical_limit(),
    *_best_at_half(),
    *_undermined(),
    *_maps_differ(),
    *_withstands_matching(),
)
