"""Figure 1: a thought experiment in the plane, in which an attacker sneaks in or lays siege."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import torch

from fedlib.aggregators import AGGREGATORS
from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import PALETTE, STYLE
from fedlib.evidence.report import Table
from fedlib.federation import Facts
from fedlib.validation import ConfigError

_N_CLIENTS, _N_BYZANTINE = 11, 5
_HONEST = {"sneak": [0, 5, 6, 7, 8, 9, 10], "siege": [0, 1, 2, 3, 4, 5, 6]}
"""The honest ones among the eleven vectors in either case."""
_CANDIDATES: dict[str, tuple[str, dict[str, str]]] = {
    "average": ("mean", {}),
    "Inner (CenterwO)": ("center_with_outliers", {}),
    "Outer (CenterwO)": ("center_with_outliers", {"side": "outer"}),
    "Inner (MeanwO)": ("mean_with_outliers", {}),
    "Outer (MeanwO)": ("mean_with_outliers", {"side": "outer"}),
}
"""The average and the paper's candidates: their rules in the registry, and the options."""
_MARKERS = {"average": "x", "Inner (MeanwO)": "+", "Outer (MeanwO)": "*"}


def _plane() -> torch.Tensor:
    """Eleven vectors: five in a tight group, six round it. The paper prints none of them."""
    turn = np.arange(6) * np.pi / 3 + 0.3
    tight = np.array([1.0, 0.5]) + 0.12 * np.array([[0, 0], [1, 0], [-1, 0.3], [0.2, 1], [0, -1]])
    wide = 2 * np.column_stack([np.cos(turn), np.sin(turn)]) - tight[0] / 6
    return torch.from_numpy(np.concatenate([tight, wide]))


def _answer(updates: torch.Tensor, name: str, options: dict[str, Any] | None = None) -> np.ndarray:
    """What a rule of the registry makes of the eleven vectors, ``(2,)``."""
    rule = AGGREGATORS[name](n_byzantine=_N_BYZANTINE, **(options or {}))
    # The server's own update, where a rule wants one: a fixed vector, it knows nothing.
    facts = Facts(server_update=torch.ones(2, dtype=updates.dtype))
    answer: np.ndarray = rule.apply(updates, rule.init(_N_CLIENTS, 2), facts)[0].numpy()
    return answer


def figure_1() -> Picture:
    """Sneak and siege: the same eleven vectors with other owners, and three rules' answers."""
    everyone = _plane()
    answers = {title: _answer(everyone, *_CANDIDATES[title]) for title in _MARKERS}
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(
            1, 2, figsize=(8, 4), sharey=True, layout="constrained", FigureClass=Picture
        )
        for axis, (title, honest) in zip(axes, _HONEST.items(), strict=True):
            hostile = [i for i in range(_N_CLIENTS) if i not in honest]
            axis.plot(*everyone[honest].T, "o", color=PALETTE[1], label="honest")
            axis.plot(*everyone[hostile].T, "s", color="black", label="Byzantine")
            axis.plot(
                *everyone[honest].mean(0), "o", mfc="none", ms=13, color=PALETTE[2],
                label="honest mean",
            )  # fmt: skip
            for label, answer in answers.items():
                axis.plot(
                    *answer, _MARKERS[label], ms=11, mew=2, ls="none", color=PALETTE[0], label=label
                )
            axis.set(title=title, aspect="equal")
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6)
    return figure.saying(
        "Two panels with the same eleven points in the plane: five in a tight group on the right, "
        "and six in a wide ring. In the left panel, sneak, four points of the group are Byzantine "
        "and the mean of the honest points is in the middle of the ring. In the right one, siege, "
        "four points of the ring are Byzantine, and the mean of the honest points is beside the "
        "group. The answers of three rules stand at the same places in both panels: Inner in the "
        "group, Outer near the middle of the ring, and the average between them. Outer is nearest "
        "to the honest mean on the left, and Inner is nearest to it on the right."
    )


def _other_rules() -> list[str]:
    """The rules of the registry that can be asked beside the candidates."""
    # One looks at models, not at vectors; the others are candidates already.
    left_out = {"gradient_guard", *(name for name, _ in _CANDIDATES.values())}
    return [name for name in sorted(AGGREGATORS) if name not in left_out and _withstands(name)]


def _withstands(name: str) -> bool:
    """Whether a rule can be used with five Byzantine clients among eleven."""
    try:
        AGGREGATORS[name](n_byzantine=_N_BYZANTINE).check(_N_CLIENTS)
    except ConfigError:
        return False
    return True


def dilemma_table() -> Table:
    """How far each rule of the catalogue is from the honest mean in either case of Figure 1."""
    everyone = _plane()
    answers = {title: _answer(everyone, *rule) for title, rule in _CANDIDATES.items()}
    answers |= {name: _answer(everyone, name) for name in _other_rules()}
    means = [everyone[honest].mean(0).numpy() for honest in _HONEST.values()]
    distances = {
        title: [float(np.linalg.norm(answer - mean)) for mean in means]
        for title, answer in answers.items()
    }
    rows, classes = [], {}
    for number, (title, pair) in enumerate(distances.items()):
        rows.append((title, *(f"{distance:.2f}" for distance in pair)))
        for column, (distance, usual) in enumerate(zip(pair, distances["average"], strict=True), 1):
            if title != "average" and abs(distance - usual) > 1e-9:
                classes[number, column] = "agrees" if distance < usual else "differs"
    return Table(
        ("rule", "sneak", "siege"),
        tuple(rows),
        "Distance from each rule's answer to the mean of the honest vectors. Green means that the "
        "answer is nearer to this mean than the plain average is",
        classes,
    )
