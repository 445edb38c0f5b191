"""What the chapter has found, in sentences whose numbers come from the stored runs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

from fedlib.evidence.found import Headed, resting_on
from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, CellResult
from fedlib.evidence.statistics import FAR_APART, MARGIN
from fedlib.evidence.table import plural
from fedlib.papers.gradient_guard.keys import Comparison, Watched, line
from fedlib.papers.gradient_guard.measures import BREAKS, LAST, late_accuracy, separation
from fedlib.papers.gradient_guard.readings import readings_in_words, readings_judged
from fedlib.papers.gradient_guard.settings import (
    BLIND,
    GREY,
    MATCHED,
    N_CLIENTS,
    PUBLISHED_ATTACKS,
    READINGS,
    RULE_TITLES,
    SHARES,
    n_malicious,
)
from fedlib.papers.gradient_guard.tables.accuracy import break_share
from fedlib.papers.gradient_guard.variants import BATCH

_GUARD = "gradient_guard"
_FEW = "10"
"""The malicious share of the first sentence, in percent."""
_AIMED_AT = {"trimmed_mean", "median", "krum"}
"""The rules that full-trim and full-Krum are made against."""
_resting_on = partial(resting_on, largest="the largest scale of this book")
"""Say what runs a finding rests on. The paper says nothing of clients, rounds and networks."""
_NONE = 60.0
"""What :func:`break_share` gives for a defence that never breaks."""


def found(archive: Archive) -> list[str]:
    """Return what the chapter has found, the most important first.

    Parameters
    ----------
    archive
        The stored runs.
    """
    return [
        _full_krum(archive),
        readings_in_words(archive),
        _maps(archive),
        _who_withstands(archive),
        _matching(archive),
    ]


def _full_krum(archive: Archive) -> str:
    """Say what few clients that send full-Krum leave the default reading, and the plain mean."""
    who = f"{n_malicious(_FEW)} of {N_CLIENTS} clients"
    keys = {
        (rule, share): str(Comparison.of("mnist", "full_krum", share, rule))
        for rule in (_GUARD, "fedsgd")
        for share in ("0", _FEW)
    }
    known = archive.common(list(keys.values()))
    start = "The paper says that its defence Gradient Guard withstands up to 50 % malicious clients"
    if known is None:
        return (
            f"{start}. What {who} that send the attack full-Krum leave of its accuracy on MNIST is "
            "not computed yet."
        )
    results = dict(zip(keys, known, strict=True))
    clean, attacked, undefended = (
        results[place] for place in ((_GUARD, "0"), (_GUARD, _FEW), ("fedsgd", _FEW))
    )
    each = [late_accuracy(attacked.of_seed(seed)).mean for seed in attacked.seeds]
    limit = BREAKS / 100 * _mean(clean)
    broken = sum(value < limit for value in each)
    if len(each) == 1:
        count = f"{'Less' if broken else 'More'} than half of its accuracy is left"
    else:
        count = f"In {broken} of {len(each)} seeds less than half of its accuracy is left"
    better = _mean(undefended) > _mean(attacked) + MARGIN
    lower = _mean(attacked) < _mean(clean) - MARGIN
    if not lower:
        head = "Gradient Guard withstands a few clients that send full-Krum."
    elif better:
        few = f"{min(each):.0f}" if len(each) == 1 else f"{min(each):.0f} to {max(each):.0f}"
        head = (
            f"If {who} send the attack full-Krum, Gradient Guard has {few} % on MNIST, in the "
            "reading of the paper that this book takes first. A server without any defence keeps "
            f"{_mean(undefended):.0f} %."
        )
        readings = readings_judged(archive)
        if readings.held:
            maps = {READINGS.get(name, {}).get("map_of") for name in readings.held}
            cited = maps == {"spectral"}
            use = {1: "This reading uses", 2: "Both of these readings use"}
            which = use.get(len(readings.held), "All of these readings use")
            maps_said = f" {which} the saliency maps that the paper cites." if cited else ""
            head += (
                f" The paper can be read in {len(readings.by_name)} ways. In {len(readings.held)} "
                "of them Gradient Guard withstands full-Krum and a second attack, full-trim, with "
                f"30 and 50 % malicious clients.{maps_said}"
            )
    else:
        head = "In its default reading, Gradient Guard does not withstand full-Krum."
    return Headed(
        head,
        f"{start}. This book takes one reading of the paper's text as the default. It leaves out "
        "the threshold of sections 3.3 to 3.5, for which the text gives no value. In this reading, "
        f"{who} that send the attack full-Krum (made against the defence Krum, by attackers "
        "who see all honest updates) "
        f"{'bring' if lower else 'do not bring'} its test accuracy on MNIST "
        f"{'down from' if lower else 'down. Without an attack it is'} ",
        _percent(archive, clean),
        " to " if lower else ", and under the attack ",
        _each_percent(archive, attacked, each),
        f". {count}. Under the same attack, the plain average without any defence "
        f"{'keeps' if better else 'has'} ",
        _percent(archive, undefended),
        f" ({_resting_on(known)}; each number is the mean of the last {LAST} evaluations).",
        _partial_knowledge(archive, attacked),
        _larger_batches(archive, attacked),
        _other_readings(archive),
    )


def _partial_knowledge(archive: Archive, attacked: CellResult) -> Linked | str:
    """Say what is left if the attackers see the updates of their own clients only."""
    known = archive.common([str(Comparison.of("mnist", "full_krum_partial", _FEW, _GUARD))])
    if known is None or known[0].scale != attacked.scale:
        return ""
    (result,) = known
    each = [late_accuracy(result.of_seed(seed)).mean for seed in result.seeds]
    return joined(
        " If these attackers see only the updates of their own clients, Gradient Guard has ",
        _each_percent(archive, result, each),
        f" ({plural(len(each), 'seed')}).",
    )


def _larger_batches(archive: Archive, attacked: CellResult) -> Linked | str:
    """Say what is left if each client's gradient is that of more samples, and has less noise."""
    known = archive.common([BATCH.cell(attacked.key)])
    if known is None or known[0].scale != attacked.scale:
        return ""
    return joined(
        f" With batches of {BATCH.other} samples in place of {BATCH.used}, Gradient Guard has ",
        _percent(archive, known[0]),
        f" under this attack ({plural(len(known[0].seeds), 'seed')}).",
    )


