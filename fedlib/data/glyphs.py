"""A deterministic generator of labelled glyph images.

It stands in for MNIST-like (grey, 28 x 28) and CIFAR-like (colour, 32 x 32) data where no real
data set is on disk. The glyphs are the digits and the Latin letters, drawn from a stroke font
held in this file, each image with its own distortion, stroke width, brightness, clutter and
noise.

The same arguments give the same bytes everywhere. Two choices see to that: random numbers come
from the raw 64-bit output of PCG64 (whose stream NumPy keeps fixed, unlike the streams of
`Generator`'s distributions), and all arithmetic is element by element with +, -, *, / and square
root, which IEEE 754 rounds exactly. There are no sums over axes, no matrix products and no
trigonometric functions, whose last bits differ between machines.
"""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from fedlib.validation import check_int

# Part of the seed: a new version gives new images, and any change of the images needs one.
GLYPHS_VERSION = "1"

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
N_GLYPHS = len(ALPHABET)

# The font. A point is two base-36 digits, x then y, y downwards; a stroke is a run of points,
# joined by straight lines, or after "~" by a smooth curve through them (closed if the last point
# is the first). Capitals and digits fill x 0..12 (c), y 2..18 (i); small letters start at y 8,
# rise to 2 and descend to 23 (n). Size and height tell c from C, o from O and so on; 0 has a
# slash, 7 a bar, I serifs and l a tail.
_FONT: dict[str, str] = {
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

_CENTRE = (6.0, 11.0)  # of the font's grid; lands near the image's centre
_PIECE = 3.6  # longest piece of a stroke in font units; keeps every piece inside the window
_WINDOW = 12  # pixels: side of the square round a piece that is looked at when drawing it
_BLOCK = 1240  # images per random block, rounded down to a multiple of the class count
_CHUNK = 248  # images rendered at once: some megabytes
_CLUTTER = 3  # distractor strokes per image at most, of two pieces each

# Distortion, in pixels of a 28 x 28 image where it has a length. Chosen so that a linear softmax
# model stays well below a small convolutional network (tests/test_glyphs.py holds them to it).
_SCALE = (0.92, 1.18)  # pixels per font unit
_ASPECT = 0.15
_TURN = 0.17  # tangent of half the greatest angle
_SHEAR = 0.25
_SHIFT = 3.0
_WOBBLE = 1.3  # font units
_RADIUS = (0.55, 1.35)

# Columns of the table of uniform numbers, one row per image.
_U_SHAPE = 0  # scale, aspect, turn, shear, shift x and y, radius, softness
_U_WOBBLE = 8  # 3 x 3 nodes, x and y
_U_TONE = 26  # ink, noise, then 3 channels each of ink and ground, 3 of clutter, clutter count
_U_GROUND = 38  # 3 channels of 3 x 3 nodes
_U_CLUTTER = 65  # per stroke: three points' x and y, radius, strength
_N_UNIFORM = _U_CLUTTER + 8 * _CLUTTER

_F32 = NDArray[np.float32]


def _curve(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """A dense Catmull-Rom curve through `points`, closed if the last point is the first."""
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


def _split(points: list[tuple[float, float]]) -> list[tuple[float, float, float, float]]:
    """Cut a path into equal pieces (x0, y0, x1, y1) of length at most `_PIECE`."""
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
    """Weights of the quadratic through nodes at -1, 0 and 1."""
    return [x * (x - 1.0) * 0.5, 1.0 - x * x, x * (x + 1.0) * 0.5]


@lru_cache(maxsize=1)
def _font() -> tuple[_F32, _F32, NDArray[np.intp]]:
    """The font as arrays.

    Returns the pieces' end points, float32 of shape (62, pieces, 4) relative to the grid's centre;
    the weights of the 3 x 3 wobble nodes at those ends, float32 (9, 62, pieces, 2); and the number
    of pieces of each glyph, (62,).
    """
    glyphs = []
    for char in ALPHABET:
        pieces: list[tuple[float, float, float, float]] = []
        for stroke in _FONT[char].split():
            text = stroke.removeprefix("~")
            points = [
                (int(text[i], 36) - _CENTRE[0], int(text[i + 1], 36) - _CENTRE[1])
                for i in range(0, len(text), 2)
            ]
            if stroke.startswith("~"):
                pieces += _split(_curve(points))
            else:
                for pair in pairwise(points):
                    pieces += _split(list(pair))
        glyphs.append(pieces)
    counts = np.array([len(pieces) for pieces in glyphs], dtype=np.intp)
    ends = np.zeros((N_GLYPHS, int(counts.max()), 4), dtype=np.float32)
    for g, pieces in enumerate(glyphs):
        ends[g, : len(pieces)] = pieces
    across = _node_weights(ends[:, :, 0::2] / np.float32(7.0))
    down = _node_weights(ends[:, :, 1::2] / np.float32(11.0))
    weights = np.stack([wy * wx for wy in down for wx in across]).astype(np.float32)
    return ends, weights, counts


@lru_cache(maxsize=2)
def _ground_weights(side: int) -> _F32:
    """Bilinear weights of 3 x 3 nodes over a side x side image: float32 (9, side * side)."""
    x = np.arange(side, dtype=np.float32) * np.float32(2.0 / (side - 1)) - np.float32(1.0)
    hats = [np.maximum(-x, 0.0), 1.0 - np.abs(x), np.maximum(x, 0.0)]
    grids = [(wy[:, None] * wx[None, :]).reshape(-1) for wy in hats for wx in hats]
    return np.stack(grids).astype(np.float32)


def _uniform(bits: np.random.PCG64, rows: int, columns: int) -> _F32:
    """Uniform float32 numbers in [0, 1), shape (rows, columns), 24 bits each."""
    raw = np.asarray(bits.random_raw(rows * columns), dtype=np.uint64)
    return ((raw >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)).reshape(rows, columns)


def _noise(bits: np.random.PCG64, rows: int, columns: int) -> _F32:
    """Triangular noise in (-1, 1), shape (rows, columns): the difference of two random bytes."""
    # Two bytes a pixel; a multiple of 4 pixels takes a whole number of 64-bit words.
    raw = np.asarray(bits.random_raw(rows * columns // 4), dtype="<u8")
    pairs = raw.view(np.uint8).reshape(rows, 2, columns)
    return (pairs[:, 0].astype(np.float32) - pairs[:, 1]) * np.float32(1.0 / 256.0)


def _between(u: _F32, low: float, high: float) -> _F32:
    return u * np.float32(high - low) + np.float32(low)


def _draw(
    canvas: _F32,
    side: int,
    rows: NDArray[np.intp],
    piece: tuple[_F32, _F32, _F32, _F32],
    radius: _F32,
    sharpness: _F32,
    strength: _F32 | None = None,
) -> None:
    """Draw one piece with round ends into each of the images `rows` of `canvas`, in place.

    `canvas` is float32 (images, side * side) of coverage in [0, 1]; the piece's ends x0, y0, x1, y1
    (pixels, pixel centres at whole numbers), radius, sharpness and strength are (len(rows),).
    """
    x0, y0, x1, y1 = piece
    dx, dy = x1 - x0, y1 - y0
    # A window that would leave the image is moved back inside; it still holds what is visible.
    limit = np.float32(side - _WINDOW)
    half = np.float32(_WINDOW / 2 - 0.5)
    left = np.clip(np.floor((x0 + x1) * 0.5 - half + 0.5), 0.0, limit)
    top = np.clip(np.floor((y0 + y1) * 0.5 - half + 0.5), 0.0, limit)
    steps = np.arange(_WINDOW, dtype=np.float32)
    px = (left - x0)[:, None] + steps
    py = (top - y0)[:, None] + steps
    inverse = 1.0 / np.maximum(dx * dx + dy * dy, np.float32(1e-6))
    # Place of the nearest point of the piece, 0 at one end and 1 at the other.
    t = (px * (dx * inverse)[:, None])[:, None, :] + (py * (dy * inverse)[:, None])[:, :, None]
    np.clip(t, 0.0, 1.0, out=t)
    ex = px[:, None, :] - t * dx[:, None, None]
    ey = py[:, :, None] - t * dy[:, None, None]
    ex *= ex
    ey *= ey
    ex += ey
    np.sqrt(ex, out=ex)
    # Coverage falls from 1 to 0 over a band one pixel wide, wider where sharpness is below 1.
    np.subtract(radius[:, None, None], ex, out=ex)
    ex *= sharpness[:, None, None]
    ex += 0.5
    np.clip(ex, 0.0, 1.0, out=ex)
    if strength is not None:
        ex *= strength[:, None, None]
    start = rows * (side * side) + top.astype(np.intp) * side + left.astype(np.intp)
    offsets = np.arange(_WINDOW)[:, None] * side + np.arange(_WINDOW)
    where = start[:, None, None] + offsets
    flat = canvas.reshape(-1)
    flat[where] = np.maximum(flat[where], ex)


def _glyph_layer(glyphs: NDArray[np.intp], u: _F32, side: int) -> _F32:
    """Coverage of the distorted glyphs: float32 (images, side * side) in [0, 1]."""
    ends, weights, counts = _font()
    unit = side / 28.0
    scale = _between(u[:, 0], _SCALE[0] * unit, _SCALE[1] * unit)
    aspect = _between(u[:, 1], 1.0 - _ASPECT, 1.0 + _ASPECT)
    turn = _between(u[:, 2], -_TURN, _TURN)
    shear = _between(u[:, 3], -_SHEAR, _SHEAR)
    middle = (side - 1) / 2.0
    shift_x = _between(u[:, 4], middle - _SHIFT * unit, middle + _SHIFT * unit)
    shift_y = _between(u[:, 5], middle - _SHIFT * unit, middle + _SHIFT * unit)
    radius = _between(u[:, 6], _RADIUS[0] * unit, _RADIUS[1] * unit)
    sharpness = _between(u[:, 7], 0.6, 1.1)
    # Sine and cosine from the tangent of half the angle: division is exact, libm is not.
    square = turn * turn
    cos = (1.0 - square) / (1.0 + square)
    sin = (turn + turn) / (1.0 + square)
    # x' = cos * ax * (x + shear * y) - sin * ay * y, and likewise y'.
    wide, tall = scale * aspect, scale / aspect
    xx, yx = cos * wide, sin * wide
    xy, yy = xx * shear - sin * tall, yx * shear + cos * tall

    wobble = _between(u[:, _U_WOBBLE : _U_WOBBLE + 18], -_WOBBLE, _WOBBLE)
    x, y = ends[glyphs, :, 0::2], ends[glyphs, :, 1::2]
    for node in range(9):
        weight = weights[node, glyphs]
        x = x + weight * wobble[:, 2 * node, None, None]
        y = y + weight * wobble[:, 2 * node + 1, None, None]

    def column(a: _F32) -> _F32:
        return a[:, None, None]

    image_x = x * column(xx) + y * column(xy) + column(shift_x)
    image_y = x * column(yx) + y * column(yy) + column(shift_y)
    canvas = np.zeros((len(glyphs), side * side), dtype=np.float32)
    for k in range(ends.shape[1]):
        rows = np.flatnonzero(counts[glyphs] > k)
        if len(rows):
            px, py = image_x[rows, k], image_y[rows, k]
            piece = (px[:, 0], py[:, 0], px[:, 1], py[:, 1])
            _draw(canvas, side, rows, piece, radius[rows], sharpness[rows])
    return canvas


def _clutter_layer(u: _F32, side: int) -> _F32:
    """Coverage of up to `_CLUTTER` short bent strokes: float32 (images, side * side)."""
    canvas = np.zeros((len(u), side * side), dtype=np.float32)
    unit = side / 28.0
    # Column _U_TONE + 11 sets how many there are, 0 to _CLUTTER alike.
    number = u[:, _U_TONE + 11] * np.float32(_CLUTTER + 1)
    for stroke in range(_CLUTTER):
        rows = np.flatnonzero(number >= stroke + 1)
        v = u[rows, _U_CLUTTER + 8 * stroke : _U_CLUTTER + 8 * (stroke + 1)]
        x0, y0 = _between(v[:, 0], 0.0, side - 1.0), _between(v[:, 1], 0.0, side - 1.0)
        reach = 3.0 * unit
        x1, y1 = x0 + _between(v[:, 2], -reach, reach), y0 + _between(v[:, 3], -reach, reach)
        x2, y2 = x1 + _between(v[:, 4], -reach, reach), y1 + _between(v[:, 5], -reach, reach)
        radius = _between(v[:, 6], 0.4 * unit, 1.2 * unit)
        strength = _between(v[:, 7], 0.4, 1.0)
        sharpness = np.ones_like(radius)
        _draw(canvas, side, rows, (x0, y0, x1, y1), radius, sharpness, strength)
        _draw(canvas, side, rows, (x1, y1, x2, y2), radius, sharpness, strength)
    return canvas


def _ground(u: _F32, side: int, channel: int) -> _F32:
    """A smooth random field in [-1, 1): float32 (images, side * side)."""
    first = _U_GROUND + 9 * channel
    nodes = _between(u[:, first : first + 9], -1.0, 1.0)
    weights = _ground_weights(side)
    field = nodes[:, 0, None] * weights[0]
    for node in range(1, 9):
        field += nodes[:, node, None] * weights[node]
    return field


def _bytes(image: _F32) -> NDArray[np.uint8]:
    """Round intensities in [0, 1] to bytes."""
    scaled = image * np.float32(255.0)
    scaled += 0.5
    return np.clip(scaled, 0.0, 255.0).astype(np.uint8)


def _render_grey(glyphs: NDArray[np.intp], u: _F32, noise: _F32) -> NDArray[np.uint8]:
    """Light glyphs on a dark ground: uint8 (images, 28, 28)."""
    side = 28
    ink = _glyph_layer(glyphs, u, side) * _between(u[:, _U_TONE], 0.55, 1.0)[:, None]
    clutter = _clutter_layer(u, side) * np.float32(0.8)
    level = _between(u[:, _U_TONE + 5], 0.0, 0.15)[:, None]
    image = np.maximum(ink, clutter)
    # Ink lies over the ground, so the ground shows only where there is none.
    image += (level + _ground(u, side, 0) * np.float32(0.08)) * (1.0 - image)
    image += noise * _between(u[:, _U_TONE + 1], 0.03, 0.28)[:, None]
    return _bytes(image).reshape(-1, side, side)


def _render_colour(
    glyphs: NDArray[np.intp], scheme: NDArray[np.intp], u: _F32, noise: _F32
) -> NDArray[np.uint8]:
    """Glyphs in warm ink on a cool ground (scheme 0) or the reverse: uint8 (images, 3, 32, 32)."""
    side = 32
    pixels = side * side
    ink = _glyph_layer(glyphs, u, side)
    clutter = _clutter_layer(u, side)
    amount = _between(u[:, _U_TONE + 1], 0.03, 0.22)[:, None]
    out = np.empty((len(glyphs), 3, side, side), dtype=np.uint8)
    for channel in range(3):
        u_ink = u[:, _U_TONE + 2 + channel]
        u_ground = u[:, _U_TONE + 5 + channel]
        # Red and blue tell warm from cool; green, the brightest, says nothing of the scheme.
        ink_tone, ground_tone = _between(u_ink, 0.2, 0.8), _between(u_ground, 0.2, 0.8)
        if channel != 1:
            lit = scheme == (0 if channel == 0 else 1)
            ink_tone = np.where(lit, _between(u_ink, 0.55, 1.0), _between(u_ink, 0.0, 0.45))
            ground_tone = np.where(
                lit, _between(u_ground, 0.05, 0.45), _between(u_ground, 0.4, 0.85)
            )
        clutter_tone = u[:, _U_TONE + 8 + channel, None]
        image = ground_tone[:, None] + _ground(u, side, channel) * np.float32(0.2)
        image += clutter * (clutter_tone - image)
        image += ink * (ink_tone[:, None] - image)
        image += noise[:, channel * pixels : (channel + 1) * pixels] * amount
        out[:, channel] = _bytes(image).reshape(-1, side, side)
    return out


def make_glyphs(
    n: int,
    *,
    n_classes: int = 62,
    colour: bool = False,
    seed: int = 0,
    first_class: int = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Make `n` labelled glyph images.

    The glyphs are 0-9, A-Z, a-z in this order. Label c is glyph `first_class + c`: with
    `n_classes=10` the digits, with `first_class=10` as well the letters A to J.

    Every run of `n_classes` images holds each class once, in a random order, so the classes of any
    first part of the set are balanced to within one. With the other arguments the same, a larger
    set begins with the images of a smaller one; take another `seed` for test images.

    In colour, up to 62 classes are as many glyphs in warm ink on a cool ground. With more than 62
    classes there are G = ceil(n_classes / 2) glyphs: labels 0 to G - 1 are these in warm ink on a
    cool ground, and label G + c is glyph c again in cool ink on a warm ground. So 100 classes are
    50 glyphs in two schemes, and 124 classes all 62 in two.

    Args:
        n: number of images, at least 1.
        n_classes: 1 to 62, in colour 1 to 124.
        colour: whether to make colour images.
        seed: at least 0, of any size.
        first_class: the glyph of label 0; `first_class` and the glyphs in use must fit in 62.

    Returns:
        Images, uint8 of shape (n, 28, 28), light ink on a dark ground, or in colour
        (n, 3, 32, 32), channels red, green, blue; and labels, int64 of shape (n,).

    Raises:
        ValueError: if an argument is out of its range; the message names it, its value and what is
            allowed.
    """
    n = check_int("n", n, 1)
    n_classes = check_int("n_classes", n_classes, 1, 2 * N_GLYPHS if colour else N_GLYPHS)
    seed = check_int("seed", seed, 0)
    n_shapes = n_classes if n_classes <= N_GLYPHS else (n_classes + 1) // 2
    first_class = check_int("first_class", first_class, 0, N_GLYPHS - n_shapes)

    side, channels = (32, 3) if colour else (28, 1)
    shape = (n, 3, side, side) if colour else (n, side, side)
    images = np.empty(shape, dtype=np.uint8)
    labels = np.empty(n, dtype=np.int64)
    block_size = n_classes * (_BLOCK // n_classes)
    for block, begin in enumerate(range(0, n, block_size)):
        size = min(block_size, n - begin)
        entropy = [int(GLYPHS_VERSION), int(colour), seed, block]
        bits = np.random.PCG64(np.random.SeedSequence(entropy))
        # Labels and parameters are drawn for a whole block, whatever part of it is wanted.
        order = _uniform(bits, block_size // n_classes, n_classes)
        block_labels = np.argsort(order, axis=1, kind="stable").reshape(-1)
        u = _uniform(bits, block_size, _N_UNIFORM)
        for start in range(0, size, _CHUNK):
            stop = min(start + _CHUNK, size)
            chunk_labels = block_labels[start:stop]
            glyphs = first_class + chunk_labels % n_shapes
            # Noise comes last in the stream, so only the images wanted take any.
            noise = _noise(bits, stop - start, channels * side * side)
            if colour:
                part = _render_colour(glyphs, chunk_labels // n_shapes, u[start:stop], noise)
            else:
                part = _render_grey(glyphs, u[start:stop], noise)
            images[begin + start : begin + stop] = part
            labels[begin + start : begin + stop] = chunk_labels
    return images, labels
