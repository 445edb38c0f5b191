"""The stroke font of the glyphs: its strokes, and the short straight pieces they are cut into."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_F32 = NDArray[np.float32]
_Point = tuple[float, float]
_Piece = tuple[float, float, float, float]

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The characters that the font holds. Glyph number g is character g."""
N_GLYPHS = len(ALPHABET)

# The font. A point is two base-36 digits, x then y, y downwards; a stroke is a run of points,
# joined by straight lines, or after "~" by a smooth curve through them (closed if the last point
# is the first). Capitals and digits fill x 0..12 (c), y 2..18 (i); small letters start at y 8,
# rise to 2 and descend to 23 (n). Size and height tell c from C, o from O and so on; 0 has a
# slash, 7 a bar, I serifs and l a tail.
_STROKES: dict[str, str] = {
    "0": "~6294aa9g6i3g2a3462 4e86",
    "1": "27727i",
    "2": "~16336293b6a96d1i 1ibi",
    "3": "~144272a4a7895a ~5a9bbe9h6i3h1f",
    "4": "821dcd 828i",
    "5": "a23229 ~295888bbbe8h5i1g",
    "6": "~92552a2e4h7iagac7a4b2e",
    "7": "12b25i 4aba",
    "8": "~6294986a383462 ~6aacbeah6i2h1e2c6a",
    "9": "~a7835224285a89a7 ~a79d6i",
    "A": "0i62ci 2cac",
    "B": "7i1i1272 ~72a4a87a 7a1a ~7abcbg7i",
    "C": "~b5936234181c3g6i9hbf",
    "D": "6i1i1262 ~6293b7bd9h6i",
    "E": "b2121ibi 1a8a",
    "F": "b2121i 1a8a",
    "G": "~b5936234181c3g6i9hbe bebb7b",
    "H": "121i b2bi 1aba",
    "I": "22a2 626i 2iai",
    "J": "52c2 929d ~9d8h5i2h1e",
    "K": "121i b21b 48bi",
    "L": "121ibi",
    "M": "0i026bc2ci",
    "N": "1i12bib2",
    "O": "~62a4caag6i2g0a2462",
    "P": "1i1272 ~72a3b6a97a 7a1a",
    "Q": "~62a4caag6i2g0a2462 8dcj",
    "R": "1i1272 ~72a3b6a97a 7a1a 6abi",
    "S": "~b5824215286aacbf8i4i1f",
    "T": "02c2 626i",
    "U": "121c ~1c3g6i9gbc bcb2",
    "V": "026ic2",
    "W": "023i689ic2",
    "X": "12bi b21i",
    "Y": "0269c2 696i",
    "Z": "12b21ibi",
    "a": "~aa78482b2f4i7iaf a8agci",
    "b": "222i ~2b5888abaf8i5i2f",
    "c": "~aa78482b2f4i7iag",
    "d": "a2ai ~ab78482b2f4i7iaf",
    "e": "2dad ~ad9968392d3h6iag",
    "f": "~a4826356 565i 2898",
    "g": "~ab78482b2e4h7hae a8aj ~aj9m6n2l",
    "h": "222i ~2c5888ab abai",
    "i": "696i 6263",
    "j": "797k ~7k6m4n1m 7273",
    "k": "222i 982e 5cai",
    "l": "525e ~5e6h9i",
    "m": "080i ~0c29486b 6b6i ~6c89a8cb cbci",
    "n": "282i ~2c5888ab abai",
    "o": "~689aad9g6i3g2d3a68",
    "p": "282n ~2b5888abaf8i5i2f",
    "q": "a8an ~ab78482b2f4i7iaf ancl",
    "r": "282i ~2c4978a9",
    "s": "~a978482a4c8eag8i5i2h",
    "t": "535f ~5f7iah 2898",
    "u": "282e ~2e4i7iae a8ai",
    "v": "286ia8",
    "w": "083i6a9ic8",
    "x": "28ai a82i",
    "y": "286h a83n",
    "z": "28a82iai",
}

_CENTRE = (6.0, 11.0)  # centre of the font's grid, which lands near the centre of the image
_PIECE = 3.6  # longest piece of a stroke in font units; keeps every piece inside its window


