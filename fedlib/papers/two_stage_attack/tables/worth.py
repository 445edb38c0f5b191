"""Whether learning a policy is worth anything, beside attackers that learn nothing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from fedlib.evidence.report import Archive, CellResult, Note, Table, basis_of
from fedlib.evidence.table import plural
from fedlib.papers.two_stage_attack.attacks import ATTACK_TITLES, CONTROL_TITLES
from fedlib.papers.two_stage_attack.grid import RULE_TITLES
from fedlib.papers.two_stage_attack.measures import diverged, level
from fedlib.papers.two_stage_attack.tables.common import cell_key

LEARNERS = ("learned", "learned_blind")
_DESTROYED = 50.0
"""What is left of a level that is no longer maintained, in percent, as in the claims."""
_SHOWN = ("none", *LEARNERS, *CONTROL_TITLES)


class Left(NamedTuple):
    """What an attack leaves of the certified level without attack.

    Attributes
    ----------
    shares
        The level that is left, in percent of that of the same seed without attack, by seed. Seeds
        whose model has diverged, with the attack or without, are left out.
    diverged
        The number of seeds whose model has diverged under the attack.
    """

    shares: Mapping[int, float]
    diverged: int

    @property
    def mean(self) -> float:
        """The mean share over the seeds, or NaN if there is no seed."""
        return float(np.mean(list(self.shares.values()))) if self.shares else math.nan


def worth_table(archive: Archive, data: str, small: bool = False) -> Table:
    """Show what the learned policies and the controls leave of the certified level.

    Parameters
    ----------
    archive
        The stored runs.
    data
        The data set.
    small
        Whether clients have batches of ten, which only the synthetic data are played with.
    """
    known: list[CellResult] = []
    rows: list[tuple[str, ...]] = []
    for rule, title in RULE_TITLES.items():
        results = _results(archive, data, rule, small)
        found = left_by(results)
        known += [result for result in results.values() if result is not None]
        shown = (
            archive.linked(_shown(found.get(attack)), cell_key(data, attack, rule, small))
            for attack in _SHOWN[1:]
        )
        rows.append((title, *shown))
    heads = (ATTACK_TITLES[attack].replace(", ", ",\n") for attack in _SHOWN[1:])
    batches = ", with batches of 10" if small else ""
    caption = (
        f"How much of the certified level without attack is left under each attack{batches}, in %: "
        f"{basis_of(known)}. Each entry is the mean of the seeds that have not diverged, with the "
        "lowest and the highest seed in brackets."
    )
    return Table(("rule", *heads), tuple(rows), caption)


def worth_in_words(archive: Archive, data: str) -> Note:
    """Say under which rules learning lowers the level more than the best control.

    Parameters
    ----------
    archive
        The stored runs.
    data
        The data set.
    """
    said = (
        answer(title, left_by(_results(archive, data, rule))) for rule, title in RULE_TITLES.items()
    )
    text = " ".join(sentence for sentence in said if sentence)
    return Note(text or "Whether learning is worth anything is not computed yet.")


def _results(
    archive: Archive, data: str, rule: str, small: bool = False
) -> dict[str, CellResult | None]:
    """What is stored under a rule without an attack, and with each attack that is compared."""
    keys = [cell_key(data, attack, rule, small) for attack in _SHOWN]
    return dict(zip(_SHOWN, archive.together(keys), strict=True))


def left_by(results: Mapping[str, CellResult | None]) -> dict[str, Left]:
    """Return what each attack leaves of the level, for the attacks whose runs are stored.

    Parameters
    ----------
    results
        The runs of each attack under one rule, and those of ``"none"``.
    """
    clean = results.get("none")
    if clean is None:
        return {}
    before = dict(_levels(clean))
    found = {}
    for attack, result in results.items():
        if result is not None and attack != "none":
            after = dict(_levels(result))
            shares = {
                seed: 100 * after[seed] / before[seed]
                for seed in sorted(set(after) & set(before))
                if before[seed] > 0
            }
            lost = sum(diverged(result.of_seed(seed)) for seed in result.seeds)
            found[attack] = Left(shares, lost)
    return found


def _levels(result: CellResult) -> Iterable[tuple[int, float]]:
    """Yield each seed and its last level, for the seeds whose model has not diverged."""
    for seed in result.seeds:
        value = level(result.of_seed(seed))
        if math.isfinite(value) and not diverged(result.of_seed(seed)):
            yield seed, value


def _shown(left: Left | None) -> str:
    """Return the mean and the range of what is left in words."""
    if left is None:
        return "not computed"
    lost = f"{left.diverged} diverged" if left.diverged else ""
    if not left.shares:
        return lost or "none"
    values = list(left.shares.values())
    shown = f"{left.mean:.1f}"
    if len(values) > 1:
        shown += f" ({min(values):.1f} to {max(values):.1f})"
    return shown + (f"; {lost}" if lost else "")


def answer(rule: str, found: Mapping[str, Left]) -> str:
    """Say in a sentence whether the learned policy lowers the level more than the best control.

    Parameters
    ----------
    rule
        The server's rule in words.
    found
        What each attack leaves.

    Returns
    -------
    str
        The sentence. It is empty if there are no runs of the learned policy or of a control.
    """
    learned = found.get("learned")
    controls = {name: found[name] for name in CONTROL_TITLES if name in found}
    controls = {name: left for name, left in controls.items() if left.shares}
    if learned is None or not controls:
        return ""
    rule = rule[0].upper() + rule[1:]
    best = min(controls, key=lambda name: controls[name].mean)
    if not learned.shares and learned.diverged:
        left = controls[best].mean
        said = (
            f"{rule}: under the learned policy the model diverges in every seed "
            f"({plural(learned.diverged, 'seed')}). The best control ({CONTROL_TITLES[best]}) "
            f"leaves {left:.1f} %"
        )
        return said + (
            ", so no learning is needed to destroy the model." if left < _DESTROYED else "."
        )
    shared = sorted(set(learned.shares) & set(controls[best].shares))
    if not shared:
        return ""
    ahead = sum(learned.shares[seed] < controls[best].shares[seed] for seed in shared)
    ours, theirs = (
        float(np.mean([left.shares[seed] for seed in shared])) for left in (learned, controls[best])
    )
    if ahead == len(shared):
        verdict = "in these seeds learning is worth something"
    elif ahead == 0:
        verdict = "in these seeds learning is worth nothing"
    else:
        verdict = "the seeds do not agree on whether learning is worth anything"
    return (
        f"{rule}: in the seeds that both have, the learned policy leaves {ours:.1f} %, and the "
        f"best control ({CONTROL_TITLES[best]}) leaves {theirs:.1f} %. The policy is ahead in "
        f"{ahead} of {plural(len(shared), 'seed')}, so {verdict}."
    )
