"""What the abstract claims of Gradient Guard: that it withstands 50 %, and is better."""

from __future__ import annotations

from functools import partial

from fedlib.evidence.claims import OWN, Claim, Former, above, at_least
from fedlib.evidence.statistics import MARGIN, lead
from fedlib.papers.gradient_guard.claims.makers import (
    caution,
    late_accuracy,
    named,
    on_accuracy,
    on_points,
    where,
)
from fedlib.papers.gradient_guard.keys import comparisons, line
from fedlib.papers.gradient_guard.measures import BREAKS, percent_kept
from fedlib.papers.gradient_guard.settings import (
    CLASSICAL,
    DATA_TITLES,
    FULL,
    GREY,
    ON_AXIS,
    PARTIAL,
    PROBED,
    READINGS,
    SHARES,
)

_ON_AXIS = ("default", *ON_AXIS)
"""The readings with cells at every share, for full-trim and full-Krum."""


_BETTER = "Gradient Guard is better than "
_UP_TO_HALF = "Gradient Guard withstands up to 50 % malicious clients"
"""The sentence of the abstract, which the claims test at all shares or at one."""
_MATCHING = "Gradient Guard withstands up to 30 % malicious clients that match honest saliency maps"


def _up_to_half(data: str, attack: str, reading: str) -> Claim:
    """That Gradient Guard keeps most of its accuracy at every share up to 50 %.

    At 50 % full-Krum is beyond its own limit. Such a claim needs the lower shares as well, so that
    the text need not say so: it cannot hold by that share alone.
    """
    return on_accuracy(
        "abstract",
        f"{where(data, attack)}: Gradient Guard withstands up to 50 % malicious clients",
        line(data, attack, reading, SHARES),
        at_least(BREAKS),
        reading=named(reading),
        sentence=_UP_TO_HALF,
    )


def _last_or_worst(count: int, values: list[float]) -> float:
    """What is left at the last share, or at the worst one if the last is withstood."""
    lines = [values[i : i + count] for i in range(0, len(values), count)]
    last = min(percent_kept([line[0], line[-1]]) for line in lines)
    return last if last < BREAKS else min(map(percent_kept, lines))


def _at(shares: tuple[str, ...], reading: str) -> Claim:
    """That it does at some of the shares that all readings are tried at, under both attacks.

    Whoever withstands 30 % need not withstand 50 %, so that 30 % alone is no part of the sentence.
    Whoever withstands 50 % and not 30 % does not withstand *up to* 50 %. So a row of the sentence
    fails by the last share alone, and it holds by all shares together.
    """
    half, last = "50" in shares, shares[-1]
    beyond = "; full-Krum is beyond its own limit at 50 %" if half else ""
    formerly = "; full-Krum is beyond its own limit" if half else ""
    cells = tuple(
        cell for attack in FULL for cell in line("mnist", attack, reading, ("0", *shares))
    )
    said = f"Gradient Guard withstands {' and '.join(shares)} % malicious clients"
    return Claim(
        "abstract" if half else OWN,
        f"{where('mnist', *FULL)}: {said} (30 and 50 % are the shares at which every reading is "
        f"tried{beyond})",
        cells,
        partial(_last_or_worst, 1 + len(shares)),
        at_least(BREAKS),
        "{:.0f} % of the clean accuracy left"
        + (", at 50 % or, if half is left there, at the worse share" if half else " at worst"),
        measure=late_accuracy,
        of_accuracy=True,
        reading=named(reading),
        sentence=_UP_TO_HALF if half else said,
        former=Former(
            f"{where('mnist', *FULL)}: Gradient Guard withstands {last} % malicious clients "
            f"(every reading is tried at 30 and 50 % alone{formerly})",
            _UP_TO_HALF if half else said,
            "abstract",
        ),
    )


AT_EVERY_SHARE = tuple(
    _up_to_half(data, attack, reading) for reading in _ON_AXIS for data in GREY for attack in FULL
)
"""The claim of robustness to 50 %, in the readings that have cells at every share."""

AT_30_AND_50 = tuple(
    _at(shares, reading) for shares in (("30", "50"), ("30",)) for reading in READINGS
)
"""The same in every reading, at the shares that all are tried at, and then at 30 % alone.

The rows at 30 % are questions of this book. A reading that fails there fails the claim as well.
"""

