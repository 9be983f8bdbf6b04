"""The one module that names the parser library: from its tree to ours."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import promql_parser as library

from metrics.label import METRIC_NAME
from metrics.promql import ast
from metrics.promql.error import ExpressionError, UnsupportedError
from metrics.storage import Matcher, MatchOp

_EPOCH = datetime.fromtimestamp(0, tz=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_OPS = (
    (library.MatchOp.Equal, MatchOp.EQUAL),
    (library.MatchOp.NotEqual, MatchOp.NOT_EQUAL),
    (library.MatchOp.Re, MatchOp.REGEX),
    (library.MatchOp.NotRe, MatchOp.NOT_REGEX),
)
_CARDINALITIES = (
    (library.VectorMatchCardinality.OneToOne, ast.Cardinality.ONE_TO_ONE),
    (library.VectorMatchCardinality.ManyToOne, ast.Cardinality.MANY_TO_ONE),
    (library.VectorMatchCardinality.OneToMany, ast.Cardinality.ONE_TO_MANY),
    (library.VectorMatchCardinality.ManyToMany, ast.Cardinality.MANY_TO_MANY),
)


def parse_tree(text: str) -> ast.Node:
    """Return the tree of an expression that `scan` has found safe.

    Raises: ValueError: the library's reason for refusing it. ExpressionError: ours.
    """
    try:
        return _node(library.parse(text))
    except Exception:
        raise
    except BaseException as error:
        # A bug in the library; what it raises then is no Exception, and no module exports its class.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError("the parser cannot read this expression") from None


def _node(node: Any) -> ast.Node:
    return _CONVERTERS[type(node)](node)


def _vector_selector(node: Any) -> ast.VectorSelector:
    if node.matchers.or_matchers:
        raise UnsupportedError("'or' between matchers is no PromQL; join two selectors by 'or'")
    matchers = [Matcher(METRIC_NAME, MatchOp.EQUAL, node.name)] if node.name else []
    matchers += [Matcher(m.name, _named(_OPS, m.op), m.value) for m in node.matchers.matchers]
    return ast.VectorSelector(tuple(matchers), _milliseconds(node.offset), _at(node.at))


def _matrix_selector(node: Any) -> ast.MatrixSelector:
    return ast.MatrixSelector(_vector_selector(node.vector_selector), _milliseconds(node.range))


def _subquery(node: Any) -> ast.Subquery:
    step_ms = None if node.step is None else _milliseconds(node.step)
    return ast.Subquery(_node(node.expr), _milliseconds(node.range), step_ms, _milliseconds(node.offset), _at(node.at))


def _unary(node: Any) -> ast.Node:
    operand = _node(node.expr)
    if isinstance(operand, ast.Number):
        return ast.Number(-operand.value)
    return ast.Unary(operand)


def _binary(node: Any) -> ast.Binary:
    operator = str(node.op).strip().lower()
    left, right, modifier = _node(node.lhs), _node(node.rhs), node.modifier
    set_operator = operator in ast.SET_OPERATORS
    default = ast.Cardinality.MANY_TO_MANY if set_operator else ast.Cardinality.ONE_TO_ONE
    if modifier is None:
        return ast.Binary(operator, left, right, matching=ast.Matching(default))
    fills = modifier.fill_values
    if fills is not None and (fills.lhs is not None or fills.rhs is not None):
        raise UnsupportedError("'fill' modifiers are not supported yet")
    cardinality = default if set_operator else _named(_CARDINALITIES, modifier.card)
    matching = modifier.matching
    on = matching is not None and matching.type == library.LabelModifierType.Include
    labels = () if matching is None else tuple(matching.labels)
    include = tuple(modifier.group_labels or ())
    return ast.Binary(operator, left, right, bool(modifier.return_bool), ast.Matching(cardinality, on, labels, include))


def _aggregate(node: Any) -> ast.Aggregate:
    modifier = node.modifier
    grouping = ast.Grouping()
    if modifier is not None:
        grouping = ast.Grouping(modifier.type == library.AggModifierType.Without, tuple(modifier.labels))
    parameter = None if node.param is None else _node(node.param)
    return ast.Aggregate(str(node.op).strip().lower(), _node(node.expr), parameter, grouping)


def _call(node: Any) -> ast.Call:
    return ast.Call(node.func.name, tuple(_node(argument) for argument in node.args))


_CONVERTERS: dict[type, Callable[[Any], ast.Node]] = {
    library.NumberLiteral: lambda node: ast.Number(node.val),
    library.StringLiteral: lambda node: ast.String(node.val),
    library.ParenExpr: lambda node: ast.Paren(_node(node.expr)),
    library.VectorSelector: _vector_selector,
    library.MatrixSelector: _matrix_selector,
    library.SubqueryExpr: _subquery,
    library.UnaryExpr: _unary,
    library.BinaryExpr: _binary,
    library.AggregateExpr: _aggregate,
    library.Call: _call,
}


def _named(pairs: Any, value: Any) -> Any:
    # The library's enums have no hash.
    return next(ours for theirs, ours in pairs if theirs == value)


def _milliseconds(duration: timedelta | None) -> int:
    return 0 if duration is None else duration // _MILLISECOND


def _at(modifier: Any) -> int | ast.Anchor | None:
    if modifier is None:
        return None
    if modifier.type == library.AtModifierType.Start:
        return ast.Anchor.START
    if modifier.type == library.AtModifierType.End:
        return ast.Anchor.END
    try:
        return int((modifier.at - _EPOCH) // _MILLISECOND)
    except (OverflowError, ValueError, OSError):
        raise ExpressionError("the time after '@' is out of range; give Unix seconds") from None
