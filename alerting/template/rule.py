"""Templates in labels and annotations of rules: Prometheus' data and functions.

A label's value is inserted as text and never read as a template itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

from alerting.template.evaluate import Budget, Evaluator, Limits, Output
from alerting.template.go_format import format_number
from alerting.template.lex import Source
from alerting.template.node import (
    Action,
    Chain,
    Command,
    Dot,
    Field,
    If,
    Literal,
    Nodes,
    Operand,
    Parsed,
    Pipeline,
    Range,
    Text,
    Use,
    Variable,
    Word,
)
from alerting.template.parse import parse
from alerting.template.rule_function import NOWHERE, RULE_FUNCTIONS, Surroundings, functions_for
from alerting.template.value import Function, Object, StringMap
from metrics.label import Labels

LIMITS = Limits(steps=20_000, seconds=0.5, output=65_536)

_VARIABLES = ("$labels", "$externalLabels", "$externalURL", "$value")
_TIMED = frozenset({"query", "now"})


@dataclass(frozen=True, slots=True)
class _Label:
    """`{{ $labels.NAME }}`."""

    name: str


@dataclass(frozen=True, slots=True)
class _Value:
    """`{{ $value }}`."""


_Part: TypeAlias = str | _Label | _Value


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template; equal when its text is.

    Attributes:
        depends_on_value: whether the rendered text may change with the value or the time alone.
        asks: whether it looks at other series or at the time.
        queries: the expressions that it is sure to ask, where it asks.
    """

    text: str
    depends_on_value: bool
    asks: bool
    queries: tuple[str, ...]
    _parsed: Parsed | None
    _parts: tuple[_Part, ...] | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def render(self, labels: Labels, value: float, surroundings: Surroundings = NOWHERE) -> str:
        """Return the text for one series; a label that it does not have is an empty text.

        Raises: TemplateError: it cannot be rendered, with the place and the reason.
        """
        if self._parts is not None:
            return _joined(self._parts, labels, value)
        assert self._parsed is not None
        data = _RuleData(
            StringMap(labels), StringMap(surroundings.external_labels), surroundings.external_url, float(value)
        )
        output, budget = Output(), Budget(LIMITS)
        functions = functions_for(surroundings, self._parsed.definitions, budget)
        evaluator = Evaluator(self._parsed.definitions, functions, output, budget)
        evaluator.run(self._parsed.main, data, data.variables())
        return "".join(output.parts)


@dataclass(frozen=True, slots=True)
class _RuleData(Object):
    """What a rule's template sees."""

    labels: StringMap
    external_labels: StringMap
    external_url: str
    value: float

    template_type: ClassVar[str] = "rule data"
    template_fields: ClassVar[Mapping[str, Callable[[_RuleData], object]]] = {
        "Labels": lambda data: data.labels,
        "ExternalLabels": lambda data: data.external_labels,
        "ExternalURL": lambda data: data.external_url,
        "Value": lambda data: data.value,
    }

    def variables(self) -> list[tuple[str, object]]:
        """Return the variables that are set before a template begins."""
        return list(zip(_VARIABLES, (self.labels, self.external_labels, self.external_url, self.value), strict=True))


def parse_template(text: str) -> Template:
    """Return the template that `text` is.

    Raises: TemplateError: it has a mistake; the message tells line and column.
    """
    if "{{" not in text:
        return Template(text, False, False, (), None, (text,))
    parsed = parse(Source(text), RULE_FUNCTIONS, _VARIABLES)
    nodes = [definition.nodes for definition in (parsed.main, *parsed.definitions.values())]
    operands = [operand for some in nodes for operand in _operands(some)]
    for operand in operands:
        if isinstance(operand, Command):
            _check_count(parsed, operand)
    words = {operand.name for operand in operands if isinstance(operand, Word)}
    asks = bool(words & _TIMED)
    depends = asks or any(map(_reads_value, operands))
    parts = _simple(parsed.main.nodes)
    return Template(text, depends, asks, tuple(_queries(operands)), None if parts is not None else parsed, parts)


def _joined(parts: tuple[_Part, ...], labels: Labels, value: float) -> str:
    if len(parts) == 1 and isinstance(parts[0], str):
        return parts[0]
    mapping = dict(labels)
    return "".join(part if isinstance(part, str) else _part(part, mapping, value) for part in parts)


def _part(part: _Label | _Value, labels: Mapping[str, str], value: float) -> str:
    return labels.get(part.name, "") if isinstance(part, _Label) else format_number(value)


def _simple(nodes: Nodes) -> tuple[_Part, ...] | None:
    """Return a template as texts, labels and values, which need no evaluator; None where it is more than that."""
    parts: list[_Part] = []
    for node in nodes:
        if isinstance(node, Text):
            parts.append(node.text)
            continue
        part = _simple_action(node.pipeline) if isinstance(node, Action) else None
        if part is None:
            return None
        parts.append(part)
    return tuple(parts)


def _simple_action(pipeline: Pipeline) -> _Label | _Value | None:
    if pipeline.names or len(pipeline.commands) > 1 or len(pipeline.commands[0].operands) > 1:
        return None
    (operand,) = pipeline.commands[0].operands
    if isinstance(operand, Variable) and operand.name == "$labels" and len(operand.names) == 1:
        return _Label(operand.names[0])
    return _Value() if operand == Variable(operand.position, "$value", ()) else None


def _operands(nodes: Nodes) -> Iterator[Operand | Command]:
    """Yield all values of a template and the commands that they stand in, inner ones too."""
    for node in nodes:
        if isinstance(node, Action | If | Range | Use) and node.pipeline is not None:
            yield from _of_operand(node.pipeline)
        if isinstance(node, If | Range):
            yield from _operands(node.body)
            yield from _operands(node.otherwise)


def _of_operand(operand: Operand) -> Iterator[Operand | Command]:
    yield operand
    if isinstance(operand, Chain):
        yield from _of_operand(operand.inner)
    elif isinstance(operand, Pipeline):
        for index, command in enumerate(operand.commands):
            yield Command(command.position, (*command.operands, *([operand] if index else [])))
            for one in command.operands:
                yield from _of_operand(one)


def _check_count(parsed: Parsed, command: Command) -> None:
    """Refuse a call that can never succeed; what is piped in stands as one more operand here."""
    first, *arguments = command.operands
    function: Function | None = RULE_FUNCTIONS.get(first.name) if isinstance(first, Word) else None
    if function is not None and not function.takes(len(arguments)):
        assert isinstance(first, Word)
        message = f"{first.name!r} takes {function.expected()} arguments, not {len(arguments)}"
        raise parsed.main.source.error(first.position, message)


def _reads_value(operand: Operand | Command) -> bool:
    if isinstance(operand, Variable):
        return operand.name == "$value" or (operand.name == "$" and operand.names[:1] in ((), ("Value",)))
    return isinstance(operand, Dot) or (isinstance(operand, Field) and operand.names[0] == "Value")


def _queries(operands: list[Operand | Command]) -> Iterator[str]:
    for operand in operands:
        if isinstance(operand, Command) and operand.operands[0] == Word(operand.position, "query"):
            argument = operand.operands[-1]
            if isinstance(argument, Pipeline):
                argument = argument.commands[0].operands[0]
            if isinstance(argument, Literal) and isinstance(argument.value, str):
                yield argument.value
