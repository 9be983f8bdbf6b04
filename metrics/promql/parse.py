"""From the text of an expression to everything that can be known about it without data."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from metrics.label import Labels
from metrics.promql import ast
from metrics.promql.compile import KNOWN, compile_plan, readable, source_of, value_type
from metrics.promql.convert import parse_tree
from metrics.promql.error import ExpressionError
from metrics.promql.format import format_node, prettify_node
from metrics.promql.run import Operator
from metrics.promql.scan import explain, scan
from metrics.promql.value import Memo
from metrics.promql.window import SampleSource
from metrics.storage import Matcher

_READ_TIME = frozenset(
    [
        "absent",
        "absent_over_time",
        "day_of_month",
        "day_of_week",
        "day_of_year",
        "days_in_month",
        "hour",
        "minute",
        "month",
        "time",
        "year",
    ]
)


@dataclass(frozen=True, slots=True)
class SelectorUse:
    """What an expression reads: the samples at (evaluation time - offset) and `range_ms` before it.

    `range_ms` is 0 for an instant selector; subqueries around a selector are counted in. A negative offset looks
    ahead. Patterns of matchers are as the store wants them.
    """

    matchers: tuple[Matcher, ...]
    range_ms: int
    offset_ms: int


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """A checked expression, ready to be evaluated many times; parse it once.

    Attributes:
        text: as it was written.
        root: the syntax tree.
        selectors: what it reads.
        reads_time: whether its value can change although no sample arrives: by time(), a date, absence, an offset, a
            fixed time, or a range that moves on. A plain selector is not meant: its series end by a marker.
        value_type: what it yields.
        plan, source: for the engine; `source` where the expression is a range vector, else `plan`.
        final_labels: what the engine remembers of results' labels.
    """

    text: str
    root: ast.Node
    selectors: tuple[SelectorUse, ...]
    reads_time: bool
    value_type: ast.ValueType
    plan: Operator | None
    source: SampleSource | None
    final_labels: Memo[tuple[tuple[Labels, ...], bool]] = field(default_factory=Memo, repr=False)

    def prettify(self) -> str:
        """Return the expression in the usual layout, over several lines where it is long."""
        return prettify_node(self.root)

    def __str__(self) -> str:
        return format_node(self.root)


def parse(text: str) -> Expression:
    """Return the expression that a text stands for.

    Raises: ExpressionError: the text is no expression, or (as UnsupportedError) uses what is not supported yet; the
        message says what and, where it can be known, at which character.
    """
    root = _tree(text)
    kind = value_type(root)
    is_range = kind is ast.ValueType.MATRIX
    return Expression(
        text,
        root,
        tuple(_uses(root)),
        any(map(_reads_time, ast.walk(root))),
        kind,
        None if is_range else compile_plan(root),
        source_of(root) if is_range else None,
    )


def _tree(text: str) -> ast.Node:
    tokens = scan(text, KNOWN)
    try:
        return parse_tree(text)
    except ExpressionError:
        raise
    except ValueError as error:
        raise explain(text, tokens, str(error)) from None


def _uses(node: ast.Node, range_ms: int = 0, offset_ms: int = 0) -> Iterator[SelectorUse]:
    match node:
        case ast.VectorSelector():
            yield SelectorUse(readable(node.matchers), range_ms, offset_ms + node.offset_ms)
        case ast.MatrixSelector():
            yield from _uses(node.selector, range_ms + node.range_ms, offset_ms)
        case ast.Subquery():
            yield from _uses(node.expression, range_ms + node.range_ms, offset_ms + node.offset_ms)
        case _:
            for child in ast.children(node):
                yield from _uses(child, range_ms, offset_ms)


def _reads_time(node: ast.Node) -> bool:
    match node:
        case ast.Call(function, arguments):
            return function in _READ_TIME and (function.startswith("absent") or not arguments)
        case ast.VectorSelector():
            return bool(node.offset_ms) or node.at is not None
        case ast.MatrixSelector() | ast.Subquery():
            return True
        case _:
            return False
