"""What several claims have in common: their cells, and what decides them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fedlib.evidence.claims import (
    Claim,
    Former,
    Range,
    above,
    at_least,
    at_most,
    below,
    drop,
    percent_left,
    stated,
)
from fedlib.evidence.statistics import MARGIN, WIDEST_MARGIN
from fedlib.papers.centered_clipping.claims import statistics
from fedlib.papers.centered_clipping.keys import Key, table_iv
from fedlib.papers.centered_clipping.published import (
    ATTACKS_IV,
    BEST_ACCURACY,
    RULES_IV,
    bounds_without_attack,
    published_accuracies,
    range_of_cost,
)
from fedlib.papers.centered_clipping.searches import Search
from fedlib.papers.centered_clipping.settings import MOMENTA, Setting, place_title

NEAR_CHANCE = WIDEST_MARGIN
"""How many points above chance an accuracy on CIFAR must be to decide a claim."""
SHARE_LEFT = "{:.0f} % of the clean accuracy is left"


def claim(
    place: str,
    text: str,
    cells: Iterable[Key],
    statistic: statistics.Statistic,
    needed: Range,
    shown: str,
    **more: Any,
) -> Claim:
    """Return a :class:`fedlib.evidence.claims.Claim` about the cells with these keys.

    Accuracies near chance decide no claim that is about CIFAR.
    """
    keys = tuple(cells)
    if any(key.colour for key in keys):
        more = {"near_chance": NEAR_CHANCE, **more}
    return Claim(place, text, tuple(map(str, keys)), statistic, needed, shown, **more)


def reworded(text: str) -> Former | None:
    """The former words of a claim, or None if they are the present ones and ``text`` is empty."""
    return Former(text) if text else None


# --- cells --------------------------------------------------------------------------------


def clean_and_attacked(
    setting: str, rule: str, momentum: float, attack: str = "rop"
) -> tuple[Key, Key]:
    """The cells without attack and under an attack."""
    attacked = table_iv(setting, attack, rule, momentum)
    return attacked.without_attack(), attacked


def all_clean_and_attacked(
    setting: str, rule: str, momenta: Sequence[float], attacks: Sequence[str]
) -> tuple[Key, ...]:
    """Pairs of cells without and under attack, by momentum and attack."""
    return tuple(
        key
        for momentum in momenta
        for attack in attacks
        for key in clean_and_attacked(setting, rule, momentum, attack)
    )


def by_attack(
    setting: str, rule: str, momentum: float, attacks: Sequence[str] = ATTACKS_IV
) -> tuple[Key, ...]:
    """The cells under each attack."""
    return tuple(table_iv(setting, attack, rule, momentum) for attack in attacks)


def most_and_no_momentum(setting: str) -> tuple[Key, ...]:
    """Pairs of cells with most momentum and none, by attack and rule: those of ROP first."""
    return tuple(
        table_iv(setting, attack, rule, momentum)
        for attack in ATTACKS_IV
        for rule in RULES_IV
        for momentum in (MOMENTA[-1], MOMENTA[0])
    )


def with_and_without_momentum(setting: str) -> tuple[Key, ...]:
    """Pairs of cells without attack and under one, by attack, rule and momentum: ROP's first."""
    return tuple(
        key
        for attack in ATTACKS_IV
        for rule in RULES_IV
        for momentum in (MOMENTA[0], MOMENTA[-1])
        for key in clean_and_attacked(setting, rule, momentum, attack)
    )


def searched(search: Search, values: Sequence[float], rules: Sequence[str]) -> tuple[Key, ...]:
    """The cells of a search, by value, rule and momentum."""
    return tuple(
        search.key(value, rule, momentum)
        for value in values
        for rule in rules
        for momentum in MOMENTA
    )


# --- claims -------------------------------------------------------------------------------


def diverges(
    place: str,
    text: str,
    pairs: Iterable[Key],
    reading: str = "",
    former: str = "",
    sentence: str = "",
) -> Claim:
    """Less than half of the clean accuracy is left in each pair of cells (clean, attacked)."""
    return claim(
        place, text, pairs, statistics.most_left, below(50), SHARE_LEFT, reading=reading,
        own_limit=True, former=Former(former, reading="" if sentence else None) if former else None,
        sentence=sentence,
    )  # fmt: skip


def alie_makes_it_diverge(place: str, setting: str, rule: str) -> Claim:
    """Without momentum ALIE leaves less than half of the clean accuracy."""
    return diverges(
        place,
        f"{place_title(setting, rule, 0.0)}: ALIE makes the rule diverge",
        clean_and_attacked(setting, rule, 0.0, "alie"),
        former=f"{place_title(setting, rule, 0.0)}: ALIE makes it diverge",
    )


def never_learns(
    place: str, text: str, pairs: Iterable[Key], sentence: str = "", former: str = ""
) -> Claim:
    """No evaluation of an attacked run reaches half of the best one of its clean run."""
    return claim(
        place,
        text,
        pairs,
        statistics.most_left,
        below(50),
        "the best evaluation has {:.0f} % of the best clean one",
        measure=statistics.best_accuracy,
        quantity=BEST_ACCURACY,
        of_accuracy=True,
        own_limit=True,
        sentence=sentence,
        reading="at no evaluation half of the best accuracy without attack",
        former=reworded(former),
    )


def converges(
    place: str, text: str, pairs: Iterable[Key], former: str = "", sentence: str = ""
) -> Claim:
    """At least half of the clean accuracy is left in each pair of cells (clean, attacked).

    It must be left at every evaluation since the run has learned, and not only at the last one.
    """
    return claim(
        place, text, pairs, statistics.least_left, at_least(50), SHARE_LEFT, own_limit=True,
        late=statistics.lowest_once_learned, former=reworded(former), sentence=sentence,
    )  # fmt: skip


