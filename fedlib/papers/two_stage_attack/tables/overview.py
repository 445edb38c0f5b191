"""Figure 1: the two stages of the attack."""

from __future__ import annotations

import matplotlib.pyplot as plt

from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import PALETTE, STYLE

_BOXES = (
    (0.0, 1.0, "server's models\n$\\theta_0, \\theta_1, \\dots$"),
    (0.0, 0.0, "attacker's own data"),
    (3.1, 0.5, "gradient matching:\nlearned data $\\tilde P$"),
    (6.3, 0.5, "simulated federation,\nDDPG"),
    (9.4, 0.5, "policy $\\mu$"),
    (9.4, -0.6, "update sent to the server:\n$\\mu(\\theta_t)$, rescaled"),
)
_ARROWS = ((0, 2), (1, 2), (2, 3), (3, 4), (4, 5))


def figure_1() -> Picture:
    """The two stages, drawn."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(9.5, 2.6), FigureClass=Picture)
        axis.axvspan(-1.3, 4.7, color=PALETTE[1], alpha=0.08, lw=0)
        axis.axvspan(4.7, 11.0, color=PALETTE[0], alpha=0.08, lw=0)
        axis.text(1.7, 1.55, "stage one: the data", ha="center", fontsize=9)
        axis.text(7.9, 1.55, "stage two: the policy, then the attack", ha="center", fontsize=9)
        for x, y, text in _BOXES:
            axis.text(
                x, y, text, ha="center", va="center", fontsize=8,
                bbox={"boxstyle": "round,pad=0.4", "fc": "white", "ec": "black"},
            )  # fmt: skip
        for start, end in _ARROWS:
            (x0, y0, _), (x1, y1, _) = _BOXES[start], _BOXES[end]
            side = 1.2 if x1 > x0 else 0.0
            up = 0.0 if x1 > x0 else 0.27
            axis.annotate(
                "", (x1 - side, y1 + up), (x0 + side, y0 - up), arrowprops={"arrowstyle": "->"}
            )
        axis.set(xlim=(-1.3, 11.0), ylim=(-1.0, 1.9))
        axis.set_axis_off()
    return figure.saying(
        "Diagram of the attack. In stage one the attacker matches the gradients of the server's "
        "models, starting from its own data, and so learns data. In stage two it simulates a "
        "federation on these data and learns a policy by DDPG. The policy then makes the update "
        "that is sent to the server."
    )