def _other_readings(archive: Archive) -> Linked | str:
    """Say in how many other readings the defence withstands both attacks, after the default one."""
    readings = readings_judged(archive)
    held = readings.held
    if not held:
        return ""
    cells = [cell for row in readings.rows(held) for cell in row.claim.cells]
    one_seed = any(row.provisional for row in readings.rows(held))
    open_ = len(readings.by_name) - len(held) - len(readings.failed)
    undecided = f" {plural(open_, 'reading')} {'is' if open_ == 1 else 'are'} undecided."
    return joined(
        " In ",
        archive.linked(f"{len(held)} of {len(readings.by_name)} readings", *cells),
        " of the text, the defence withstands this attack and full-trim at 30 % and 50 %",
        " (some verdicts rest on one seed)." if one_seed else ".",
        undecided if open_ else "",
    )


def _maps(archive: Archive) -> str:
    """Say whether honest and malicious clients' saliency maps differ as the paper supposes."""
    attacks = ("full_krum", "full_trim")
    keys = [str(Watched(str(Comparison.of("mnist", a, _FEW, _GUARD)))) for a in attacks]
    known = archive.common(keys)
    start = (
        "A saliency map says how strongly a model's output depends on each pixel of an image. "
        "Sections 2.2 and 3.3 of the paper assume that the maps of malicious clients are less like "
        "a reference map than those of honest clients, and Algorithm 1 also allows the opposite"
    )
    if known is None:
        return f"{start}. How far this is so on MNIST is not computed yet."
    krum, trim = (separation(result).mean for result in known)
    return joined(
        f"{start}. Take one malicious and one honest client at random, on MNIST with {_FEW} % "
        "malicious clients and an honest reference. The probability that the malicious client's "
        "map is less like the reference than the honest client's is ",
        archive.linked(f"{krum:.2f}", keys[0]),
        f" under full-Krum, {_telling(krum)}. It is ",
        archive.linked(f"{trim:.2f}", keys[1]),
        f" under full-trim, {_telling(trim)} ({_resting_on(known)}).",
        _maps_of_many(archive),
    )


def _maps_of_many(archive: Archive) -> Linked | str:
    """Say what the maps tell under full-trim if half of the clients are malicious."""
    keys = [str(Watched(str(Comparison.of(data, "full_trim", "50", _GUARD)))) for data in GREY]
    known = archive.common(keys)
    if known is None:
        return ""
    parts: list[str] = []
    for result in known:
        parts += [
            " and " if parts else "",
            archive.linked(f"{separation(result).mean:.2f}", result.key),
        ]
        parts.append(f" on {result.data}")
    return joined(
        " At 50 % malicious clients under full-trim it is ", *parts, f" ({_resting_on(known)})."
    )


def _telling(area: float) -> str:
    """What an area under the ROC curve means for a rule that penalises the least alike."""
    if area < 0.25:
        return "so that mostly honest clients are penalised"
    if area > 0.75:
        return "so that mostly malicious clients are penalised"
    return "which is nearer to chance than to certainty"