def converges_normally(
    place: str, text: str, pairs: Iterable[Key], sentence: str, reading: str = ""
) -> Claim:
    """At most the margin is lost in each pair of cells (clean, attacked).

    The text says "normal convergence", or that rules fend an attack off, without a limit. So such a
    sentence is tested by this limit too, beside that of :func:`converges`.
    """
    return claim(
        place, f"{text}, with at most {MARGIN:g} points lost", pairs, statistics.largest_cost,
        at_most(MARGIN), "it [costs up to|adds at least] {:.1f} points", own_limit=True,
        sentence=sentence, reading=reading,
    )  # fmt: skip


def costs_everywhere(
    place: str,
    text: str,
    pairs: Iterable[Key],
    reading: str = "",
    of_abstract: bool = False,
    sentence: str = "",
) -> Claim:
    """More than the margin is lost in each pair of cells (clean, attacked)."""
    return claim(
        place, text, pairs, statistics.least_cost, above(MARGIN),
        "it [costs at least|adds at most] {:.1f} points", equal=0, reading=reading,
        of_abstract=of_abstract, sentence=sentence,
    )  # fmt: skip


def about_as_strong(
    place: str,
    text: str,
    settings: Iterable[Setting],
    rules: Sequence[str],
    first: str,
    other: str,
    momenta: Sequence[float] = MOMENTA,
    own_limit: bool = False,
) -> Claim:
    """The first of two attacks is at most 2 points weaker than the other in half of the cells."""
    return claim(
        place,
        text,
        (
            key
            for setting in settings
            for rule in rules
            for momentum in momenta
            for key in by_attack(setting.key, rule, momentum, (first, other))
        ),
        statistics.lead_in_half,
        at_most(MARGIN),
        "it is at [most|least] {:.1f} points [weaker|stronger] in half of the cells",
        reading="at most 2 points weaker in at least half of the cells",
        own_limit=own_limit,
    )


def slows(
    place: str, setting: str, rule: str, momentum: float, significantly: bool = False
) -> Claim:
    """Under ROP a run needs more time than without attack until an accuracy that both reach.

    Until 95 % of its own last accuracy, a run that ends lower would need fewer rounds.
    """
    clean, attacked = clean_and_attacked(setting, rule, momentum)
    text = f"{place_title(setting, rule, momentum)}: ROP slows down convergence"
    more: dict[str, Any] = {
        "former": Former(
            text,
            reading="rounds until 95 % of the accuracy after the last round, "
            "compared with no attack",
        )
    }
    needed, statistic = above(0), drop
    shown = "it gets there [later|earlier], by {:.0f} % of the whole training"
    if significantly:
        text += " significantly (it takes at least half as many rounds more)"
        needed, statistic = at_least(50), statistics.percent_more
        shown = "it needs {:.0f} % [more|fewer] rounds than without an attack"
        more["own_limit"] = True
    return claim(
        place,
        text,
        (attacked, clean),
        statistic,
        needed,
        shown,
        measure=statistics.time_to_converge,
        jointly=statistics.time_to_common_level,
        in_time=True,
        reading="time until 95 % of the accuracy after the last round under ROP, or without "
        "attack if that is lower",
        **more,
    )


def rop_costs(
    place: str,
    setting: str,
    rule: str,
    momentum: float,
    points: float,
    words: str = "",
    unit: str = "",
    reading: str = "",
) -> Claim:
    """ROP costs the stated ``points``, within the margin of its cell in Table IV.

    The claim says ``words`` of them, if these are not the number itself, and in which ``unit`` they
    are taken. ``reading`` is how the text is read for it.
    """
    where = place_title(setting, rule, momentum)
    reworded_since = bool(words or reading)
    return claim(
        place,
        f"{where}: ROP costs {words or f'{points:g} points'}" + (f", {unit}" if unit else ""),
        clean_and_attacked(setting, rule, momentum),
        drop,
        range_of_cost(setting, rule, momentum, points),
        "the accuracy [falls|rises] by {:.1f} points",
        former=Former(f"{where}: ROP costs {points:g} points", reading="")
        if reworded_since
        else None,
        reading=reading,
        sentence=f"ROP costs {words}" if unit else "",
    )


def rop_costs_share(
    place: str, setting: str, rule: str, momentum: float, stated_share: float, words: str, of: str
) -> Claim:
    """ROP costs the ``stated_share`` of the accuracy without attack, in percent.

    The margin is that of its cell in Table IV, in percent of the highest accuracy that the table
    allows without attack. ``words`` are what the paper says, and ``of`` says of what it is a share.
    """
    clean, attacked = clean_and_attacked(setting, rule, momentum)
    highest = bounds_without_attack(clean).value
    spread = round(100 * (published_accuracies()[attacked].spread or 0.0) / highest, 2)
    return claim(
        place,
        f"{place_title(setting, rule, momentum)}: ROP costs {words}, {of}",
        (clean, attacked),
        lambda values: 100 - percent_left(*values),
        stated(stated_share, spread),
        "the accuracy [falls|rises] by {:.1f} % of what it is without attack",
        sentence=f"ROP costs {words}",
    )


def rop_is_strongest(place: str, setting: str, rule: str, momentum: float) -> Claim:
    """No other attack of Table IV leaves less than ROP."""
    return claim(
        place,
        f"{place_title(setting, rule, momentum)}: ROP is the strongest of the attacks",
        by_attack(setting, rule, momentum),
        statistics.strongest,
        above(0),
        "the strongest other attack leaves {:.1f} points [more|less]",
    )