_OTHERS = (
    *(_up_to_half(data, attack, "default") for data in GREY for attack in PARTIAL),
    *(_up_to_half("cifar10", attack, "default") for attack in FULL),
    *(
        on_accuracy(
            OWN,
            f"{DATA_TITLES[data]}: {_MATCHING}",
            line(data, "saliency_matching", reading, SHARES[:4]),
            at_least(BREAKS),
            reading=named(reading),
            sentence=_MATCHING,
            former=Former(
                f"{DATA_TITLES[data]}: Gradient Guard withstands up to 30 % that match honest "
                "saliency"
            ),
        )
        for reading in ("default", PROBED)
        for data in GREY
    ),
)
"""The same of other attacks and data, which have one reading."""


WITHSTANDS = (
    *_OTHERS,
    *(on_points(claim) for claim in (*AT_EVERY_SHARE, *_OTHERS)),
)
"""These of other attacks and data, and then those at every share by the points that are lost."""


def _better(
    place: str, rules: tuple[str, ...], who: str, data: str, attack: str, reading: str
) -> Claim:
    """That Gradient Guard is better at 50 % than the best of some rules.

    Where an attack is beyond its own limit it is weak, and the row is a question of this book.
    """
    text = (
        f"{where(data, attack)}, 50 %{caution(attack, '50')}: Gradient Guard is better than {who}"
    )
    beyond = caution(attack, "50")
    said = f"at 50 % malicious clients{beyond}, Gradient Guard is better than {who}"
    return Claim(
        OWN if beyond else place,
        text,
        (*line(data, attack, reading, ("50",)), *comparisons(data, attack, rules, ("50",))),
        lead,
        above(MARGIN),
        "{:.1f} points [above|below] the best of them",
        measure=late_accuracy,
        equal=0,
        of_accuracy=True,
        reading=named(reading),
        sentence=said,
        former=Former(text, said if beyond else "", place),
    )


def _nowhere_worse(rules: tuple[str, ...], who: str, data: str, attack: str, reading: str) -> Claim:
    """That at no share up to 50 % Gradient Guard is clearly worse than the best of some rules.

    The paper does not say so. At 50 % alone the other rules may all be at chance, and a reader may
    take "superiority" for all shares. A rule that is better at all of them must not be worse at
    the lower shares either, at which all rules may withstand the attack.
    """
    shares = SHARES[1:]
    size = 1 + len(rules)
    text = (
        f"{where(data, attack)}: at no share up to 50 % is Gradient Guard more than {MARGIN:g} "
        f"points worse than {who}"
    )
    # The questions on the rules that the abstract names were once taken for its claim.
    sentence = f"Gradient Guard is nowhere worse than {who}"
    former = Former(text, sentence, "abstract") if len(rules) > 1 else Former(text, _BETTER + who)
    return Claim(
        OWN,
        text,
        tuple(
            cell
            for share in shares
            for cell in (
                *line(data, attack, reading, (share,)),
                *comparisons(data, attack, rules, (share,)),
            )
        ),
        lambda values: min(lead(values[i : i + size]) for i in range(0, len(values), size)),
        at_least(-MARGIN),
        f"{{:.1f}} points [above|below] {'the best of them' if len(rules) > 1 else 'it'} at "
        "the share where the lead is smallest",
        measure=late_accuracy,
        of_accuracy=True,
        reading=named(reading),
        sentence=sentence,
        former=former,
    )


BETTER = (
    *(
        _better(
            "abstract",
            (*CLASSICAL, "flair"),
            "the classical rules and FLAIR",
            data,
            attack,
            reading,
        )
        for reading in _ON_AXIS
        for data in (GREY if reading != "default" else DATA_TITLES)
        for attack in FULL
    ),
    *(
        _better(
            OWN,
            ("fedsgd", "foolsgold", "fltrust"),
            "FedSGD, FoolsGold and FLTrust",
            data,
            attack,
            reading,
        )
        for reading in _ON_AXIS
        for data in GREY
        for attack in FULL
    ),
    *(
        _nowhere_worse(rules, who, data, attack, reading)
        for rules, who in (
            ((*CLASSICAL, "flair"), "the classical rules and FLAIR"),
            (("fedsgd",), "a server without a defence"),
        )
        for reading in _ON_AXIS
        for data in GREY
        for attack in FULL
    ),
)
"""The abstract's "superiority" over what it names, at 50 %, and questions beyond it.

The abstract says nothing of lower shares, and nothing of rules that it does not name. A server
without a defence keeps much of its accuracy under full-trim, so that to withstand this attack is
not to do better than such a server."""
