"""Sums of products in blocks of vectors, for the layers of a network.

Arrays are flat, and positions and steps count numbers. No position is checked.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from fedlib.kernels.lanes import (
    FLOATS,
    LANES,
    ZERO,
    Numbers,
    block_type,
    further,
    fused,
    lane_sum,
    packed,
    splat,
    vectors_of,
)


@intrinsic(prefer_literal=True)
def zeros(typingctx: Any, rows: Any, columns: Any) -> Any:
    """A block of zeros with so many ``rows`` and ``columns``, which must be written out."""
    made = block_type(rows.literal_value, columns.literal_value)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        zero = ir.Constant(FLOATS, [0.0] * LANES)
        return packed(context, builder, made, [[zero] * len(made.dtype)] * len(made))

    return made(rows, columns), generate


@intrinsic
def rows_of(typingctx: Any, block: Any, array: Any, at: Any) -> Any:
    """A block like ``block`` whose row ``a`` has ``array[at + a]`` everywhere."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        source, start = Numbers(context, builder, array, arguments[1]), arguments[2]
        one = ir.Constant(start.type, 1)
        rows = [
            splat(builder, source.number(further(builder, start, one, a)))
            for a in range(len(block))
        ]
        return packed(context, builder, block, [[row] * len(block.dtype) for row in rows])

    return block(block, array, types.intp), generate


@intrinsic
def add_weighted(
    typingctx: Any, block: Any, weights: Any, w_at: Any, w_step: Any, x: Any, x_at: Any, x_step: Any
) -> Any:
    """Add ``weights[w_at + a * w_step] * x[x_at + b * x_step :][:LANES]`` to each vector (a, b)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = vectors_of(builder, block, arguments[0])
        weight = Numbers(context, builder, weights, arguments[1])
        source = Numbers(context, builder, x, arguments[4])
        columns = [
            source.vector(further(builder, arguments[5], arguments[6], b))
            for b in range(len(block.dtype))
        ]
        for a, row in enumerate(vectors):
            factor = splat(builder, weight.number(further(builder, arguments[2], arguments[3], a)))
            vectors[a] = [
                fused(builder, factor, column, vector)
                for column, vector in zip(columns, row, strict=True)
            ]
        return packed(context, builder, block, vectors)

    i = types.intp
    return block(block, weights, i, i, x, i, i), generate


@intrinsic
def add_products(
    typingctx: Any, block: Any, g: Any, g_at: Any, g_step: Any, x: Any, x_at: Any, x_step: Any
) -> Any:
    """Add the vector at ``g_at + a * g_step`` times that at ``x_at + b * x_step`` to (a, b)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vectors = vectors_of(builder, block, arguments[0])
        left = Numbers(context, builder, g, arguments[1])
        right = Numbers(context, builder, x, arguments[4])
        columns = [
            right.vector(further(builder, arguments[5], arguments[6], b))
            for b in range(len(block.dtype))
        ]
        for a, row in enumerate(vectors):
            factor = left.vector(further(builder, arguments[2], arguments[3], a))
            vectors[a] = [
                fused(builder, factor, column, vector)
                for column, vector in zip(columns, row, strict=True)
            ]
        return packed(context, builder, block, vectors)

    i = types.intp
    return block(block, g, i, i, x, i, i), generate


@intrinsic
def add_sums(typingctx: Any, block: Any, out: Any, at: Any, row_step: Any, column_step: Any) -> Any:
    """Add the sum over the lanes of each vector (a, b) to its number of ``out``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = Numbers(context, builder, out, arguments[1])
        for a, row in enumerate(vectors_of(builder, block, arguments[0])):
            start = further(builder, arguments[2], arguments[3], a)
            for b, vector in enumerate(row):
                at = further(builder, start, arguments[4], b)
                place.put_number(builder.fadd(place.number(at), lane_sum(builder, vector)), at)
        return context.get_dummy_value()

    i = types.intp
    return types.none(block, out, i, i, i), generate


@intrinsic
def add_vectors(
    typingctx: Any, block: Any, out: Any, at: Any, row_step: Any, column_step: Any
) -> Any:
    """Add each vector (a, b) to the numbers at ``at + a * row_step + b * column_step``."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = Numbers(context, builder, out, arguments[1])
        for a, row in enumerate(vectors_of(builder, block, arguments[0])):
            start = further(builder, arguments[2], arguments[3], a)
            for b, vector in enumerate(row):
                at = further(builder, start, arguments[4], b)
                place.put_vector(builder.fadd(place.vector(at), vector), at)
        return context.get_dummy_value()

    i = types.intp
    return types.none(block, out, i, i, i), generate


def _storing(keep: Callable[[Any, Any, Any], Any]) -> Callable[..., Any]:
    """A function that stores a block; ``keep(builder, new, old)`` is what it puts over ``old``."""

    def store(
        typingctx: Any, block: Any, out: Any, at: Any, row_step: Any, column_step: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            place = Numbers(context, builder, out, arguments[1])
            for a, row in enumerate(vectors_of(builder, block, arguments[0])):
                start = further(builder, arguments[2], arguments[3], a)
                for b, vector in enumerate(row):
                    at = further(builder, start, arguments[4], b)
                    place.put_vector(keep(builder, vector, lambda at=at: place.vector(at)), at)
            return context.get_dummy_value()

        i = types.intp
        return types.none(block, out, i, i, i), generate

    return store


store = intrinsic(_storing(lambda builder, new, old: new))
"""Store each vector (a, b) at ``at + a * row_step + b * column_step``."""
store_positive = intrinsic(
    # A comparison with NaN is false: NaN stays.
    _storing(lambda b, new, old: b.select(b.fcmp_ordered("<", new, ZERO), ZERO, new))
)
"""Store what a ReLU makes of each vector, as :func:`store` does."""
store_where_positive = intrinsic(
    _storing(lambda b, new, old: b.select(b.fcmp_unordered(">", old(), ZERO), new, ZERO))
)
"""Store each vector in the lanes in which the old number is positive or NaN, and zero elsewhere."""
