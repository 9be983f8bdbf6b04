"""The syntax tree of an expression as JSON, with the words of Prometheus' `parse_query`."""

from __future__ import annotations

from typing import Any

from metrics.label import METRIC_NAME
from metrics.promql import ast
from metrics.promql.format import format_number
from metrics.storage import MatchOp


def node_document(node: ast.Node) -> dict[str, Any]:
    """Return a node with all nodes inside it."""
    match node:
        case ast.Number(value):
            return {"type": "numberLiteral", "val": format_number(value)}
        case ast.String(value):
            return {"type": "stringLiteral", "val": value}
        case ast.Paren(inner):
            return {"type": "parenExpr", "expr": node_document(inner)}
        case ast.Unary(operand):
            return {"type": "unaryExpr", "op": "-", "expr": node_document(operand)}
        case ast.VectorSelector():
            return {"type": "vectorSelector", **_selector(node)}
        case ast.MatrixSelector(selector, range_ms):
            return {"type": "matrixSelector", **_selector(selector), "range": range_ms}
        case ast.Subquery():
            inner_document = {"type": "subquery", "expr": node_document(node.expression)}
            return {**inner_document, "range": node.range_ms, "step": node.step_ms or 0, **_modifiers(node)}
        case ast.Call():
            arguments = [node_document(argument) for argument in node.arguments]
            return {"type": "call", "func": {"name": node.function}, "args": arguments}
        case ast.Aggregate():
            return _aggregation(node)
        case ast.Binary():
            return _binary(node)


def _selector(node: ast.VectorSelector) -> dict[str, Any]:
    names = [m.value for m in node.matchers if m.name == METRIC_NAME and m.op is MatchOp.EQUAL]
    matchers = [{"name": m.name, "type": m.op.value, "value": m.value} for m in node.matchers]
    return {"name": names[0] if len(names) == 1 else "", "matchers": matchers, **_modifiers(node)}


def _modifiers(node: ast.VectorSelector | ast.Subquery) -> dict[str, Any]:
    anchor = node.at.value if isinstance(node.at, ast.Anchor) else None
    time = None if isinstance(node.at, ast.Anchor) else node.at
    return {"offset": node.offset_ms, "timestamp": time, "startOrEnd": anchor}


def _aggregation(node: ast.Aggregate) -> dict[str, Any]:
    return {
        "type": "aggregation",
        "op": node.operator,
        "expr": node_document(node.operand),
        "param": None if node.parameter is None else node_document(node.parameter),
        "grouping": list(node.grouping.labels),
        "without": node.grouping.without,
    }


def _binary(node: ast.Binary) -> dict[str, Any]:
    matching = node.matching
    return {
        "type": "binaryExpr",
        "op": node.operator,
        "lhs": node_document(node.left),
        "rhs": node_document(node.right),
        "matching": {
            "card": matching.cardinality.value,
            "labels": list(matching.labels),
            "on": matching.on,
            "include": list(matching.include),
        },
        "bool": node.returns_bool,
    }
