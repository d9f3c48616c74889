"""Explicit SIMD vectors inside numba functions.

LLVM vectorizes a plain loop only if it can prove that its arrays do not overlap, and even then keeps running values
(filter states, accumulators) in memory. The hot kernels here need them in registers, so this module gives Numba two
vector types, eight float64 and sixteen float32, and the handful of operations that those kernels use. On a machine with
narrower registers, LLVM splits each operation.

Arrays are addressed by *flat element index* and must be C-contiguous: nothing checks the bounds.
Every operation rounds once and in a fixed order, so a result does not depend on how many values are processed at a
time.

Numba's disk cache tracks only each function's own file: after changing this file, clear the cache.
"""

from collections.abc import Callable
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

Typed = tuple[Any, Callable[..., Any]]
INT32 = ir.IntType(32)


class Lanes(types.Type):
    """Numba type of a vector of ``width`` numbers of one scalar type."""

    def __init__(self, dtype: Any, width: int) -> None:
        self.dtype = dtype
        self.width = width
        super().__init__(name=f"Lanes({dtype}, {width})")


@register_model(Lanes)
class LanesModel(models.PrimitiveModel):
    """Represented as an LLVM vector, so that local variables become registers."""

    def __init__(self, dmm: Any, fe_type: Lanes) -> None:
        scalar = dmm.lookup(fe_type.dtype).get_value_type()
        super().__init__(dmm, fe_type, ir.VectorType(scalar, fe_type.width))  # type: ignore[no-untyped-call]


#: Length of a float32 vector: 64 bytes, one register of AVX-512 or two of AVX2.
LANES = 16
F64 = Lanes(types.float64, LANES // 2)
F32 = Lanes(types.float32, LANES)


def _pointer(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.gep(data, [index])


def _converted_vector(builder: Any, vector: Any, source: Any, target: Any) -> Any:
    if source == target:
        return vector
    scalar = ir.DoubleType() if target == types.float64 else ir.FloatType()
    wanted = ir.VectorType(scalar, vector.type.count)
    if isinstance(source, types.Float):
        return (builder.fpext if target.bitwidth > source.bitwidth else builder.fptrunc)(vector, wanted)
    return (builder.sitofp if source.signed else builder.uitofp)(vector, wanted)


def _loader(lanes: Lanes) -> Any:
    def load(typingctx: Any, array: Any, index: Any) -> Typed:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            dtype = signature.args[0].dtype
            stored = ir.VectorType(context.get_value_type(dtype), lanes.width)
            pointer = builder.bitcast(_pointer(context, builder, signature.args[0], *args), stored.as_pointer())
            return _converted_vector(builder, builder.load(pointer, align=dtype.bitwidth // 8), dtype, lanes.dtype)

        return lanes(array, types.intp), codegen

    return intrinsic(load)


def _splatter(lanes: Lanes) -> Any:
    def splat(typingctx: Any, value: Any) -> Typed:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            vector = context.get_value_type(lanes)
            undefined = ir.Constant(vector, ir.Undefined)
            first = builder.insert_element(undefined, args[0], ir.Constant(INT32, 0))
            return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(INT32, lanes.width), None))

        return lanes(lanes.dtype), codegen

    return intrinsic(splat)


def _store(typingctx: Any, array: Any, index: Any, vector: Any) -> Typed:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        array_type, _, lanes = signature.args
        value = _converted_vector(builder, args[2], lanes.dtype, array_type.dtype)
        pointer = _pointer(context, builder, array_type, args[0], args[1])
        builder.store(value, builder.bitcast(pointer, value.type.as_pointer()), align=array_type.dtype.bitwidth // 8)
        return context.get_dummy_value()

    return types.none(array, types.intp, vector), codegen


def _prefetch(typingctx: Any, array: Any, index: Any) -> Typed:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = builder.bitcast(_pointer(context, builder, signature.args[0], *args), ir.IntType(8).as_pointer())
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, INT32, INT32, INT32])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")  # type: ignore[no-untyped-call]
        builder.call(function, [pointer, *(ir.Constant(INT32, flag) for flag in (0, 3, 1))])  # to read, into L1, data
        return context.get_dummy_value()

    return types.none(array, types.intp), codegen


def _fma(typingctx: Any, a: Any, b: Any, c: Any) -> Typed:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        vector = args[0].type
        lanes = signature.return_type
        name = f"llvm.fmuladd.v{lanes.width}f{lanes.dtype.bitwidth}"
        kind = ir.FunctionType(vector, [vector] * 3)
        function = cgutils.get_or_insert_function(builder.module, kind, name)  # type: ignore[no-untyped-call]
        return builder.call(function, args)

    return a(a, a, a), codegen


def _transpose(typingctx: Any, source: Any, index: Any, step: Any, target: Any, there: Any, target_step: Any) -> Typed:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        source_type, target_type = signature.args[0], signature.args[3]
        width = F32.width
        vector = ir.VectorType(context.get_value_type(types.float32), width)

        def place(array_type: Any, place_of_array: tuple[Any, Any, Any], row: int) -> Any:
            array, first, stride = place_of_array
            at = builder.add(first, builder.mul(stride, ir.Constant(stride.type, row)))
            return builder.bitcast(_pointer(context, builder, array_type, array, at), vector.as_pointer())

        rows = [builder.load(place(source_type, args[:3], row), align=4) for row in range(width)]
        # Squares of side 1, 2, 4 and 8 off the diagonal swap places.
        for side in (1, 2, 4, 8):
            lower = [j if not j & side else width + j - side for j in range(width)]
            upper = [j + side if not j & side else width + j for j in range(width)]
            masks = [ir.Constant(ir.VectorType(INT32, width), lanes) for lanes in (lower, upper)]
            for row in range(width):
                if not row & side:
                    pair = rows[row], rows[row + side]
                    rows[row], rows[row + side] = (builder.shuffle_vector(*pair, mask) for mask in masks)
        for row, value in enumerate(rows):
            builder.store(value, place(target_type, args[3:], row), align=4)
        return context.get_dummy_value()

    whole = types.intp
    return types.none(source, whole, whole, target, whole, whole), codegen


def _binary(combine: Callable[[Any, Any, Any], Any]) -> Any:
    """Make a lane-wise operation of two vectors."""

    def operation(typingctx: Any, a: Any, b: Any) -> Typed:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return combine(builder, *args)

        return a(a, a), codegen

    return intrinsic(operation)


def _reducer(combine: Callable[[Any, Any, Any], Any]) -> Any:
    """Make a reduction that folds a vector in half until one lane is left: a fixed order."""

    def reduction(typingctx: Any, vector: Any) -> Typed:
        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            (value,) = args
            while value.type.count > 1:
                half = value.type.count // 2
                undefined = ir.Constant(value.type, ir.Undefined)
                lower = ir.Constant(ir.VectorType(INT32, half), list(range(half)))
                upper = ir.Constant(ir.VectorType(INT32, half), list(range(half, 2 * half)))
                value = combine(
                    builder,
                    builder.shuffle_vector(value, undefined, lower),
                    builder.shuffle_vector(value, undefined, upper),
                )
            return builder.extract_element(value, ir.Constant(INT32, 0))

        return vector.dtype(vector), codegen

    return intrinsic(reduction)


def _sum(builder: Any, a: Any, b: Any) -> Any:
    return builder.fadd(a, b)


def _difference(builder: Any, a: Any, b: Any) -> Any:
    return builder.fsub(a, b)


def _product(builder: Any, a: Any, b: Any) -> Any:
    return builder.fmul(a, b)


def _smaller(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", a, b), a, b)


def _larger(builder: Any, a: Any, b: Any) -> Any:
    return builder.select(builder.fcmp_ordered("<", b, a), a, b)


def _count_less(typingctx: Any, a: Any, b: Any) -> Typed:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        mask = builder.fcmp_ordered("<", *args)
        bits = builder.bitcast(mask, ir.IntType(a.width))
        return builder.zext(builder.ctpop(bits), ir.IntType(64))

    return types.int64(a, a), codegen


def _lanes_less(typingctx: Any, a: Any, b: Any) -> Typed:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        bits = builder.bitcast(builder.fcmp_ordered("<", *args), ir.IntType(a.width))
        return builder.zext(bits, ir.IntType(64))

    return types.int64(a, a), codegen


def _lowest_lane(typingctx: Any, bits: Any) -> Typed:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], ir.Constant(ir.IntType(1), 1))

    return types.int64(types.int64), codegen


