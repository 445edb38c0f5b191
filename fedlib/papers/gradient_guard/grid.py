"""Grid of gradient_guard (Gupta and Nagaraj, 2023): accuracy against the malicious share.

The paper's section of results is empty, and its text leaves nearly all of the protocol open. The
"paper" scale here is therefore this book's. At it a feed-forward network reaches its usual
accuracy. The text does have the data sets, the kinds of network, the attacks and the defences.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import product

from fedlib.clients import MomentumSGD
from fedlib.data import DataConfig
from fedlib.grids import Cell, Grid, varied
from fedlib.grids.protocol import Protocol
from fedlib.papers.gradient_guard.keys import (
    Comparison,
    Key,
    Reading,
    Watched,
    parse,
    reading_cell,
)
from fedlib.papers.gradient_guard.players import make_attack, make_rule
from fedlib.papers.gradient_guard.settings import (
    ABLATED,
    FLAIRS_LIMIT,
    FULL,
    GREY,
    HALVED,
    MATCHED,
    N_CLIENTS,
    ON_AXIS,
    ONE,
    PARTIAL,
    PROBED,
    READINGS,
    RULE_TITLES,
    SHARES,
    n_malicious,
)
from fedlib.papers.gradient_guard.variants import VARIANTS
from fedlib.runs import RunConfig


@dataclass(frozen=True, kw_only=True)
class Scale(Protocol):
    """One scale of one data set's protocol.

    Parameters
    ----------
    model
        The network that the clients train.
    """

    model: str


_TINY = (400, 100)
_SMOKE = Scale(model="softmax_regression", rounds=2, eval_every=1, real=_TINY, embedded=_TINY)
_GREY_SCALES = {
    "smoke": _SMOKE,
    "quick": Scale(model="softmax_regression", rounds=300, eval_every=50, real=(None, 2_000)),
    "paper": Scale(model="mlp_100", rounds=1500, eval_every=100, embedded=(60_000, 10_000)),
}
SCALES = {
    "mnist": _GREY_SCALES,
    "fashion_mnist": _GREY_SCALES,
    "cifar10": {
        "smoke": _SMOKE,
        "quick": Scale(model="cnn_4_8", rounds=150, eval_every=25, real=(None, 2_000)),
        "paper": Scale(model="cnn_20_50", rounds=3000, eval_every=200, embedded=(50_000, 10_000)),
    },
}


def config(key: Key, scale: str, seed: int, data: Callable[[str], DataConfig]) -> RunConfig:
    """The run of one cell.

    Parameters
    ----------
    key
        The cell's key.
    scale
        One of the scales of ``SCALES``.
    seed
        The seed of the run.
    data
        Maps a data set's name to where it comes from.
    """
    if isinstance(key, Watched):
        return config(parse(key.base), scale, seed, data).with_(server_step="honest_mean")
    malicious = n_malicious(key.share)
    if isinstance(key, Reading):
        rule = make_rule("gradient_guard", malicious, **READINGS[key.reading])
    else:
        rule = make_rule(key.rule, malicious)
    protocol = SCALES[key.data][scale]
    return RunConfig(
        data=protocol.sized(data(key.data)),
        model=protocol.model,
        n_clients=N_CLIENTS,
        n_byzantine=malicious,
        client=MomentumSGD(batch_size=32),
        aggregator=rule,
        attack=make_attack(key.attack, malicious, seed),
        rounds=protocol.rounds,
        learning_rate=0.1,
        eval_every=protocol.eval_every,
        seed=seed,
        server_samples=20,
        track=("reputation",) if rule.keeps_reputations else (),
    )


def _compared(
    names: tuple[str, ...], attacks: tuple[str, ...], rules: tuple[str, ...]
) -> list[Comparison]:
    """The cells that compare rules at all shares."""
    return [Comparison.of(*parts) for parts in product(names, attacks, SHARES, rules)]


def _at_half_and_on_axis() -> list[Key]:
    """The cells of the readings at other shares than 30 %: those of the axis at 50 % come first."""
    half = SHARES[-1]
    shares = (half, *(share for share in SHARES[1:] if share != half))
    axis = [
        reading_cell(data, attack, share, reading)
        for share, data, attack, reading in product(shares, GREY, FULL, ON_AXIS)
    ]
    others = [
        reading_cell(data, attack, share, reading)
        for (data, attack, share), reading in product(HALVED, READINGS)
    ]
    return [*axis, *others]


@cache
def _keys() -> tuple[Key, ...]:
    """The keys of all cells: grey images, full knowledge and the readings come first."""
    rules = tuple(RULE_TITLES)
    readings = [
        reading_cell(data, attack, share, reading)
        for (data, attack, share), reading in product(ABLATED, READINGS)
    ]
    judged = [
        *(Comparison(*place, "gradient_guard") for place in product(GREY, FULL, SHARES[1:])),
        *(key for key in readings if isinstance(key, Reading)),
    ]
    matching = "saliency_matching"
    keys: list[Key] = [
        *_compared(GREY, FULL, rules),
        *(Comparison(*place, FLAIRS_LIMIT, "flair") for place in product(GREY, FULL)),
        *readings,
        *(Watched(str(key)) for key in judged),
        *_compared(GREY, (matching,), MATCHED),
        *(Reading(PROBED, data, matching, share) for data, share in product(GREY, SHARES[1:])),
        *_compared(GREY, PARTIAL, rules),
        *_compared(("cifar10",), FULL, rules),
        *_at_half_and_on_axis(),
        *(Comparison(data, "amplified", ONE, "fedsgd") for data in GREY),
    ]
    return tuple(dict.fromkeys(keys))


def cells(scale: str, seed: int, data: Callable[[str], DataConfig]) -> list[Cell]:
    """All cells of one seed, in the order to compute them; see :class:`fedlib.grids.Grid`."""
    own = [Cell(str(key), config(key, scale, seed, data)) for key in _keys()]
    return [*own, *varied(VARIANTS, {cell.key: cell.config for cell in own})]


GRID = Grid(
    slug="gradient_guard",
    title="Gradient Guard: Robust Federated Learning using Saliency Maps",
    cells=cells,
    seeds={"smoke": 1, "quick": 1, "paper": 3},
    heading="Gradient Guard",
)
