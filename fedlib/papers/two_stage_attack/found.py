"""What the chapter has found, in sentences whose numbers come from the stored runs."""

from __future__ import annotations

import math
from collections.abc import Callable

from fedlib.evidence.found import Headed, range_of, resting_on
from fedlib.evidence.links import Linked, joined
from fedlib.evidence.report import Archive, CellResult
from fedlib.evidence.table import plural
from fedlib.papers.two_stage_attack.attacks import EPSILON
from fedlib.papers.two_stage_attack.grid import N_CLIENTS, RULE_TITLES
from fedlib.papers.two_stage_attack.keys import CellKey
from fedlib.papers.two_stage_attack.measures import LATE, diverged, late_level, no_boundary
from fedlib.papers.two_stage_attack.variants import ONCE, PROJECTED, SMALL

_DATA = "circle"
_DEFENCES = tuple(rule for rule in RULE_TITLES if rule != "mean")
_TITLES = {
    rule: f"the {title}" if title.islower() else title for rule, title in RULE_TITLES.items()
}
"""The rules as a sentence names them."""
_UNKNOWN = " is not computed yet."
_CONTROLS = {"greedy": "the greedy one", "signs": "the one with constant signs"}
"""The attackers that learn no policy, in words."""
_MUCH_LESS = 50.0
"""What a headline says of small batches is worth its place if less than this is left, in %."""
_SIMPLE = {"greedy": "a greedy one", "signs": "one that sends constant signs"}
"""The same as a headline names them."""


def found(archive: Archive) -> list[str]:
    """Return what the chapter has found, the most important first.

    Parameters
    ----------
    archive
        The stored runs.
    """
    learned = _without_defence(archive, "learned", "the learned two-stage attack")
    # The setting is said once, in the first of the two sentences that is known.
    said = not learned.endswith(_UNKNOWN)
    ipm = (
        f"the simple attack IPM, which sends the honest mean times -{EPSILON:g} and learns nothing,"
    )
    sentences = [
        _as_built(archive, learned),
        _controls(archive),
        _projected(archive),
        _defended(archive, "learned", "the learned attack"),
        _without_defence(archive, "ipm", ipm, said),
        _defended(archive, "ipm", f"IPM with a factor of -{EPSILON:g}"),
    ]
    # What is known comes first, because the first sentence stands on the front page.
    return sorted(sentences, key=lambda sentence: sentence.endswith(_UNKNOWN))


def _without_defence(archive: Archive, attack: str, name: str, said: bool = False) -> str:
    """Say what one attacker does to a server that averages; the setting may have been said."""
    clean, attacked = _keys("mean", "none", attack)
    known = archive.alike((clean, attacked))
    where = (
        f"points in and around a circle, {N_CLIENTS} clients of which one attacks, and a server "
        "that averages"
    )
    if known is None:
        return f"What {name} does on the paper's synthetic data ({where}){_UNKNOWN}"
    before, after = known
    setting = f"On the paper's synthetic data ({where})"
    if said:
        setting = "On the same data, without a defence"
    destroyed, count = sum(map(_destroyed, _by_seed(after))), len(after.seeds)
    if count == 1:
        seeds = "the only seed that is stored"
        times: Linked | str = archive.linked(f"{'' if destroyed else 'not '}in {seeds}", attacked)
    else:
        times = archive.linked(f"in {destroyed or 'none'} of {count} seeds", attacked)
    parts = (
        f"{setting}, {name} destroys the model ",
        times,
        f" ({resting_on(known)}).",
        _ways(after),
        _rest(archive, before, after),
    )
    # A model that is not destroyed may still have lost nearly all of its level.
    if said or not destroyed:
        return joined(*parts)
    often = f" in {destroyed} of {count} seeds" if destroyed < count else ""
    simple = [title for name, title in _SIMPLE.items() if _always_destroys(archive, name)]
    so = ""
    if simple:
        some = (
            "do two simple attacks that learn"
            if len(simple) > 1
            else "does a simple attack that learns"
        )
        so = f", and so {some} no policy ({', and '.join(simple)})"
    return Headed(f"Without a defence the learned attack destroys the model{often}{so}.", *parts)


