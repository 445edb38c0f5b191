"""Draws glyphs as images: each is distorted, with clutter, a ground and noise.

All arithmetic is element by element, so that it gives the same bytes everywhere (see
:mod:`fedlib.data.glyphs`).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fedlib.data.strokes import stroke_font

_WINDOW = 12  # pixels: side of the square round a piece that is looked at when drawing it
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

# Columns of the table of uniform numbers, which has one row per image.
_U_SHAPE = 0  # scale, aspect, turn, shear, shift x and y, radius, softness
_U_WOBBLE = 8  # 3 x 3 nodes, x and y
_U_TONE = 26  # ink, noise, then 3 channels each of ink and ground, 3 of clutter, clutter count
_U_GROUND = 38  # 3 channels of 3 x 3 nodes
_U_CLUTTER = 65  # per stroke: three points' x and y, radius, strength
N_UNIFORM = _U_CLUTTER + 8 * _CLUTTER
"""How many uniform random numbers an image needs."""

_F32 = NDArray[np.float32]


@lru_cache(maxsize=2)
def _ground_weights(side: int) -> _F32:
    """Return the bilinear weights of 3 x 3 nodes at each pixel, float32 (9, side * side)."""
    x = np.arange(side, dtype=np.float32) * np.float32(2.0 / (side - 1)) - np.float32(1.0)
    hats = [np.maximum(-x, 0.0), 1.0 - np.abs(x), np.maximum(x, 0.0)]
    grids = [(wy[:, None] * wx[None, :]).reshape(-1) for wy in hats for wx in hats]
    return np.stack(grids).astype(np.float32)


def _between(u: _F32, low: float, high: float) -> _F32:
    """Stretch numbers from [0, 1) to [low, high)."""
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
    """Draw one piece of a stroke, with round ends, into several images, in place.

    Parameters
    ----------
    canvas
        The coverage of each pixel in [0, 1], float32 of shape (images, side * side).
    side
        The side of an image in pixels.
    rows
        The images to draw into.
    piece
        The ends x0, y0, x1, y1 in each of these images, each of shape (len(rows),), in pixels.
        The centres of pixels have whole numbers.
    radius, sharpness
        Half the width of the stroke in pixels, and how steeply the coverage falls at its edge,
        both of shape (len(rows),).
    strength
        The coverage in the middle of the stroke, of shape (len(rows),). None is 1.
    """
    x0, y0, x1, y1 = piece
    dx, dy = x1 - x0, y1 - y0
    # A window that would leave the image is moved back inside. It still holds what is visible.
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
    """Return the coverage by the distorted glyphs, float32 (images, side * side) in [0, 1]."""
    ends, weights, counts = stroke_font()
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
    # Sine and cosine are taken from the tangent of half the angle, because division rounds the
    # same way everywhere and the functions of libm do not.
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
    """Return the coverage by up to ``_CLUTTER`` short bent strokes.

    It is float32 of shape (images, side * side), in [0, 1].
    """
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
    """Return a smooth random field in [-1, 1), float32 (images, side * side)."""
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


def render_grey(glyphs: NDArray[np.intp], u: _F32, noise: _F32) -> NDArray[np.uint8]:
    """Draw light glyphs on a dark ground.

    Parameters
    ----------
    glyphs
        The glyph of each image, of shape (images,).
    u
        Uniform random numbers in [0, 1), float32 of shape (images, N_UNIFORM).
    noise
        Random numbers in (-1, 1), float32 of shape (images, 28 * 28).

    Returns
    -------
    numpy.ndarray
        Images, uint8 of shape (images, 28, 28).
    """
    side = 28
    ink = _glyph_layer(glyphs, u, side) * _between(u[:, _U_TONE], 0.55, 1.0)[:, None]
    clutter = _clutter_layer(u, side) * np.float32(0.8)
    level = _between(u[:, _U_TONE + 5], 0.0, 0.15)[:, None]
    image = np.maximum(ink, clutter)
    # Ink lies over the ground, so the ground shows only where there is none.
    image += (level + _ground(u, side, 0) * np.float32(0.08)) * (1.0 - image)
    image += noise * _between(u[:, _U_TONE + 1], 0.03, 0.28)[:, None]
    return _bytes(image).reshape(-1, side, side)


def render_colour(
    glyphs: NDArray[np.intp], scheme: NDArray[np.intp], u: _F32, noise: _F32
) -> NDArray[np.uint8]:
    """Draw glyphs in colour.

    Parameters
    ----------
    glyphs
        The glyph of each image, of shape (images,).
    scheme
        The colours of each image, of shape (images,): 0 for warm ink on a cool ground, 1 for cool
        ink on a warm ground.
    u
        Uniform random numbers in [0, 1), float32 of shape (images, N_UNIFORM).
    noise
        Random numbers in (-1, 1), float32 of shape (images, 3 * 32 * 32).

    Returns
    -------
    numpy.ndarray
        Images, uint8 of shape (images, 3, 32, 32), with the channels red, green and blue.
    """
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
