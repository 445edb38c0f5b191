"""Tables II and III: cosines beside the published ones."""

from __future__ import annotations

from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, Note, Table, data_named
from fedlib.evidence.results import seeds_in_words
from fedlib.papers.centered_clipping.extras import CIFAR_AND_FMNIST
from fedlib.papers.centered_clipping.keys import Key, cosines
from fedlib.papers.centered_clipping.published import published_cosines
from fedlib.papers.centered_clipping.settings import (
    ATTACK_NAMES,
    CLIPPING,
    MOMENTA,
    RULE_TITLES,
    SETTING_TITLES,
)
from fedlib.papers.centered_clipping.tables.figures import long_or_short

# Item of the paper, attack, rule, recorded quantity, and the quantity in words.
_LINES = (
    (
        "Table II",
        "alie",
        "tm",
        "cosine_consecutive_perturbations",
        "perturbations of a round and of the last",
    ),
    *(
        (
            "Table III",
            "rop",
            rule,
            f"cosine_{who}_to_last_aggregate",
            f"{who} momenta and reference",
        )
        for rule in CLIPPING
        for who in ("benign", "byzantine")
    ),
)


def cosines_table(archive: Archive) -> Table:
    """Tables II and III: mean cosines over the run, ours above the published.

    Of ALIE's perturbations in two rounds on end; of the benign and of the Byzantine momenta to
    centered clipping's reference, the last aggregate.
    """
    rows: list[tuple[str, ...]] = []
    data: set[str] = set()
    for setting in CIFAR_AND_FMNIST:
        for item, attack, rule, quantity, text in _LINES:
            where = f"{SETTING_TITLES[setting]}\n{ATTACK_NAMES[attack]}, {RULE_TITLES[rule]}"
            row = [item, where, text]
            for momentum in MOMENTA:
                key = cosines(setting, attack, rule, momentum)
                result = long_or_short(archive, key)
                data.update(set() if result is None else {result.data})
                text = _ours_above_published(archive, key, quantity)
                row.append(archive.linked(text, str(result.key if result else key)))
            rows.append(tuple(row))
    return Table(
        (
            "item",
            "setting",
            "cosine between",
            *(f"β = {momentum:g}: ours\npublished" for momentum in MOMENTA),
        ),
        tuple(rows),
        "Tables II and III: cosines, averaged over the rounds of a run. Ours are on "
        f"{data_named(data)}. The reference is the last aggregate, around which centered "
        "clipping clips",
        compact=True,
    )


def _ours_above_published(archive: Archive, key: Key, quantity: str) -> str:
    """Our mean over the run with scale and seeds, and the published one on a second line."""
    result, value = long_or_short(archive, key), published_cosines().get((key, quantity))
    published = "not published" if value is None else f"{value:g}"
    if result is None:
        return f"not computed\n{published}"
    mean = result.mean_of(quantity)
    seeds = seeds_in_words(result.scale, mean.n, result.real)
    reduced = f"{result.reduced}, " if result.reduced else ""
    return f"{mean.mean:.2f} ({reduced}{seeds})\n{published}"


def cosines_in_words(archive: Archive) -> Note:
    """Say what to see in :func:`cosines_table`."""
    higher, places = 0, 0
    for setting in CIFAR_AND_FMNIST:
        for rule in CLIPPING:
            for momentum in MOMENTA:
                result = long_or_short(archive, cosines(setting, "rop", rule, momentum))
                if result is not None:
                    places += 1
                    benign, byzantine = (
                        result.mean_of(f"cosine_{who}_to_last_aggregate").mean
                        for who in ("benign", "byzantine")
                    )
                    higher += byzantine > benign
    if not places:
        return Note("None of these cosines is computed yet.")
    return Note(
        joined(
            "Compare the rows of Table III: in "
            f"{higher} of the {places} computed cells ROP's Byzantine momenta point closer to the "
            "reference than the benign ones do.",
            *_from_round_to_round(archive),
        )
    )


def _from_round_to_round(archive: Archive) -> list[Linked | str]:
    """Say how alike the perturbations of successive rounds are, under ROP and under ALIE."""
    setting = "fmnist_iid"
    lines = [("ROP on centered clipping with τ = 0.1", "rop", "cc_tau0.1")]
    lines += [("with τ = 1", "rop", "cc_tau1"), ("ALIE on the trimmed mean", "alie", "tm")]
    parts: list[Linked | str] = []
    seeds = ""
    for words, attack, rule in lines:
        keys = [str(cosines(setting, attack, rule, momentum)) for momentum in MOMENTA]
        known = archive.common(keys)
        if known is None:
            return []
        parts += [f"{', ' if parts else ''}{words}: "]
        for number, result in enumerate(known):
            value = result.mean_of("cosine_consecutive_perturbations").mean
            parts += [" / " if number else "", archive.linked(f"{value:.2f}", result.key)]
            seeds = seeds_in_words(result.scale, len(result.seeds), result.real)
    names = " / ".join(f"{momentum:g}" for momentum in MOMENTA)
    return [
        " The records also have Table II's cosine for ROP, which the paper does not print. It is "
        f"that of the perturbations of successive rounds. On Fashion-MNIST, for β = {names}: ",
        *parts,
        f" ({seeds}). A perturbation is the attacker's momentum minus the benign mean here, as in "
        "equation 10.",
    ]