def _always_destroys(archive: Archive, name: str) -> bool:
    """Whether an attack destroys every model of a server that averages, with and without a set."""
    (key,) = _keys("mean", name)
    known = [archive.best(one) for one in (key, PROJECTED.cell(key))]
    if known[0] is None:
        return False
    return all(all(map(_destroyed, _by_seed(one))) for one in known if one is not None)


def _as_built(archive: Archive, sentence: str) -> str:
    """Add to the first sentence in what the attack is not the paper's, and what that one does."""
    if not isinstance(sentence, Headed):
        return sentence
    (attacked,) = _keys("mean", "learned")
    often = archive.common([attacked])
    if often is None:
        return sentence
    rounds = often[0].records[0]["config"]["attack"]["replan"]
    if not rounds:
        return sentence
    once = archive.common([f"variants/once/{attacked}"])
    said: tuple[str, ...] = (" Runs of the attack that learns once are not computed yet.",)
    if once is not None and once[0].protocol == often[0].protocol:
        ends, count = sum(map(_destroyed, _by_seed(once[0]))), len(once[0].seeds)
        times = f"in {ends or 'none'} of {plural(count, 'seed')}"
        said = (
            " The attack that learns once destroys the model ",
            archive.linked(times, once[0].key),
            ".",
        )
    return Headed(
        f"{sentence.head}{_with_a_defence(archive, 'learned', 'Under the learned attack')}"
        f"{_small_batches_in_short(archive)}",
        sentence.body,
        _certified(archive),
        _with_small_batches(archive),
        " Our server does not project the parameters on a set, as the paper's does, because the "
        "paper does not give this set.",
        _on_a_ball(archive),
        f" Our attack learns again every {rounds} rounds. The attack of the paper learns once.",
        *said,
    )


def _on_a_ball(archive: Archive) -> Linked | str:
    """Say in a few words what the learned attack and the simple ones do to a server with a set."""
    result = archive.best(PROJECTED.cell(_keys("mean", "learned")[0]))
    if result is None:
        return ""
    return joined(
        f" With {PROJECTED.other} as this set, the learned attack destroys the model in ",
        _times_destroyed(archive, result),
        ".",
        _controls_on_a_ball(archive, _CONTROLS),
        _signs_without_a_ball(archive),
    )


def _signs_without_a_ball(archive: Archive) -> Linked | str:
    """Say in how many seeds constant signs destroy the model of a server without a set."""
    result = archive.best(_keys("mean", "signs")[0])
    if result is None:
        return ""
    times = _times_destroyed(archive, result)
    return joined(" Without a set, the one with constant signs destroys it in ", times, ".")


def _ways(result: CellResult) -> str:
    """Say in how many seeds a model has diverged, and in how many it tells nothing apart."""
    lost = sum(map(diverged, _by_seed(result)))
    flat = sum(map(_destroyed, _by_seed(result))) - lost
    flat_to = "gives nearly every point the same answer"
    if lost and flat:
        return (
            f" In {plural(lost, 'seed')} the model diverges, and in {plural(flat, 'seed')} it "
            f"{flat_to}."
        )
    if lost + flat:
        what = "diverges" if lost else flat_to
        return f" In {plural(lost + flat, 'seed')} the model {what}."
    return ""


def _rest(archive: Archive, before: CellResult, after: CellResult) -> Linked | str:
    """Say what the models that are not destroyed keep of their certified level."""
    pairs = ((before.of_seed(seed), after.of_seed(seed)) for seed in after.seeds)
    left = [_left(*pair) for pair in pairs if not _destroyed(pair[1])]
    kept = [share for share in left if share is not None]
    if not kept or len(kept) < len(left):
        return ""
    text = f"between {min(kept):.1f} and {max(kept):.1f} %"
    if len(kept) == 1:
        text = f"{kept[0]:.1f} %" if kept[0] >= 0.05 else "less than 0.1 %"
    one = len(kept) == 1
    who = " The other seed keeps " if one else f" The other {len(kept)} seeds keep "
    if len(kept) == len(after.seeds):
        who = " The model keeps " if one else " The models keep "
    return joined(
        who,
        archive.linked(text, before.key, after.key),
        " of the certified level that the model has without an attack.",
    )


