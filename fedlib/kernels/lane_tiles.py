"""What a tile of 16 samples needs besides sums: pooling, and laying the samples side by side.

Arrays are flat, and positions and steps count numbers. No position is checked.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fedlib.kernels.lanes import (
    LANES,
    ZERO,
    Numbers,
    further,
    order,
    splat,
)


def _largest(builder: Any, vectors: list[Any]) -> Any:
    """The largest number of each lane; NaN if one of them is."""
    best = vectors[0]
    for other in vectors[1:]:
        # "Greater or not comparable" takes over a NaN, and the second test keeps one.
        taken = builder.and_(
            builder.fcmp_unordered(">", other, best), builder.fcmp_ordered("ord", best, best)
        )
        best = builder.select(taken, other, best)
    return best


@intrinsic
def pool(
    typingctx: Any, x: Any, at: Any, row_step: Any, out: Any, out_at: Any, positive: Any
) -> Any:
    """Store the largest of the four vectors at ``at`` and below; zero for ``positive`` if less."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = Numbers(context, builder, x, arguments[0])
        four = [source.vector(place) for place in _window(builder, arguments[1], arguments[2])]
        best = _largest(builder, four)
        clipped = builder.select(builder.fcmp_ordered("<", best, ZERO), ZERO, best)
        best = builder.select(context.is_true(builder, positive, arguments[5]), clipped, best)
        Numbers(context, builder, out, arguments[3]).put_vector(best, arguments[4])
        return context.get_dummy_value()

    i = types.intp
    return types.none(x, i, i, out, i, types.boolean), generate


@intrinsic
def unpool(typingctx: Any, x: Any, at: Any, row_step: Any, g: Any, g_at: Any, positive: Any) -> Any:
    """Put the gradient ``g`` over the first of the largest of four vectors, and zero over the rest.

    With ``positive`` the numbers come out of a ReLU, and the gradient of those that are not
    positive is zero.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = Numbers(context, builder, x, arguments[0])
        places = _window(builder, arguments[1], arguments[2])
        four = [source.vector(place) for place in places]
        best = _largest(builder, four)
        left = Numbers(context, builder, g, arguments[3]).vector(arguments[4])
        stopped = builder.and_(
            builder.fcmp_ordered("<=", best, ZERO),
            splat(builder, context.is_true(builder, positive, arguments[5])),
        )
        left = builder.select(stopped, ZERO, left)
        for place, vector in zip(places, four, strict=True):
            here = builder.fcmp_unordered("==", vector, best)
            source.put_vector(builder.select(here, left, ZERO), place)
            left = builder.select(here, ZERO, left)
        return context.get_dummy_value()

    i = types.intp
    return types.none(x, i, i, g, i, types.boolean), generate


def _window(builder: Any, at: Any, row_step: Any) -> list[Any]:
    """The positions of a window of two rows and two columns."""
    lanes = ir.Constant(at.type, LANES)
    rows = at, builder.add(at, row_step)
    return [place for row in rows for place in (row, builder.add(row, lanes))]


@intrinsic
def transpose(
    typingctx: Any, x: Any, starts: Any, count: Any, shift: Any, out: Any, at: Any, step: Any
) -> Any:
    """Lay numbers ``shift`` to ``shift + LANES`` of each sample side by side.

    Sample ``i`` begins at ``x[starts[i]]``. Lanes from ``count`` on are zero, whatever is there.
    Number ``j`` of all samples is stored at ``out[at + j * step]``.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source = Numbers(context, builder, x, arguments[0])
        begin = Numbers(context, builder, starts, arguments[1])
        rows = []
        for lane in range(LANES):
            start = begin.number(ir.Constant(arguments[3].type, lane))
            rows.append(source.vector(builder.add(start, arguments[3])))
        # Interleaving each row with the one half of all rows further on, as often as there are
        # bits in the number of a lane, exchanges rows and lanes.
        low = order([i // 2 + LANES * (i % 2) for i in range(LANES)])
        high = order([LANES // 2 + i // 2 + LANES * (i % 2) for i in range(LANES)])
        half = LANES // 2
        for _ in range(LANES.bit_length() - 1):
            rows = [
                builder.shuffle_vector(rows[i], rows[i + half], half_of)
                for i in range(half)
                for half_of in (low, high)
            ]
        counts = splat(builder, builder.trunc(arguments[2], ir.IntType(32)))
        filled = builder.icmp_signed("<", order([*range(LANES)]), counts)
        place = Numbers(context, builder, out, arguments[4])
        for j, row in enumerate(rows):
            at = further(builder, arguments[5], arguments[6], j)
            place.put_vector(builder.select(filled, row, ZERO), at)
        return context.get_dummy_value()

    i = types.intp
    return types.none(x, starts, i, i, out, i, i), generate
