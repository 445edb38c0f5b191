"""The runs of Figures 1, 3 and 12 to 14 and of Tables II and III.

Each is a cell of Table IV with one change.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fedlib.grids import with_changes
from fedlib.papers.centered_clipping.keys import (
    Key,
    alternating_alie,
    cosines,
    sparse_rop,
    table_iv,
)
from fedlib.papers.centered_clipping.searches import SEARCHES
from fedlib.papers.centered_clipping.settings import CLIPPING, MOMENTA, RULES
from fedlib.runs import RunConfig


@dataclass(frozen=True)
class Extra:
    """A run beside Table IV.

    Parameters
    ----------
    key, base
        Its own key, and that of the cell of Table IV that it is made of.
    change
        From the run of ``base`` to this one.
    """

    key: Key
    base: Key
    change: Callable[[RunConfig], RunConfig]


def with_cosines(run: RunConfig) -> RunConfig:
    """The same run with its cosines recorded."""
    return run.with_(track=("cosines",))


# Figure 1 and Tables II and III are CIFAR-10's or do not say whose; Fashion-MNIST besides, because
# its runs are within reach of a CPU. Table II does not name its rule: the trimmed mean's is shown.
CIFAR_AND_FMNIST = ("cifar10_iid", "fmnist_iid")
WATCHED = (("alie", "tm"), *(("rop", rule) for rule in CLIPPING))
"""Attacks and rules whose cosines are recorded."""

EXTRAS = (
    *(
        Extra(
            alternating_alie(setting, momentum),
            table_iv(setting, "alie", "tm", momentum),
            with_changes("attack", alternating=True),
        )
        for setting in CIFAR_AND_FMNIST
        for momentum in MOMENTA
    ),
    *(
        Extra(
            cosines(setting, attack, rule, momentum),
            table_iv(setting, attack, rule, momentum),
            with_cosines,
        )
        for setting in CIFAR_AND_FMNIST
        for attack, rule in WATCHED
        for momentum in MOMENTA
    ),
    *(
        Extra(
            sparse_rop(rule, momentum),
            table_iv("cifar10_iid", "rop", rule, momentum),
            with_changes("attack", sparse=True),
        )
        # Against TM, which goes by index-wise statistics, for what section V-A says of these.
        for rule in (*CLIPPING, "tm")
        for momentum in MOMENTA
    ),
    *(
        Extra(
            search.key(value, rule, momentum),
            table_iv(search.setting, "rop", rule, momentum),
            with_changes("attack", **{search.field: value}),
        )
        for search in SEARCHES.values()
        for value in search.others
        for rule in RULES
        for momentum in MOMENTA
    ),
)