def _controls(archive: Archive) -> str:
    """Say whether attackers that learn no policy do as much."""
    results = {name: archive.best(_keys("mean", name)[0]) for name in _CONTROLS}
    known = {name: result for name, result in results.items() if result is not None}
    if not known:
        return f"What attackers that learn no policy do in its place{_UNKNOWN}"
    seeds = {name: _by_seed(result) for name, result in known.items()}
    counts = {name: sum(map(_destroyed, each)) for name, each in seeds.items()}
    parts = [
        joined(
            f"{_CONTROLS[name]} destroys the model in ",
            archive.linked(f"{counts[name]} of {plural(len(result.seeds), 'seed')}", result.key),
        )
        for name, result in known.items()
    ]
    every = all(counts[name] == len(each) for name, each in seeds.items())
    return joined(
        "Learning is not needed to destroy a model without a defence. " if every else "",
        "Of the attackers that learn no policy, ",
        *(part for text in parts[:-1] for part in (text, " and ")),
        parts[-1],
        f" (synthetic data, no defence; {resting_on(list(known.values()))}).",
    )


def _projected(archive: Archive) -> str:
    """Say what the attacks do to a server that keeps the parameters in a ball."""
    (learned,) = _keys("mean", "learned")
    (none,) = _keys("mean", "none")
    where = (
        "The paper's server projects the parameters on a set that the text does not give. With "
        f"{PROJECTED.other} as this set"
    )
    known = archive.alike([PROJECTED.cell(none), PROJECTED.cell(learned)])
    if known is None:
        return f"{where}, what the learned attack does without a defence{_UNKNOWN}"
    attacked = known[1]
    return joined(
        f"{where}, the learned attack destroys the model without a defence in ",
        _times_destroyed(archive, attacked),
        f" ({resting_on(known)}).",
        _ways(attacked),
        _controls_on_a_ball(archive, {"untrained": "the untrained policy", **_CONTROLS}),
    )


def _controls_on_a_ball(archive: Archive, names: dict[str, str]) -> Linked | str:
    """Say how often attackers that learn no policy destroy the model of such a server."""
    controls = {name: archive.best(PROJECTED.cell(_keys("mean", name)[0])) for name in names}
    known = {name: result for name, result in controls.items() if result is not None}
    parts = [
        joined(
            f"{names[name]} {'in' if number else 'destroys it in'} ",
            _times_destroyed(archive, result),
        )
        for number, (name, result) in enumerate(known.items())
    ]
    if not parts:
        return ""
    return joined(" With it, of the attackers that learn no policy, ", *_listed(parts), ".")


def _times_destroyed(archive: Archive, result: CellResult) -> Linked:
    """Return in how many seeds a model is destroyed, with a link to the runs."""
    count = sum(map(_destroyed, _by_seed(result)))
    return archive.linked(f"{count or 'none'} of {plural(len(result.seeds), 'seed')}", result.key)


def _listed(parts: list[Linked]) -> list[Linked | str]:
    """Return parts with commas and an "and" between them."""
    between = [", "] * (len(parts) - 2) + [" and ", ""] if len(parts) > 1 else [""]
    return [text for pair in zip(parts, between, strict=True) for text in pair]


def _defended(archive: Archive, attack: str, name: str) -> str:
    """Say what is left of the certified level under each defence."""
    keys = {rule: _keys(rule, "none", attack) for rule in _DEFENCES}
    known = {rule: archive.alike(pair) for rule, pair in keys.items()}
    stored = {rule: pair for rule, pair in known.items() if pair is not None}
    titles = _TITLES
    if not stored:
        listed = " and ".join(titles[rule] for rule in _DEFENCES)
        return f"How much robustness {listed} keep under {name}{_UNKNOWN}"
    parts = []
    for rule, pair in stored.items():
        left = _left(*pair)
        text = "none" if left is None else f"{left:.0f} %"
        parts.append(joined(f"{titles[rule]} keeps ", archive.linked(text, *keys[rule])))
    results = [result for pair in stored.values() for result in pair]
    return joined(
        f"Under {name}, ",
        *(part for text in parts[:-1] for part in (text, " and ")),
        parts[-1],
        " of the certified level of robustness that the model has without an attack (synthetic "
        f"data; mean of the last {LATE} evaluations; {resting_on(results)}).",
    )