def _where_less(typingctx: Any, a: Any, b: Any, then: Any, otherwise: Any) -> Typed:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_ordered("<", args[0], args[1]), args[2], args[3])

    return a(a, a, a, a), codegen


def _where_nan(typingctx: Any, a: Any, then: Any, otherwise: Any) -> Typed:
    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.select(builder.fcmp_unordered("uno", args[0], args[0]), args[1], args[2])

    return a(a, a, a), codegen


load_f64: Any = _loader(F64)  # load_f64(array, index): 8 numbers of any integer or float dtype, as float64
load_f32: Any = _loader(F32)  # load_f32(array, index): 16 numbers, as float32
splat_f64: Any = _splatter(F64)  # splat_f64(x): x in every lane
splat_f32: Any = _splatter(F32)
store: Any = intrinsic(_store)  # store(array, index, vector): write all lanes, rounded to the array's float dtype
prefetch: Any = intrinsic(_prefetch)  # prefetch(array, index): start to fetch its cache line, which may lie outside
# transpose(source, index, step, target, there, target_step): 16 × 16 float32, rows `step` elements apart
transpose: Any = intrinsic(_transpose)
fma: Any = intrinsic(_fma)  # fma(a, b, c): a × b + c, rounded once where the processor can (AVX2, ARM64)
add: Any = _binary(_sum)
subtract: Any = _binary(_difference)
multiply: Any = _binary(_product)
smaller: Any = _binary(_smaller)  # smaller(a, b): b where either is NaN
larger: Any = _binary(_larger)  # larger(a, b): b where either is NaN
sum_lanes: Any = _reducer(_sum)
smallest_lane: Any = _reducer(_smaller)
largest_lane: Any = _reducer(_larger)
count_less: Any = intrinsic(_count_less)  # count_less(a, b): number of lanes in which a < b
lanes_less: Any = intrinsic(_lanes_less)  # lanes_less(a, b): an integer whose bits are the lanes in which a < b
lowest_lane: Any = intrinsic(_lowest_lane)  # lowest_lane(bits): number of the lowest bit that is set, if any is
where_less: Any = intrinsic(_where_less)  # where_less(a, b, x, y): x where a < b, else y
where_nan: Any = intrinsic(_where_nan)  # where_nan(a, x, y): x where a is NaN, else y
