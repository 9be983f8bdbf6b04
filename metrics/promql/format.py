"""Expressions as text, in the layout that people are used to."""

from __future__ import annotations

import math
import re

from core.duration import format_duration
from metrics.label import METRIC_NAME, escape_value
from metrics.promql import ast
from metrics.storage import MatchOp

_WIDTH = 100
_INDENT = "  "
_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


def format_node(node: ast.Node) -> str:
    """Return an expression on one line; parsing it again gives an equal tree."""
    match node:
        case ast.Number(value):
            return format_number(value)
        case ast.String(value):
            return _quoted(value)
        case ast.Paren(inner):
            return f"({format_node(inner)})"
        case ast.VectorSelector():
            return _selector(node) + _modifiers(node)
        case ast.MatrixSelector(selector, range_ms):
            return f"{_selector(selector)}[{_duration(range_ms)}]{_modifiers(selector)}"
        case ast.Subquery():
            step = "" if node.step_ms is None else _duration(node.step_ms)
            return f"{format_node(node.expression)}[{_duration(node.range_ms)}:{step}]{_modifiers(node)}"
        case ast.Unary(operand):
            return f"-{format_node(operand)}"
        case ast.Binary():
            return f"{format_node(node.left)} {_operator(node)} {format_node(node.right)}"
        case ast.Aggregate():
            return f"{_aggregation(node)}({', '.join(map(format_node, ast.children(node)))})"
        case ast.Call():
            return f"{node.function}({', '.join(map(format_node, node.arguments))})"


def prettify_node(node: ast.Node, level: int = 0) -> str:
    """Return an expression over as many lines as it needs to stay within 100 characters where that is possible."""
    margin = _INDENT * level
    line = margin + format_node(node)
    if len(line) <= _WIDTH:
        return line
    match node:
        case ast.Binary():
            left, right = (prettify_node(side, level + 1) for side in (node.left, node.right))
            return f"{left}\n{margin}{_operator(node)}\n{right}"
        case ast.Paren(inner):
            return f"{margin}(\n{prettify_node(inner, level + 1)}\n{margin})"
        case ast.Aggregate():
            return _pretty_call(_aggregation(node), ast.children(node), level)
        case ast.Call():
            return _pretty_call(node.function, node.arguments, level)
        case _:
            return line


def _pretty_call(name: str, arguments: tuple[ast.Node, ...], level: int) -> str:
    margin = _INDENT * level
    body = ",\n".join(prettify_node(argument, level + 1) for argument in arguments)
    return f"{margin}{name}(\n{body}\n{margin})"


def format_number(value: float) -> str:
    """Return a number as PromQL reads it."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _selector(node: ast.VectorSelector) -> str:
    name, rest = "", list(node.matchers)
    names = [matcher for matcher in rest if matcher.name == METRIC_NAME]
    if len(names) == 1 and names[0].op is MatchOp.EQUAL and _METRIC.fullmatch(names[0].value):
        name = names[0].value
        rest.remove(names[0])
    body = ",".join(f"{_label(m.name)}{m.op.value}{_quoted(m.value)}" for m in rest)
    return f"{name}{{{body}}}" if body or not name else name


def _modifiers(node: ast.VectorSelector | ast.Subquery) -> str:
    at = ""
    if isinstance(node.at, ast.Anchor):
        at = f" @ {node.at.value}()"
    elif node.at is not None:
        at = f" @ {node.at / 1000:.3f}"
    return at + (f" offset {_duration(node.offset_ms)}" if node.offset_ms else "")


def _operator(node: ast.Binary) -> str:
    matching = node.matching
    parts = [node.operator]
    if node.returns_bool:
        parts.append("bool")
    if matching.on or matching.labels:
        parts.append(f"{'on' if matching.on else 'ignoring'} ({_names(matching.labels)})")
    if matching.cardinality is ast.Cardinality.MANY_TO_ONE:
        parts.append(f"group_left ({_names(matching.include)})")
    if matching.cardinality is ast.Cardinality.ONE_TO_MANY:
        parts.append(f"group_right ({_names(matching.include)})")
    return " ".join(parts)


def _aggregation(node: ast.Aggregate) -> str:
    if not node.grouping.without and not node.grouping.labels:
        return node.operator
    return f"{node.operator} {'without' if node.grouping.without else 'by'} ({_names(node.grouping.labels)}) "


def _names(labels: tuple[str, ...]) -> str:
    return ", ".join(map(_label, labels))


def _label(name: str) -> str:
    return name if _LABEL.fullmatch(name) else _quoted(name)


def _quoted(text: str) -> str:
    return f'"{escape_value(text)}"'


def _duration(milliseconds: int) -> str:
    return format_duration(milliseconds / 1000)