class StrokeFont(NamedTuple):
    """The font as arrays, with every stroke cut into short straight pieces.

    Attributes
    ----------
    ends
        The end points x0, y0, x1, y1 of the pieces of each glyph, float32 of shape
        (62, pieces, 4), in font units from the centre of the grid. A glyph with fewer pieces
        than the others has zeros at the end.
    weights
        The weights of 3 x 3 nodes at both ends of each piece, float32 of shape
        (9, 62, pieces, 2). A displacement at the nodes moves each end by the weighted sum.
    counts
        The number of pieces of each glyph, of shape (62,).
    """

    ends: _F32
    weights: _F32
    counts: NDArray[np.intp]


def _curve(points: list[_Point]) -> list[_Point]:
    """Return a dense Catmull-Rom curve through ``points``.

    The curve is closed if the last point is the first.
    """
    if points[0] == points[-1]:
        padded = [points[-2], *points, points[1]]
    else:
        padded = [points[0], *points, points[-1]]
    out = [points[0]]
    for p0, p1, p2, p3 in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        for step in range(1, 9):
            t = step / 8.0
            w0 = t * (t * (2.0 - t) - 1.0) / 2.0
            w1 = (t * t * (3.0 * t - 5.0) + 2.0) / 2.0
            w2 = t * (t * (4.0 - 3.0 * t) + 1.0) / 2.0
            w3 = t * t * (t - 1.0) / 2.0
            out.append(
                (
                    w0 * p0[0] + w1 * p1[0] + w2 * p2[0] + w3 * p3[0],
                    w0 * p0[1] + w1 * p1[1] + w2 * p2[1] + w3 * p3[1],
                )
            )
    return out


def _cut_path(points: list[_Point]) -> list[_Piece]:
    """Cut a path into equal pieces (x0, y0, x1, y1) that are not longer than ``_PIECE``."""
    along = [0.0]
    for (ax, ay), (bx, by) in pairwise(points):
        along.append(along[-1] + math.sqrt((bx - ax) * (bx - ax) + (by - ay) * (by - ay)))
    count = max(1, math.ceil(along[-1] / _PIECE))
    cuts = [points[0]]
    k = 0
    for i in range(1, count):
        target = along[-1] * i / count
        while along[k + 1] < target:
            k += 1
        f = (target - along[k]) / (along[k + 1] - along[k])
        (ax, ay), (bx, by) = points[k], points[k + 1]
        cuts.append((ax + f * (bx - ax), ay + f * (by - ay)))
    cuts.append(points[-1])
    return [(*a, *b) for a, b in pairwise(cuts)]


def _node_weights(x: _F32) -> list[_F32]:
    """Return the weights at ``x`` of a parabola's values at -1, 0 and 1."""
    return [x * (x - 1.0) * 0.5, 1.0 - x * x, x * (x + 1.0) * 0.5]


@lru_cache(maxsize=1)
def stroke_font() -> StrokeFont:
    """Return the font as arrays. They are made once and must not be changed."""
    glyphs = []
    for char in ALPHABET:
        pieces: list[_Piece] = []
        for stroke in _STROKES[char].split():
            text = stroke.removeprefix("~")
            points = [
                (int(text[i], 36) - _CENTRE[0], int(text[i + 1], 36) - _CENTRE[1])
                for i in range(0, len(text), 2)
            ]
            if stroke.startswith("~"):
                pieces += _cut_path(_curve(points))
            else:
                for pair in pairwise(points):
                    pieces += _cut_path(list(pair))
        glyphs.append(pieces)
    counts = np.array([len(pieces) for pieces in glyphs], dtype=np.intp)
    ends = np.zeros((N_GLYPHS, int(counts.max()), 4), dtype=np.float32)
    for g, pieces in enumerate(glyphs):
        ends[g, : len(pieces)] = pieces
    across = _node_weights(ends[:, :, 0::2] / np.float32(7.0))
    down = _node_weights(ends[:, :, 1::2] / np.float32(11.0))
    weights = np.stack([wy * wx for wy in down for wx in across]).astype(np.float32)
    return StrokeFont(ends, weights, counts)