def _certified(archive: Archive) -> Linked | str:
    """Say what the level of the headline is, on how many seeds it rests, and what signs leave."""
    known = [archive.best(_keys(rule, "learned")[0]) for rule in _DEFENCES]
    seeds = [len(one.seeds) for one in known if one is not None]
    if len(seeds) < len(known):
        return ""
    said = (
        " The certified level is the mean squared distance by which samples may be moved while a "
        "bound on the model's loss still holds. The two shares under the learned attack are means "
        "of "
        f"{range_of(seeds)} and of the last {LATE} evaluations."
    )
    once = _with_a_defence(
        archive, "learned", "Under an attack that learns once, as in the text", ONCE.cell
    )
    signs = _with_a_defence(
        archive, "signs", "Under an attacker that learns nothing and sends constant signs"
    )
    return joined(said, once, signs)


def _with_a_defence(
    archive: Archive, attack: str, start: str, cell: Callable[[str], str] = str
) -> Linked | str:
    """Say in a few words what an attack leaves under each defence, if all are known."""
    parts: list[Linked] = []
    for rule in _DEFENCES:
        clean, attacked = _keys(rule, "none", attack)
        pair = archive.alike((clean, cell(attacked)))
        share = None if pair is None else _left(*pair)
        if share is None:
            return ""
        shown = archive.linked(f"{share:.0f} %", clean, cell(attacked))
        parts.append(joined(f"{_TITLES[rule]} keeps ", shown))
    return joined(f" {start}, ", *_listed(parts), " of the certified level.")


def _small_batches_in_short(archive: Archive) -> str:
    """Say in few words what IPM leaves the median with small batches, if it is much less."""
    pair = archive.alike([SMALL.cell(key) for key in _keys("median", "none", "ipm")])
    share = None if pair is None else _left(*pair)
    if share is None or share > _MUCH_LESS:
        return ""
    used, small = (way.partition(" ")[0] for way in (SMALL.used, SMALL.other))
    return (
        f" Here clients learn with batches of {used} samples, a number that the text does not "
        f"give. With batches of {small}, the simple attack IPM leaves the median {share:.0f} %."
    )


def _with_small_batches(archive: Archive) -> Linked | str:
    """Say what IPM leaves the median if batches are small, and how often greed destroys it."""
    keys = [SMALL.cell(key) for key in _keys("median", "none", "ipm")]
    pair = archive.alike(keys)
    share = None if pair is None else _left(*pair)
    if pair is None or share is None:
        return ""
    greedy = archive.best(SMALL.cell(_keys("median", "greedy")[0]))
    often: list[Linked | str] = []
    if greedy is not None:
        often = [" The greedy attacker destroys its model in ", _times_destroyed(archive, greedy)]
        often.append(".")
    return joined(
        " With batches of ten, IPM leaves the median ",
        archive.linked(f"{share:.0f} %", *keys),
        f" of its certified level ({resting_on(pair)}).",
        *often,
    )


def _keys(rule: str, *attacks: str) -> tuple[str, ...]:
    return tuple(str(CellKey(_DATA, attack, rule)) for attack in attacks)


def _by_seed(result: CellResult) -> list[CellResult]:
    return [result.of_seed(seed) for seed in result.seeds]


def _destroyed(result: CellResult) -> bool:
    """Whether a seed's model has diverged, or gives all of the square the same class."""
    return diverged(result) or (result.has("decision") and no_boundary(result))


def _left(clean: CellResult, attacked: CellResult) -> float | None:
    """What is left of the level in percent, by the mean of the last evaluations.

    None if a model has diverged and certifies nothing.
    """
    before, after = late_level(clean), late_level(attacked)
    if math.isnan(before) or math.isnan(after) or before == 0:
        return None
    return 100 * after / before
