"""Vectors of 16 float32 lanes, for kernels whose samples lie side by side.

Lane ``i`` of a vector belongs to sample ``i`` of a tile of 16 samples. A vector is one register of
AVX-512, two of AVX2 and four of NEON; LLVM splits it where it must. A *block* is a tuple of rows of
vectors that LLVM keeps in registers while a loop adds to it.

Numba's own extension mechanism (``numba.extending.intrinsic``) writes the vector instructions,
because LLVM does not find the blocks in loops over single numbers. This module has what
:mod:`~fedlib.kernels.lane_blocks` and :mod:`~fedlib.kernels.lane_tiles` write them with.
"""

from __future__ import annotations

from typing import Any

from llvmlite import binding, ir
from numba.core import cgutils, types
from numba.extending import models, register_model

LANES = 16
"""Samples of a tile. It is the same on every processor, so that sums have the same order."""

FLOAT = ir.FloatType()
FLOATS = ir.VectorType(FLOAT, LANES)
ZERO = ir.Constant(FLOATS, [0.0] * LANES)

WIDE = bool(binding.get_host_cpu_features().get("avx512f"))
"""Whether there are 32 registers of 16 lanes, so that a block may have 16 vectors and more."""


class _Vector(types.Type):
    """The type of a vector in Numba."""

    def __init__(self) -> None:
        super().__init__(name="Float32x16")


VECTOR = _Vector()


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    """A vector is LLVM's own vector."""

    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, FLOATS)


def block_type(rows: int, columns: int) -> Any:
    tuple_of: Any = types.UniTuple  # type: ignore[attr-defined]
    return tuple_of(tuple_of(VECTOR, columns), rows)


def vectors_of(builder: Any, block_type: Any, block: Any) -> list[list[Any]]:
    """The vectors of a block, by row and column."""
    rows, columns = len(block_type), len(block_type.dtype)
    return [[builder.extract_value(block, (a, b)) for b in range(columns)] for a in range(rows)]


def packed(context: Any, builder: Any, block_type: Any, vectors: list[list[Any]]) -> Any:
    """The block of these vectors."""
    block = ir.Constant(context.get_value_type(block_type), ir.Undefined)
    for a, row in enumerate(vectors):
        for b, vector in enumerate(row):
            block = builder.insert_value(block, vector, (a, b))
    return block


class Numbers:
    """The numbers of an array of Numba, by their positions."""

    def __init__(self, context: Any, builder: Any, array_type: Any, array: Any) -> None:
        self._builder = builder
        self._data = context.make_array(array_type)(context, builder, array).data

    def _place(self, at: Any, vector: bool) -> Any:
        place = self._builder.gep(self._data, [at])
        return self._builder.bitcast(place, FLOATS.as_pointer()) if vector else place

    def vector(self, at: Any) -> Any:
        return self._builder.load(self._place(at, True), align=4)

    def number(self, at: Any) -> Any:
        return self._builder.load(self._place(at, False))

    def put_vector(self, vector: Any, at: Any) -> None:
        self._builder.store(vector, self._place(at, True), align=4)

    def put_number(self, number: Any, at: Any) -> None:
        self._builder.store(number, self._place(at, False))


def splat(builder: Any, one: Any) -> Any:
    """A vector that has ``one`` in each lane."""
    empty = ir.Constant(ir.VectorType(one.type, LANES), ir.Undefined)
    return builder.shuffle_vector(
        builder.insert_element(empty, one, word(0)), empty, order([0] * LANES)
    )


def word(i: int) -> Any:
    return ir.Constant(ir.IntType(32), i)


def order(places: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(places)), [word(i) for i in places])


def further(builder: Any, start: Any, step: Any, times: int) -> Any:
    return builder.add(start, builder.mul(step, ir.Constant(start.type, times)))


def fused(builder: Any, a: Any, b: Any, c: Any) -> Any:
    """``a * b + c``, rounded once where the processor can."""
    kind = ir.FunctionType(FLOATS, [FLOATS] * 3)
    name = f"llvm.fmuladd.v{LANES}f32"
    function = cgutils.get_or_insert_function(builder.module, kind, name)
    return builder.call(function, [a, b, c])


def lane_sum(builder: Any, vector: Any) -> Any:
    """The sum over the lanes, always in the same order: halves are added until one is left."""
    width = LANES
    while width > 1:
        width //= 2
        halves = [
            builder.shuffle_vector(vector, vector, order([*range(first, first + width)]))
            for first in (0, width)
        ]
        vector = builder.fadd(*halves)
    return builder.extract_element(vector, word(0))
