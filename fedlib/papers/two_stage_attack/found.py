"""What the chapter has found, in sentences whose numbers come from the stored runs."""

from __future__ import annotations

import math

from fedlib.evidence.found import resting_on
from fedlib.evidence.links import joined
from fedlib.evidence.report import Archive, CellResult
from fedlib.evidence.table import plural
from fedlib.papers.two_stage_attack.grid import N_CLIENTS, RULE_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.measures import diverged, level, no_boundary

_DATA = "circle"
_DEFENCES = tuple(rule for rule in RULE_TITLES if rule != "mean")
_UNKNOWN = " is not computed yet."
_SAME = 10.0
"""Certified levels that are this many percent apart or fewer count as about the same.

Three seeds of one cell are up to ten percent apart.
"""


def found(archive: Archive) -> list[str]:
    """Return what the chapter has found, the most important first.

    Parameters
    ----------
    archive
        The stored runs.
    """
    sentences = [
        _without_defence(archive, "learned", "the paper's learned two-stage attack"),
        _controls(archive),
        _defended(archive, "learned", "the learned attack"),
        _without_defence(archive, "ipm", "the simple attack IPM, which learns nothing,"),
        _defended(archive, "ipm", "IPM"),
    ]
    # What is known comes first, because the first sentence stands on the front page.
    return sorted(sentences, key=lambda sentence: sentence.endswith(_UNKNOWN))


def _without_defence(archive: Archive, attack: str, name: str) -> str:
    """Say what one attacker does to a server that averages."""
    clean, attacked = _keys("mean", "none", attack)
    known = archive.common((clean, attacked))
    where = (
        f"points in and around a circle, {N_CLIENTS} clients of which one attacks, and a server "
        "that averages"
    )
    if known is None:
        return f"What {name} does on the paper's synthetic data ({where}){_UNKNOWN}"
    before, after = known
    destroyed = sum(map(_destroyed, _by_seed(after)))
    count = len(after.seeds)
    start = f"On the paper's synthetic data ({where}), {name}"
    accuracies = joined(
        " (test accuracy from ",
        archive.linked(f"{before.accuracy.mean:.1f} %", clean),
        " to ",
        archive.linked(f"{after.accuracy.mean:.1f} %", attacked),
        f" on average; {resting_on(known)}).",
    )
    if not destroyed:
        return joined(f"{start} destroys the model in none of {plural(count, 'seed')}", accuracies)
    return joined(
        f"{start} destroys the model in {destroyed} of {plural(count, 'seed')}: it diverges or "
        "gives every point the same answer",
        accuracies,
    )


def _controls(archive: Archive) -> str:
    """Say whether attackers that learn no policy do as much."""
    titles = {"greedy": "the greedy one", "signs": "the one with constant signs"}
    results = {name: archive.best(_keys("mean", name)[0]) for name in titles}
    known = {name: result for name, result in results.items() if result is not None}
    if not known:
        return f"What attackers that learn no policy do in its place{_UNKNOWN}"
    parts = []
    for name, result in known.items():
        destroyed = sum(map(_destroyed, _by_seed(result)))
        text = f"{destroyed} of {plural(len(result.seeds), 'seed')}"
        parts.append(joined(f"{titles[name]} in ", archive.linked(text, result.key)))
    return joined(
        "Of the attackers that learn no policy, the model without a defence is destroyed by ",
        *(part for text in parts[:-1] for part in (text, " and ")),
        parts[-1],
        f" (synthetic data; {resting_on(list(known.values()))}).",
    )


def _defended(archive: Archive, attack: str, name: str) -> str:
    """Say what is left of the certified level under each defence."""
    keys = {rule: _keys(rule, "none", attack) for rule in _DEFENCES}
    known = {rule: archive.common(pair) for rule, pair in keys.items()}
    stored = {rule: pair for rule, pair in known.items() if pair is not None}
    titles = {rule: f"the {title}" if title.islower() else title
              for rule, title in RULE_TITLES.items()}  # fmt: skip
    if not stored:
        listed = " and ".join(titles[rule] for rule in _DEFENCES)
        return f"How much robustness {listed} keep under {name}{_UNKNOWN}"
    parts = []
    for rule, (clean, attacked) in stored.items():
        left = _left(clean, attacked)
        text = "none" if left is None else f"{left:.0f} %"
        parts.append(joined(f"{titles[rule]} ", archive.linked(text, *keys[rule])))
    results = [result for pair in stored.values() for result in pair]
    lefts = [_left(*pair) for pair in stored.values()]
    helped = all(left is not None and left >= 100 - _SAME for left in lefts)
    return joined(
        f"A defence can keep nearly all of the certified level of robustness under {name}: "
        if helped
        else f"Of the certified level of robustness without an attack, {name} leaves ",
        *(part for text in parts[:-1] for part in (text, " and ")),
        parts[-1],
        f" on the synthetic data ({resting_on(results)}).",
    )


def _keys(rule: str, *attacks: str) -> tuple[str, ...]:
    return tuple(str(CellKey(_DATA, attack, rule)) for attack in attacks)


def _by_seed(result: CellResult) -> list[CellResult]:
    return [result.of_seed(seed) for seed in result.seeds]


def _destroyed(result: CellResult) -> bool:
    """Whether a seed's model has diverged, or gives all of the square the same class."""
    return diverged(result) or (result.has("decision") and no_boundary(result))


def _left(clean: CellResult, attacked: CellResult) -> float | None:
    """What is left of the level in percent. None if a model has diverged and certifies nothing."""
    before, after = level(clean), level(attacked)
    if math.isnan(before) or math.isnan(after) or before == 0:
        return None
    return 100 * after / before
