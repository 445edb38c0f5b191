"""Runs on CIFAR-10 that are a tenth as long as the paper's, for computers without a GPU.

They have the paper's network, clients and batches, and a tenth of its rounds. The learning rate is
divided by ten after three quarters of them, as in the paper. They are cells of their own, whose
values are never compared with Table IV.
"""

from __future__ import annotations

from collections.abc import Mapping

from fedlib.grids import Cell
from fedlib.papers.centered_clipping.keys import COSINES, TABLE_IV, TEN_EPOCHS, Key
from fedlib.papers.centered_clipping.settings import CLIPPING
from fedlib.runs import RunConfig

SETTING = "cifar10_iid"
REDUCED = "10 of 100 epochs"
"""What the runs have less of than the paper's."""
ATTACKS = ("none", "rop", "alie", "ipm")
MOMENTA = (0.9, 0.99)
"""The momenta, without 0, at which the text takes the rules for robust."""
MINUTES = 20.0
"""How long a run takes on one core: 625 rounds of 1.45 s and 13 evaluations of 17 s, as measured.

An evaluation takes as long as 11 rounds, so that there are few of them.
"""
_SHARE = 10
_BETWEEN_EVALUATIONS = 0.08
"""The share of the run between two evaluations."""


def key(rule: str, momentum: float, attack: str) -> Key:
    """Return the key of a short run, by its rule, its momentum and its attack."""
    return Key(TEN_EPOCHS, SETTING, attack, rule, momentum)


# The rules that the text says the most of come first, and IPM against the others comes last.
KEYS = tuple(
    sorted(
        (
            key(rule, momentum, attack)
            for rule in ("cc_tau1", "cc_tau0.1", "tm", "rfa")
            for momentum in reversed(MOMENTA)
            for attack in ATTACKS
        ),
        key=lambda short: short.attack == "ipm" and short.rule not in CLIPPING,
    )
)
"""The keys of the short runs, in the order in which to compute them."""


def short_key(long: Key) -> Key | None:
    """Return the key of the short run of a cell, or None if it has none.

    Parameters
    ----------
    long
        The key of a cell of Table IV, or of one whose cosines are recorded.
    """
    short = long._replace(item=TEN_EPOCHS)
    return short if long.item in (TABLE_IV, COSINES) and short in KEYS else None


def shortened(run: RunConfig) -> RunConfig:
    """Return a run of a tenth of the rounds, with the milestones at the same shares of it.

    Parameters
    ----------
    run
        The run of the whole length.
    """
    # The cosines to the last aggregate need a round before.
    rounds = max(round(run.rounds / _SHARE), 2)
    return run.with_(
        rounds=rounds,
        milestones=tuple(max(round(milestone / _SHARE), 1) for milestone in run.milestones),
        eval_every=max(round(_BETWEEN_EVALUATIONS * rounds), 1),
    )


def cells(found: Mapping[Key, RunConfig]) -> list[Cell]:
    """Return the cells of the short runs.

    Parameters
    ----------
    found
        The runs of Table IV and those whose cosines are recorded, by key. A short run records its
        cosines if a long one does.
    """
    made = []
    for short in KEYS:
        watched = found.get(short._replace(item=COSINES))
        run = watched if watched is not None else found[short._replace(item=TABLE_IV)]
        made.append(Cell(str(short), shortened(run), reduced=REDUCED, minutes=MINUTES))
    return made
