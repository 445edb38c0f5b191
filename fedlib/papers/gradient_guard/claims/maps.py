"""What the paper claims of saliency maps: that they tell, and that suspects are kept out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from fedlib.evidence.claims import OWN, Claim, Former, above, below
from fedlib.evidence.report import CellResult
from fedlib.papers.gradient_guard import measures
from fedlib.papers.gradient_guard.claims.makers import caution, named, where
from fedlib.papers.gradient_guard.keys import Comparison, Watched, line
from fedlib.papers.gradient_guard.measures import HONEST, ISOLATED, TELLS, malicious_weight
from fedlib.papers.gradient_guard.settings import (
    ABLATED,
    FULL,
    GREY,
    N_CLIENTS,
    ON_AXIS,
    SHARES,
    TRUSTED,
)


def _separation(result: CellResult) -> float:
    return measures.separation(result).mean


class _Words(NamedTuple):
    """What a claim says, with a place for how much, and what it said when it got its anchors."""

    now: str
    formerly: str = ""
    sentence: str = ""


def _less_alike(
    place: str, data: str, attack: str, share: str, said: _Words, cell: str, reading: str
) -> tuple[Claim, ...]:
    """That malicious clients' maps are less like the reference than honest ones', by two limits.

    The text does not say how much less. A rule that keeps reputations adds up small differences,
    so that the limit is first far above chance ("clearly") and then chance itself ("on average").
    Where an attack is beyond its own limit it is weak and its updates are long, so that maps tell
    more there than under the attack. Such a row is a question of this book.
    """
    beyond = caution(attack, share)
    sentence = f"{said.sentence or said.now.format('')}{beyond}"
    at = f"{where(data, attack)}, {share} %{caution(attack, share)}"
    clearly = Claim(
        OWN if beyond else place,
        f"{at}: {said.now.format('clearly ')}",
        (cell,),
        min,
        above(TELLS),
        "area under the ROC curve {:.2f}",
        measure=_separation,
        equal=0.5,
        reading=named(reading),
        sentence=sentence,
        of_abstract=said in (_BENIGN, _OF_SERVER) and not beyond,
    )
    on_average = replace(clearly, text=f"{at}: {said.now.format('on average ')}", needed=above(0.5))
    if said.formerly:
        before = f"{said.now.format('clearly ')}{beyond}" if beyond else ""
        clearly = replace(clearly, former=Former(f"{at}: {said.formerly}", before, place))
    # The paper does not say that the last aggregate is a good reference, so one limit is enough.
    return (clearly,) if said is _AS_JUDGED else (clearly, on_average)


_LESS_BENIGN = "malicious clients' maps are less like a benign one than honest clients' maps are"
_BENIGN = _Words(
    f"malicious clients' maps are {{}}less like a benign one (that of the signs of the {HONEST}) "
    "than honest clients' maps are, on a model that only honest clients train",
    f"malicious clients' maps are less like a benign one (of the {HONEST}) than honest ones', on "
    "a model that the honest make alone",
    _LESS_BENIGN,
)
_OF_SERVER = _Words(
    "malicious clients' maps are {}less like a benign one (that of the server's own update) than "
    "honest clients' maps are, on a model that only honest clients train",
    sentence=_LESS_BENIGN,
)
_AS_JUDGED = _Words(
    "malicious clients' maps are {}less like that of the last aggregate than honest clients' "
    "maps are, as the rule itself judges",
    "malicious clients' maps are less like that of the last aggregate, as the rule itself judges",
)
_TRUSTED = _Words(
    "malicious clients' maps are {}less like that of a trusted update than honest clients' "
    "maps are, as the rule itself judges",
    "malicious clients' maps are less like that of a trusted update, as the rule itself judges",
)
_MAPS = (
    "one window",
    "clients' samples",
    "maps of updates",
    "maps of updates, clients' samples",
    "spectral residual",
    "probabilities",
)
"""The readings that differ from the default in what a map is, or in how two are compared."""


def _maps_differ() -> tuple[Claim, ...]:
    """That maps differ: in the default at several shares, in other readings where all are tried."""
    references: dict[str, tuple[_Words, Callable[[str], str]]] = {
        "section 2.2": (_BENIGN, lambda cell: str(Watched(cell))),
        OWN: (_AS_JUDGED, lambda cell: cell),
    }
    return (
        *(
            claim
            for place, (said, cell_of) in references.items()
            for data in GREY
            for attack in FULL
            for share in ("10", "30", "50")
            for claim in _less_alike(
                place,
                data,
                attack,
                share,
                said,
                cell_of(str(Comparison(data, attack, share, "gradient_guard"))),
                "default",
            )
        ),
        *(
            claim
            for said, readings in ((_BENIGN, _MAPS), (_OF_SERVER, TRUSTED))
            for reading in readings
            for data, attack, share in ABLATED
            for claim in _less_alike(
                "section 2.2",
                data,
                attack,
                share,
                said,
                str(Watched(line(data, attack, reading, (share,))[0])),
                reading,
            )
        ),
        *(
            claim
            for reading in TRUSTED
            for data, attack, share in ABLATED
            for claim in _less_alike(
                "section 3.3",
                data,
                attack,
                share,
                _TRUSTED,
                line(data, attack, reading, (share,))[0],
                reading,
            )
        ),
    )


def _isolated() -> tuple[Claim, ...]:
    """That suspicious clients' contributions are isolated, at every share."""
    return tuple(
        Claim(
            "abstract",
            f"{where(data, attack)}: malicious clients' contributions are isolated: at every share "
            f"they weigh less together than one of {N_CLIENTS} equal clients",
            line(data, attack, reading, SHARES[1:]),
            max,
            below(ISOLATED),
            "{:.0f} % of the weight at most",
            measure=malicious_weight,
            reading=named(reading),
        )
        for reading in ("default", *ON_AXIS)
        for data in GREY
        for attack in FULL
    )


MAPS = (*_maps_differ(), *_isolated())
"""What maps tell, and what becomes of it."""
