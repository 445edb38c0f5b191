"""Operations on vectors of 16 neighbouring columns, which Numba's own loops do not reach.

A compiler's loops load and store each value at each step. These operations keep the values of 16
columns in registers over many steps. They are written in LLVM's vector types, and LLVM splits them
where a processor's registers are narrower, so the order of the sums is the same on every processor.

The arrays are one-dimensional and contiguous. Places in them are counted in elements. Nothing
checks them.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from fedlib.kernels.networks import RUN, exchanges_of_a_run

LANES = 16
"""The number of columns that an operation works on."""
TILE = 5
"""So many rows are multiplied with as many others at once: their 25 sums stay in registers."""

_INDEX = ir.IntType(64)
# A product and a sum may be rounded once, as one instruction.
_FUSED = ("contract",)


class _Vectors:
    """The vectors in an array, for the code of an operation.

    Parameters
    ----------
    context, builder, signature, arguments
        What Numba gives to the code of an operation.
    which
        The position of the array among the arguments.
    """

    def __init__(
        self, context: Any, builder: Any, signature: Any, arguments: Any, which: int
    ) -> None:
        kind = signature.args[which]
        self.builder = builder
        self.data = context.make_array(kind)(context, builder, arguments[which]).data
        self.element = context.get_data_type(kind.dtype)
        self.bytes = kind.dtype.bitwidth // 8
        self.vector = ir.VectorType(self.element, LANES)

    def pointer(self, place: Any) -> Any:
        """Return the pointer to the vector that begins at a place."""
        return self.builder.bitcast(self.builder.gep(self.data, [place]), self.vector.as_pointer())

    def load(self, place: Any) -> Any:
        """Return the vector that begins at a place."""
        return self.builder.load(self.pointer(place), align=self.bytes)

    def store(self, value: Any, place: Any) -> None:
        """Write a vector to a place."""
        self.builder.store(value, self.pointer(place), align=self.bytes)

    def everywhere(self, place: Any) -> Any:
        """Return a vector that has the value at a place in every lane."""
        value = self.builder.load(self.builder.gep(self.data, [place]))
        one = self.builder.insert_element(
            ir.Constant(self.vector, ir.Undefined), value, ir.Constant(ir.IntType(32), 0)
        )
        first = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return self.builder.shuffle_vector(one, ir.Constant(self.vector, ir.Undefined), first)


def _in_order(builder: Any, u: Any, v: Any) -> tuple[Any, Any]:
    """Return the smaller and the larger of two vectors, lane by lane. A NaN gives any values."""
    short = {ir.FloatType(): "f32", ir.DoubleType(): "f64"}[u.type.element]
    kind = ir.FunctionType(u.type, [u.type, u.type])
    both = []
    for name in ("minnum", "maxnum"):
        function = cgutils.get_or_insert_function(
            builder.module, kind, f"llvm.{name}.v{LANES}{short}"
        )
        both.append(builder.call(function, [u, v], fastmath=("nnan", "nsz")))
    return both[0], both[1]


def _steps(builder: Any, first: Any, stride: Any, count: int) -> list[Any]:
    places = [first]
    for _ in range(count - 1):
        places.append(builder.add(places[-1], stride))
    return places


@intrinsic
def exchange(typing: Any, values: Any, first: Any, second: Any) -> Any:
    """Put the smaller values of two vectors into the first place and the larger into the second."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _Vectors(context, builder, signature, arguments, 0)
        low, high = _in_order(builder, rows.load(arguments[1]), rows.load(arguments[2]))
        rows.store(low, arguments[1])
        rows.store(high, arguments[2])
        return context.get_dummy_value()

    return types.void(values, types.intp, types.intp), code


@intrinsic
def exchange_owned(typing: Any, values: Any, owners: Any, first: Any, second: Any) -> Any:
    """Do what :func:`exchange` does, and let the integers of ``owners`` follow their values.

    Of equal values, the one with the smaller integer comes first.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _Vectors(context, builder, signature, arguments, 0)
        numbers = _Vectors(context, builder, signature, arguments, 1)
        first, second = arguments[2:]
        u, v = rows.load(first), rows.load(second)
        of_u, of_v = numbers.load(first), numbers.load(second)
        tie = builder.and_(builder.fcmp_ordered("==", u, v), builder.icmp_signed("<", of_v, of_u))
        less = builder.or_(builder.fcmp_ordered("<", v, u), tie)
        rows.store(builder.select(less, v, u), first)
        rows.store(builder.select(less, u, v), second)
        numbers.store(builder.select(less, of_v, of_u), first)
        numbers.store(builder.select(less, of_u, of_v), second)
        return context.get_dummy_value()

    return types.void(values, owners, types.intp, types.intp), code


@intrinsic
def slope_between(
    typing: Any, values: Any, here: Any, there: Any, shares: Any, run: Any, out: Any, to: Any
) -> Any:
    """Write the difference of two vectors of ``values``, times a value of ``shares``, to ``out``.

    ``here`` is subtracted from ``there``. ``run`` is the place of the factor.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _Vectors(context, builder, signature, arguments, 0)
        factors = _Vectors(context, builder, signature, arguments, 3)
        target = _Vectors(context, builder, signature, arguments, 5)
        rise = builder.fsub(rows.load(arguments[2]), rows.load(arguments[1]))
        target.store(builder.fmul(rise, factors.everywhere(arguments[4])), arguments[6])
        return context.get_dummy_value()

    return types.void(values, types.intp, types.intp, shares, types.intp, out, types.intp), code


