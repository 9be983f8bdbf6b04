"""Templates of rules that are more than texts, labels and the value: parsed, looked through and rendered.

It is apart from alerting.template.rule so that a daemon whose rules do not need it does not load it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from alerting.template.budget import Budget, Limits
from alerting.template.evaluate import Evaluator
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
    Use,
    Variable,
    Word,
)
from alerting.template.output import Output
from alerting.template.parse import parse
from alerting.template.rule_function import BOUND, RULE_FUNCTIONS, functions_for
from alerting.template.surroundings import Surroundings
from alerting.template.value import Function, Object, StringMap
from metrics.label import Labels

LIMITS = Limits(steps=20_000, seconds=0.5, output=65_536)

_VARIABLES = ("$labels", "$externalLabels", "$externalURL", "$value")
_TIMED = frozenset({"query", "now"})


@dataclass(frozen=True, slots=True)
class RuleProgram:
    """A parsed template.

    Attributes:
        depends_on_value, asks, queries: as in alerting.template.rule.Template.
        is_bound: whether it uses functions that differ from one rendering to the next.
    """

    parsed: Parsed
    depends_on_value: bool
    asks: bool
    queries: tuple[str, ...]
    is_bound: bool

    def render(self, labels: Labels, value: float, surroundings: Surroundings) -> str:
        """Return the text for one series.

        Raises: TemplateError: it cannot be rendered, with the place and the reason.
        """
        external = StringMap(surroundings.external_labels)
        data = _RuleData(StringMap(labels), external, surroundings.external_url, float(value))
        output, budget = Output(), Budget(LIMITS)
        definitions = self.parsed.definitions
        functions = functions_for(surroundings, definitions, budget) if self.is_bound else RULE_FUNCTIONS
        Evaluator(definitions, functions, output, budget).run(self.parsed.main, data, data.variables())
        return "".join(output.parts)


def parse_program(text: str) -> RuleProgram:
    """Return the template that a text is.

    Raises: TemplateError: it has a mistake; the message tells line and column.
    """
    parsed = parse(Source(text), RULE_FUNCTIONS, _VARIABLES)
    nodes = [definition.nodes for definition in (parsed.main, *parsed.definitions.values())]
    operands = [operand for some in nodes for operand in _operands(some)]
    for operand in operands:
        if isinstance(operand, Command):
            _check_count(parsed, operand)
    words = {operand.name for operand in operands if isinstance(operand, Word)}
    asks = bool(words & _TIMED)
    depends = asks or any(map(_reads_value, operands))
    return RuleProgram(parsed, depends, asks, tuple(_queries(operands)), bool(words & BOUND))


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
        if isinstance(operand, Command) and _is_word(operand.operands[0], "query"):
            argument = operand.operands[-1]
            if isinstance(argument, Pipeline):
                argument = argument.commands[0].operands[0]
            if isinstance(argument, Literal) and isinstance(argument.value, str):
                yield argument.value


def _is_word(operand: Operand, name: str) -> bool:
    return isinstance(operand, Word) and operand.name == name
