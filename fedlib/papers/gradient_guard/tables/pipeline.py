"""The drawing of how Gradient Guard goes from updates to weights."""

from __future__ import annotations

import matplotlib.pyplot as plt

from fedlib.evidence.pictures import Picture
from fedlib.evidence.plots import PALETTE, STYLE


def figure_1() -> Picture:
    """Draw the pipeline: what happens to an update between client and model."""
    boxes = (
        (0.0, 1.0, "client updates\n$x_i$"),
        (0.0, 0.0, "last direction $d$\n= sign of the aggregate"),
        (3.0, 1.0, "saliency maps\nafter each update"),
        (3.0, 0.0, "saliency map\nafter a step along $d$"),
        (5.8, 0.5, "similarity $s_i$\nof the two (SSIM)"),
        (8.6, 0.5, "reputation $r_i$: less for\nthe $c$ least alike"),
        (11.5, 0.5, "weights of the average:\nsoftmax of $r_i$"),
    )
    arrows = ((0, 2), (1, 3), (2, 4), (3, 4), (4, 5), (5, 6))
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(10.5, 2.2), FigureClass=Picture)
        for x, y, text in boxes:
            axis.text(
                x, y, text, ha="center", va="center", fontsize=7.5,
                bbox={"boxstyle": "round,pad=0.4", "fc": "white", "ec": PALETTE[1]},
            )  # fmt: skip
        for start, end in arrows:
            (x0, y0, _), (x1, y1, _) = boxes[start], boxes[end]
            axis.annotate(
                "", (x1 - 1.15, y1), (x0 + 1.15, y0),
                arrowprops={"arrowstyle": "->", "color": "black"},
            )  # fmt: skip
        axis.annotate(
            "next round", (0.0, -0.28), (11.5, 0.22), ha="center", va="top", fontsize=7.5,
            arrowprops={"arrowstyle": "->", "color": "grey",
                        "connectionstyle": "angle,angleA=-90,angleB=180,rad=8"},
        )  # fmt: skip
        axis.set(xlim=(-1.3, 12.8), ylim=(-0.7, 1.4))
        axis.set_axis_off()
    return figure.saying(
        "Diagram of one round of Gradient Guard. A saliency map is taken after each client's "
        "update, and another after a step along the sign of the last aggregate. The similarity of "
        "the two changes the client's reputation, which falls for the least similar clients. The "
        "softmax of the reputations gives the weights of the average, from which the next round "
        "takes its direction."
    )