@intrinsic
def sort_run(typing: Any, values: Any, first: Any, stride: Any) -> Any:
    """Sort 16 vectors lane by lane, which begin at ``first`` and lie ``stride`` apart."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _Vectors(context, builder, signature, arguments, 0)
        places = _steps(builder, arguments[1], arguments[2], RUN)
        held = [rows.load(place) for place in places]
        for i, j in exchanges_of_a_run():
            held[i], held[j] = _in_order(builder, held[i], held[j])
        for place, value in zip(places, held, strict=True):
            rows.store(value, place)
        return context.get_dummy_value()

    return types.void(values, types.intp, types.intp), code


@intrinsic
def prefetch(typing: Any, values: Any, place: Any) -> Any:
    """Ask for the memory at a place, which will be read soon. It must lie in the array."""

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte = ir.IntType(8).as_pointer()
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        function = builder.module.declare_intrinsic("llvm.prefetch", (byte,), kind)
        pointer = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        # For reading, into the second-level cache, as data.
        hints = [ir.Constant(number, value) for value in (0, 2, 1)]
        builder.call(function, [pointer, *hints])
        return context.get_dummy_value()

    return types.void(values, types.intp), code


@intrinsic
def products_of_rows(
    typing: Any, values: Any, first: Any, second: Any, stride: Any, length: Any, sums: Any
) -> Any:
    """Write the inner products of five rows with five rows to ``sums``, in float64.

    The rows begin at ``first`` and at ``second``, lie ``stride`` apart and have ``length`` values,
    a multiple of 16. The product of row ``a`` and row ``b`` is at ``5 * a + b`` of ``sums``. Each
    lane is summed in the dtype of the values, and the lanes are summed in float64.
    """

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _Vectors(context, builder, signature, arguments, 0)
        out = context.make_array(signature.args[5])(context, builder, arguments[5]).data
        left = _steps(builder, arguments[1], arguments[3], TILE)
        right = _steps(builder, arguments[2], arguments[3], TILE)
        nothing = ir.Constant(rows.vector, [0.0] * LANES)
        held = [cgutils.alloca_once_value(builder, nothing) for _ in range(TILE * TILE)]
        zero, step = ir.Constant(_INDEX, 0), ir.Constant(_INDEX, LANES)
        with cgutils.for_range_slice(builder, zero, arguments[4], step, intp=_INDEX) as (at, _):
            of_left = [rows.load(builder.add(place, at)) for place in left]
            for b, place in enumerate(right):
                y = rows.load(builder.add(place, at))
                for a, x in enumerate(of_left):
                    slot = held[TILE * a + b]
                    product = builder.fmul(x, y, flags=_FUSED)
                    builder.store(builder.fadd(product, builder.load(slot), flags=_FUSED), slot)
        for t, slot in enumerate(held):
            total = _sum_of_lanes(builder, builder.load(slot))
            builder.store(total, builder.gep(out, [ir.Constant(_INDEX, t)]))
        return context.get_dummy_value()

    return types.void(values, types.intp, types.intp, types.intp, types.intp, sums), code


def _sum_of_lanes(builder: Any, vector: Any) -> Any:
    """Return the sum of a vector's lanes in float64, where one half is added to the other."""
    wide, number, lanes = ir.DoubleType(), ir.IntType(32), LANES
    if vector.type.element != wide:
        vector = builder.fpext(vector, ir.VectorType(wide, lanes))
    while lanes > 1:
        lanes //= 2
        kind = ir.VectorType(number, lanes)
        halves = [
            builder.shuffle_vector(
                vector,
                ir.Constant(vector.type, ir.Undefined),
                ir.Constant(kind, list(range(start, start + lanes))),
            )
            for start in (0, lanes)
        ]
        vector = builder.fadd(*halves)
    return builder.extract_element(vector, ir.Constant(number, 0))


@intrinsic
def mix_rows(
    typing: Any,
    values: Any,
    place: Any,
    stride: Any,
    weights: Any,
    first: Any,
    n: Any,
    mixed: Any,
    to: Any,
    pitch: Any,
) -> Any:
    """Write five weighted sums of ``n`` rows, for 64 neighbouring columns.

    The rows lie ``stride`` apart in ``values``, and the columns begin at ``place``. Weight ``i`` of
    sum ``a`` is at ``first + n * a + i`` of ``weights``. Sum ``a`` is written to
    ``to + pitch * a`` of ``mixed``.
    """
    columns = 4

    def code(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = _Vectors(context, builder, signature, arguments, 0)
        factors = _Vectors(context, builder, signature, arguments, 3)
        out = _Vectors(context, builder, signature, arguments, 6)
        place, stride, first, n = (arguments[k] for k in (1, 2, 4, 5))
        nothing = ir.Constant(rows.vector, [0.0] * LANES)
        held = [cgutils.alloca_once_value(builder, nothing) for _ in range(TILE * columns)]
        of_weights = _steps(builder, first, n, TILE)
        with cgutils.for_range(builder, n, intp=_INDEX) as loop:
            row = builder.add(place, builder.mul(loop.index, stride))
            vectors = [
                rows.load(builder.add(row, ir.Constant(_INDEX, LANES * c))) for c in range(columns)
            ]
            for a, begin in enumerate(of_weights):
                weight = factors.everywhere(builder.add(begin, loop.index))
                for c, vector in enumerate(vectors):
                    slot = held[columns * a + c]
                    product = builder.fmul(weight, vector, flags=_FUSED)
                    builder.store(builder.fadd(product, builder.load(slot), flags=_FUSED), slot)
        for a, begin in enumerate(_steps(builder, arguments[7], arguments[8], TILE)):
            for c in range(columns):
                at = builder.add(begin, ir.Constant(_INDEX, LANES * c))
                out.store(builder.load(held[columns * a + c]), at)
        return context.get_dummy_value()

    indices = (types.intp,) * 2
    return types.void(values, *indices, weights, *indices, mixed, *indices), code