def _who_withstands(archive: Archive) -> str:
    """Say which defences keep half of their accuracy at every share, under every attack."""
    data = ("mnist", "fashion_mnist")
    kept, judged, results = [], 0, []
    cells: list[str] = []
    for rule in RULE_TITLES:
        lines = [line(d, attack, rule, SHARES) for d in data for attack in PUBLISHED_ATTACKS]
        known = [archive.common(keys) for keys in lines]
        stored = [held for held in known if held is not None]
        if len(stored) < len(lines):
            continue
        judged += 1
        if all(map(_never_breaks, stored)):
            kept.append(rule)
            results += [result for held in stored for result in held]
            cells += [key for keys in lines for key in keys]
    start = (
        "A defence withstands a share of malicious clients if at least half of its accuracy "
        "without an attack is left"
    )
    if not judged:
        return f"{start}. Which defences do so at every share up to 50 % is not computed yet."
    where = (
        "up to 50 % on MNIST and Fashion-MNIST under full-trim and full-Krum, whether the attacker "
        "sees all updates or only those of its own clients"
    )
    if not kept:
        return f"{start}. None of the {judged} defences that are computed does so {where}."
    titles = [RULE_TITLES[rule] for rule in kept]
    blind = len(kept) > 1 and set(kept) <= set(BLIND)
    none = "Neither" if len(kept) == 2 else "None"
    remark = f" {none} of them needs the number of malicious clients." if blind else ""
    return joined(
        f"{start}. Of the {judged} defences that are computed, ",
        archive.linked(_listed(titles), *cells),
        f" {'does' if len(kept) == 1 else 'do'} so {where} ({_resting_on(results)}).{remark}"
        " Neither of the two attacks is made against them."
        if _AIMED_AT.isdisjoint(kept)
        else "",
    )


def _never_breaks(results: Sequence[CellResult]) -> bool:
    """Whether a rule keeps half of its clean accuracy at every share, in every common seed."""
    by_share = dict(zip(SHARES, results, strict=True))
    seeds = set.intersection(*(set(result.seeds) for result in results))
    return bool(seeds) and all(break_share(by_share, seed) == _NONE for seed in seeds)


def _matching(archive: Archive) -> str:
    """Say what attackers cost that have the saliency maps of honest clients."""
    share = "30"
    keys = line("mnist", "saliency_matching", _GUARD, ("0", share))
    known = archive.common(keys)
    start = (
        "An attacker can send an update that has exactly the saliency maps of an honest client. It "
        "shifts the output biases, and the maps do not depend on these"
    )
    if known is None:
        return f"{start}. What this costs Gradient Guard on MNIST is not computed yet."
    clean, attacked = known
    cost = _mean(clean) - _mean(attacked)
    little = BREAKS / 100 * _mean(clean) <= _mean(attacked)
    return joined(
        f"{start}. With {share} % of such clients on MNIST, Gradient Guard (default reading) "
        f"{'still has' if little else 'falls to'} ",
        _percent(archive, attacked),
        f", which is {abs(cost):.1f} points {'less' if cost >= 0 else 'more'} than "
        f"without an attack ({_resting_on(known)}).",
        _matched_by_others(archive, share, attacked),
    )


def _matched_by_others(archive: Archive, share: str, attacked: CellResult) -> Linked | str:
    """Say what the same attackers cost other defences, in points of accuracy."""
    lost = []
    for rule in MATCHED:
        known = archive.common(line("mnist", "saliency_matching", rule, ("0", share)))
        if rule != _GUARD and known is not None and known[0].scale == attacked.scale:
            cost = max(_mean(known[0]) - _mean(known[1]), 0.0)
            who = f"{RULE_TITLES[rule]}{' (no defence)' if rule == 'fedsgd' else ''}"
            lost.append(archive.linked(f"{who} {cost:.1f}", known[1].key))
    if not lost:
        return ""
    parts = [lost[0], *(part for one in lost[1:] for part in (", ", one))]
    return joined(" Under the same attack these rules lose, in points: ", *parts, ".")


def _mean(result: CellResult) -> float:
    return late_accuracy(result).mean


def _percent(archive: Archive, result: CellResult) -> str:
    """The accuracy in percent, which leads to its runs."""
    return archive.linked(f"{_mean(result):.1f} %", result.key)


def _each_percent(archive: Archive, result: CellResult, each: Sequence[float]) -> str:
    """The accuracy, or that of each seed where their mean is a value that no seed had."""
    if max(each) - min(each) <= FAR_APART:
        return _percent(archive, result)
    return archive.linked(_each_in_words(each), result.key)


def _each_in_words(each: Sequence[float]) -> str:
    """The mean of the seeds, or each of them where their mean is a value that no seed had."""
    if max(each) - min(each) <= FAR_APART:
        return f"{math.fsum(each) / len(each):.1f} %"
    return f"{_listed([f'{value:.1f}' for value in each])} %"


def _listed(words: Sequence[str]) -> str:
    """Words in a row: ``FLTrust, FLAIR and Krum``."""
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
