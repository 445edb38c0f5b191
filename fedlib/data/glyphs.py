"""A deterministic generator of labelled glyph images.

It stands in for MNIST-like (grey, 28 x 28) and CIFAR-like (colour, 32 x 32) data where no real
data set is on disk. The glyphs are the digits and the Latin letters, drawn from the stroke font in
:mod:`fedlib.data.strokes`. Each image has its own distortion, stroke width, brightness, clutter
and noise (:mod:`fedlib.data.glyph_rendering`).

The same arguments give the same bytes everywhere. Two choices see to that: random numbers come
from the raw 64-bit output of PCG64 (whose stream NumPy keeps fixed, unlike the streams of
``Generator``'s distributions), and all arithmetic is element by element with +, -, *, / and square
root, which IEEE 754 rounds exactly. There are no sums over axes, no matrix products and no
trigonometric functions, whose last bits differ between machines.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fedlib.data.glyph_rendering import N_UNIFORM, render_colour, render_grey
from fedlib.data.strokes import N_GLYPHS
from fedlib.validation import check_int

# Part of the seed: a new version gives new images, and any change of the images needs one.
GLYPHS_VERSION = "1"

_BLOCK = 1240  # images per random block, rounded down to a multiple of the class count
_CHUNK = 248  # images rendered at once: some megabytes

_F32 = NDArray[np.float32]


def _uniform(bits: np.random.PCG64, rows: int, columns: int) -> _F32:
    """Draw uniform float32 numbers in [0, 1) of 24 bits, of shape (rows, columns)."""
    raw = np.asarray(bits.random_raw(rows * columns), dtype=np.uint64)
    return ((raw >> np.uint64(40)).astype(np.float32) * np.float32(2.0**-24)).reshape(rows, columns)


def _noise(bits: np.random.PCG64, rows: int, columns: int) -> _F32:
    """Draw triangular noise in (-1, 1), of shape (rows, columns).

    Each number is the difference of two random bytes, divided by 256.
    """
    # A pixel takes two bytes, so that a multiple of 4 pixels takes whole 64-bit words.
    raw = np.asarray(bits.random_raw(rows * columns // 4), dtype="<u8")
    pairs = raw.view(np.uint8).reshape(rows, 2, columns)
    return (pairs[:, 0].astype(np.float32) - pairs[:, 1]) * np.float32(1.0 / 256.0)


def make_glyphs(
    n: int,
    *,
    n_classes: int = 62,
    colour: bool = False,
    seed: int = 0,
    first_class: int = 0,
) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Make labelled glyph images.

    The glyphs are 0-9, A-Z and a-z, in this order. Label c is glyph ``first_class + c``. With
    ``n_classes=10`` the glyphs are the digits; with ``first_class=10`` as well, they are the
    letters A to J.

    Every run of ``n_classes`` images holds each class once, in a random order. So the sizes of the
    classes in any first part of the set differ by at most one. If the other arguments are the
    same, a larger set begins with the images of a smaller one. Test images need another ``seed``.

    In colour, up to 62 classes are as many glyphs in warm ink on a cool ground. With more than 62
    classes there are G = ceil(n_classes / 2) glyphs. Labels 0 to G - 1 are these glyphs in warm
    ink on a cool ground, and label G + c is glyph c again in cool ink on a warm ground. So 100
    classes are 50 glyphs in two colour schemes, and 124 classes are all 62 glyphs in two.

    Parameters
    ----------
    n
        The number of images, at least 1.
    n_classes
        The number of classes, 1 to 62, or in colour 1 to 124.
    colour
        Whether to make colour images.
    seed
        The seed of the random numbers, at least 0 and of any size.
    first_class
        The glyph of label 0. The glyphs in use, from this one on, must be among the 62.

    Returns
    -------
    images : numpy.ndarray
        Light ink on a dark ground, uint8 of shape (n, 28, 28); or in colour, uint8 of shape
        (n, 3, 32, 32) with the channels red, green and blue.
    labels : numpy.ndarray
        The class of each image, int64 of shape (n,).

    Raises
    ------
    ConfigError
        If an argument is out of its range. The message names the argument, its value and what is
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
        u = _uniform(bits, block_size, N_UNIFORM)
        for start in range(0, size, _CHUNK):
            stop = min(start + _CHUNK, size)
            chunk_labels = block_labels[start:stop]
            glyphs = first_class + chunk_labels % n_shapes
            # Noise comes last in the stream, so only the images wanted take any.
            noise = _noise(bits, stop - start, channels * side * side)
            if colour:
                part = render_colour(glyphs, chunk_labels // n_shapes, u[start:stop], noise)
            else:
                part = render_grey(glyphs, u[start:stop], noise)
            images[begin + start : begin + stop] = part
            labels[begin + start : begin + stop] = chunk_labels
    return images, labels
