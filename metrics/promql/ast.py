"""The syntax tree of an expression: plain frozen values, whoever parsed the text. Nothing here evaluates."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from metrics.storage import Matcher


class ValueType(Enum):
    """What an expression yields, by the words of the language's documentation."""

    SCALAR = "scalar"
    STRING = "string"
    VECTOR = "instant vector"
    MATRIX = "range vector"


class Cardinality(Enum):
    """How many series of each side may share one set of matching labels."""

    ONE_TO_ONE = "one-to-one"
    MANY_TO_ONE = "many-to-one"
    ONE_TO_MANY = "one-to-many"
    MANY_TO_MANY = "many-to-many"


class Anchor(Enum):
    """The times that `@ start()` and `@ end()` name."""

    START = "start"
    END = "end"


@dataclass(frozen=True, slots=True)
class Number:
    """A number; a duration such as `5m` stands for its seconds."""

    value: float


@dataclass(frozen=True, slots=True)
class String:
    """A text in quotes."""

    value: str


@dataclass(frozen=True, slots=True)
class VectorSelector:
    """The newest sample of each series that satisfies the matchers.

    `at` is a Unix time in milliseconds or an end of the query; None where the evaluation time counts.
    """

    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: int | Anchor | None = None


@dataclass(frozen=True, slots=True)
class MatrixSelector:
    """The samples of the last `range_ms`, without one exactly at the left end."""

    selector: VectorSelector
    range_ms: int


@dataclass(frozen=True, slots=True)
class Subquery:
    """An expression evaluated at many times; `step_ms` is None where the engine's default counts."""

    expression: Node
    range_ms: int
    step_ms: int | None
    offset_ms: int = 0
    at: int | Anchor | None = None


@dataclass(frozen=True, slots=True)
class Unary:
    """A minus sign before an expression."""

    operand: Node


@dataclass(frozen=True, slots=True)
class Matching:
    """How the series of two vectors find each other.

    `labels` are those of `on` (where `on` is true) or of `ignoring`; `include` those of group_left or group_right.
    """

    cardinality: Cardinality = Cardinality.ONE_TO_ONE
    on: bool = False
    labels: tuple[str, ...] = ()
    include: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binary:
    """Two operands and an operator, in lower case. `matching` counts only between two vectors."""

    operator: str
    left: Node
    right: Node
    returns_bool: bool = False
    matching: Matching = Matching()


@dataclass(frozen=True, slots=True)
class Grouping:
    """The labels that are kept (`by`) or dropped (`without`)."""

    without: bool = False
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aggregate:
    """An aggregation over the series of a vector; `parameter` where the operator takes one (`topk(5, x)`)."""

    operator: str
    operand: Node
    parameter: Node | None = None
    grouping: Grouping = Grouping()


@dataclass(frozen=True, slots=True)
class Call:
    """A function and its arguments."""

    function: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Paren:
    """An expression in parentheses; kept so that it can be shown as it was written."""

    inner: Node


Node: TypeAlias = (
    Number | String | VectorSelector | MatrixSelector | Subquery | Unary | Binary | Aggregate | Call | Paren
)

ARITHMETIC = frozenset({"+", "-", "*", "/", "%", "^", "atan2"})
COMPARISON = frozenset({"==", "!=", "<", ">", "<=", ">="})
SET_OPERATORS = frozenset({"and", "or", "unless"})


def unwrap(node: Node) -> Node:
    """Return the node inside any number of parentheses."""
    while isinstance(node, Paren):
        node = node.inner
    return node


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly inside a node, from left to right."""
    match node:
        case Paren(inner):
            return (inner,)
        case Unary(operand):
            return (operand,)
        case Binary():
            return (node.left, node.right)
        case Aggregate():
            return (node.operand,) if node.parameter is None else (node.parameter, node.operand)
        case Call():
            return node.arguments
        case MatrixSelector(selector):
            return (selector,)
        case Subquery(expression):
            return (expression,)
        case _:
            return ()


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all nodes inside it, outer before inner, from left to right."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))
