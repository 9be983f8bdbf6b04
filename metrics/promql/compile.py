"""From a syntax tree to a plan of operators, each of which keeps what it works out from labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from metrics.promql import ast
from metrics.promql.aggregation import REDUCTIONS, Aggregate, CountValues, Quantile
from metrics.promql.binary import Negate, ScalarBinary, VectorScalarArithmetic, VectorScalarComparison
from metrics.promql.calendar_function import CALENDAR
from metrics.promql.choice import Extremes, LimitK, LimitRatio
from metrics.promql.error import ExpressionError, UnsupportedError
from metrics.promql.function import (
    ELEMENTWISE,
    Clamp,
    Elementwise,
    EvaluationTime,
    Sort,
    SortByLabel,
    TimestampOfSteps,
    ToScalar,
    ToVector,
)
from metrics.promql.histogram import HistogramQuantile
from metrics.promql.label_function import (
    Absent,
    Relabel,
    check_label_name,
    label_joiner,
    label_replacer,
    order_by_labels,
)
from metrics.promql.literal import Literal, Text
from metrics.promql.matching import SetOperation, VectorBinary
from metrics.promql.range_call import RangeCall
from metrics.promql.range_function import RANGE_FUNCTIONS
from metrics.promql.regex import translate
from metrics.promql.run import Operator
from metrics.promql.selection import Select
from metrics.promql.single_window import SINGLE
from metrics.promql.subquery import SubqueryRange
from metrics.promql.window import Reduce, SampleSource, SelectRange
from metrics.storage import Matcher, MatchOp

T = TypeVar("T")


def compile_plan(node: ast.Node) -> Operator:
    """Return the plan of an expression that yields a scalar, string or instant vector.

    Raises: ExpressionError: a pattern or label name in it is wrong. UnsupportedError: something in it is not
        supported yet.
    """
    node = ast.unwrap(node)
    match node:
        case ast.Number(value):
            return Literal(value)
        case ast.String(value):
            return Text(value)
        case ast.VectorSelector():
            return Select(node, readable(node.matchers))
        case ast.Unary(operand):
            return Negate(compile_plan(operand))
        case ast.Binary():
            return _binary(node)
        case ast.Aggregate():
            return _aggregate(node)
        case ast.Call():
            return _call(node)
        case _:
            raise ExpressionError("a range vector such as x[5m] has no single value; give it to a function like rate()")


def readable(matchers: Sequence[Matcher]) -> tuple[Matcher, ...]:
    """Return matchers whose patterns Python understands.

    Raises: ExpressionError: a pattern is wrong.
    """
    return tuple(
        Matcher(m.name, m.op, _pattern(m.value)) if m.op in (MatchOp.REGEX, MatchOp.NOT_REGEX) else m for m in matchers
    )


def value_type(node: ast.Node) -> ast.ValueType:
    """Return what an expression yields."""
    node = ast.unwrap(node)
    match node:
        case ast.Number():
            return ast.ValueType.SCALAR
        case ast.String():
            return ast.ValueType.STRING
        case ast.MatrixSelector() | ast.Subquery():
            return ast.ValueType.MATRIX
        case ast.Unary(operand):
            return value_type(operand)
        case ast.Binary():
            sides = (value_type(node.left), value_type(node.right))
            return ast.ValueType.VECTOR if ast.ValueType.VECTOR in sides else ast.ValueType.SCALAR
        case ast.Call("time" | "pi" | "scalar"):
            return ast.ValueType.SCALAR
        case _:
            return ast.ValueType.VECTOR


def source_of(node: ast.Node) -> SampleSource:
    """Return where the samples of a range vector come from."""
    node = ast.unwrap(node)
    if isinstance(node, ast.MatrixSelector):
        return SelectRange(node, readable(node.selector.matchers))
    assert isinstance(node, ast.Subquery)
    return SubqueryRange(node, compile_plan(node.expression))


def _binary(node: ast.Binary) -> Operator:
    left, right = compile_plan(node.left), compile_plan(node.right)
    scalars = [value_type(side) is ast.ValueType.SCALAR for side in (node.left, node.right)]
    if all(scalars):
        return ScalarBinary(node.operator, left, right)
    if any(scalars):
        vector, scalar = (right, left) if scalars[0] else (left, right)
        if node.operator in ast.ARITHMETIC:
            return VectorScalarArithmetic(node.operator, vector, scalar, scalar_first=scalars[0])
        return VectorScalarComparison(
            node.operator, vector, scalar, scalar_first=scalars[0], returns_bool=node.returns_bool
        )
    if node.operator in ast.SET_OPERATORS:
        return SetOperation(node.operator, left, right, node.matching)
    if node.operator in ast.ARITHMETIC | ast.COMPARISON:
        return VectorBinary(node.operator, left, right, node.matching, returns_bool=node.returns_bool)
    raise UnsupportedError(f"the operator {node.operator!r} is not supported yet")


def _aggregate(node: ast.Aggregate) -> Operator:
    operand = compile_plan(node.operand)
    if node.operator in REDUCTIONS:
        return Aggregate(operand, node.grouping, REDUCTIONS[node.operator])
    assert node.parameter is not None
    if node.operator == "count_values":
        label = _text(node.parameter)
        _checked(lambda: check_label_name(label))
        return CountValues(operand, node.grouping, label)
    parameter = compile_plan(node.parameter)
    if node.operator == "quantile":
        return Quantile(operand, node.grouping, parameter)
    if node.operator in ("topk", "bottomk"):
        return Extremes(operand, node.grouping, parameter, greatest=node.operator == "topk")
    if node.operator == "limitk":
        return LimitK(operand, node.grouping, parameter)
    if node.operator == "limit_ratio":
        return LimitRatio(operand, parameter)
    raise UnsupportedError(f"the aggregation {node.operator!r} is not supported yet")


def _call(node: ast.Call) -> Operator:
    name, arguments = node.function, node.arguments
    if name in RANGE_FUNCTIONS:
        return _range_call(node)
    if name in ELEMENTWISE:
        vector, *scalars = (compile_plan(argument) for argument in arguments)
        return Elementwise(ELEMENTWISE[name], vector, scalars)
    if name in CALENDAR:
        dates = compile_plan(arguments[0]) if arguments else ToVector(EvaluationTime())
        return Elementwise(CALENDAR[name], dates, ())
    if name in _BUILDERS:
        return _BUILDERS[name](arguments)
    if name in NATIVE_ONLY:
        raise UnsupportedError(
            f"{name}() needs native histograms, which are not supported; use the classic _bucket series"
        )
    if name in EXPERIMENTAL:
        raise UnsupportedError(f"{name}() is experimental in Prometheus, and not supported")
    raise UnsupportedError(f"the function {name!r} is not supported yet")


def _range_call(node: ast.Call) -> Operator:
    function = RANGE_FUNCTIONS[node.function]
    operand = node.arguments[function.range_argument]
    scalars = [compile_plan(a) for n, a in enumerate(node.arguments) if n != function.range_argument]
    reduce = Reduce(
        source_of(operand),
        function.kernel,
        function.minimum,
        keeps_name=function.keeps_name,
        follows_steps=function.follows_steps,
        single=SINGLE.get(node.function),
    )
    checks_fraction = node.function == "quantile_over_time"
    return RangeCall(reduce, scalars, wants_counter=function.wants_counter, checks_fraction=checks_fraction)


def _timestamp(arguments: Sequence[ast.Node]) -> Operator:
    operand = ast.unwrap(arguments[0])
    if isinstance(operand, ast.VectorSelector):
        return Select(operand, readable(operand.matchers), gives_times=True)
    return TimestampOfSteps(compile_plan(operand))


def _absent(arguments: Sequence[ast.Node]) -> Operator:
    operand = ast.unwrap(arguments[0])
    matchers = operand.matchers if isinstance(operand, ast.VectorSelector) else ()
    return Absent(compile_plan(operand), matchers)


def _absent_over_time(arguments: Sequence[ast.Node]) -> Operator:
    operand = ast.unwrap(arguments[0])
    matchers = operand.selector.matchers if isinstance(operand, ast.MatrixSelector) else ()
    reduce = Reduce(source_of(operand), RANGE_FUNCTIONS["present_over_time"].kernel, 1, keeps_name=False)
    return Absent(RangeCall(reduce, ()), matchers)


def _label_replace(arguments: Sequence[ast.Node]) -> Operator:
    target, replacement, source, pattern = (_text(argument) for argument in arguments[1:])
    change = _checked(lambda: label_replacer(target, replacement, source, _pattern(pattern)))
    return Relabel(compile_plan(arguments[0]), change, target=target)


def _label_join(arguments: Sequence[ast.Node]) -> Operator:
    target, separator, *sources = (_text(argument) for argument in arguments[1:])
    change = _checked(lambda: label_joiner(target, separator, sources))
    return Relabel(compile_plan(arguments[0]), change, target=target)


def _sort_by_label(arguments: Sequence[ast.Node], *, descending: bool) -> Operator:
    names = [_text(argument) for argument in arguments[1:]]
    return SortByLabel(compile_plan(arguments[0]), names, order_by_labels, descending=descending)


_BUILDERS: dict[str, Callable[[Sequence[ast.Node]], Operator]] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "clamp": lambda arguments: Clamp(*(compile_plan(argument) for argument in arguments)),
    "histogram_quantile": lambda arguments: HistogramQuantile(*(compile_plan(argument) for argument in arguments)),
    "label_join": _label_join,
    "label_replace": _label_replace,
    "pi": lambda _arguments: Literal(3.141592653589793),
    "scalar": lambda arguments: ToScalar(compile_plan(arguments[0])),
    "sort": lambda arguments: Sort(compile_plan(arguments[0]), descending=False),
    "sort_by_label": lambda arguments: _sort_by_label(arguments, descending=False),
    "sort_by_label_desc": lambda arguments: _sort_by_label(arguments, descending=True),
    "sort_desc": lambda arguments: Sort(compile_plan(arguments[0]), descending=True),
    "time": lambda _arguments: EvaluationTime(),
    "timestamp": _timestamp,
    "vector": lambda arguments: ToVector(compile_plan(arguments[0])),
}

SUPPORTED = frozenset({*RANGE_FUNCTIONS, *ELEMENTWISE, *CALENDAR, *_BUILDERS})
"""The functions that expressions can use."""

NATIVE_ONLY = frozenset(
    [
        "histogram_avg",
        "histogram_count",
        "histogram_fraction",
        "histogram_stddev",
        "histogram_stdvar",
        "histogram_sum",
    ]
)
"""The functions that mean nothing without native histograms, which are not supported."""

EXPERIMENTAL = frozenset(
    [
        "first_over_time",
        "histogram_quantiles",
        "info",
        "ts_of_first_over_time",
        "ts_of_last_over_time",
        "ts_of_max_over_time",
        "ts_of_min_over_time",
    ]
)
"""Functions that Prometheus has only behind a feature flag and may change; not supported."""

KNOWN = SUPPORTED | NATIVE_ONLY | EXPERIMENTAL
"""The functions of the language; those that are not supported are refused as such, and not as mistyped."""


def _text(node: ast.Node) -> str:
    node = ast.unwrap(node)
    assert isinstance(node, ast.String)
    return node.value


def _pattern(pattern: str) -> str:
    try:
        return translate(pattern)
    except ValueError as error:
        raise ExpressionError(f"the pattern {pattern!r} is wrong: {error}") from None


def _checked(make: Callable[[], T]) -> T:
    try:
        return make()
    except ValueError as error:
        raise ExpressionError(str(error)) from None
