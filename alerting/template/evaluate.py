"""Renders parsed templates, within limits on steps, time, depth and output."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from alerting.template.budget import Budget
from alerting.template.error import CallError, TemplateError
from alerting.template.go_format import show
from alerting.template.lex import Source
from alerting.template.node import (
    Action,
    Break,
    Chain,
    Command,
    Definition,
    Dot,
    Field,
    If,
    Literal,
    Nil,
    Node,
    Nodes,
    Operand,
    Pipeline,
    Range,
    Text,
    Use,
    Variable,
    Word,
)
from alerting.template.output import Output
from alerting.template.value import Function, Object, is_list, is_true, type_name, visible


class _Break(Exception):  # noqa: N818 - no error
    """The innermost range ends."""


class _Continue(Exception):  # noqa: N818 - no error
    """The innermost range goes on with its next item."""


class Evaluator:
    """Renders one template once.

    Args:
        definitions: the named templates that it may use.
        budget: shared with whoever renders it as a part of something else.
    """

    def __init__(
        self,
        definitions: Mapping[str, Definition],
        functions: Mapping[str, Function],
        output: Output,
        budget: Budget,
    ) -> None:
        self._definitions = definitions
        self._functions = functions
        self._output = output
        self._budget = budget
        self._source = Source("")
        self._dot: object = None
        self._variables: list[tuple[str, object]] = []

    def run(self, definition: Definition, data: object, variables: Sequence[tuple[str, object]] = ()) -> None:
        """Render a template.

        Raises: TemplateError: with the place and the reason.
        """
        outer = self._source, self._dot, self._variables
        self._source, self._dot, self._variables = definition.source, data, [("$", data), *variables]
        try:
            self._walk(definition.nodes)
        except RecursionError:
            raise definition.source.error(0, "the template is nested too deep") from None
        finally:
            self._source, self._dot, self._variables = outer

    # Statements

    def _walk(self, nodes: Nodes) -> None:
        for node in nodes:
            if isinstance(node, Text):
                self._guard(0, self._budget.write, len(node.text))
                self._output.text(node.text)
            elif isinstance(node, Action):
                value = self._pipeline(node.pipeline)
                if not node.pipeline.names:
                    self._guard(node.pipeline.position, self._budget.write, self._output.value(value))
            else:
                self._statement(node)

    def _statement(self, node: Node) -> None:
        if isinstance(node, Use):
            self._use(node)
        elif isinstance(node, If):
            self._if(node)
        elif isinstance(node, Range):
            self._range(node)
        elif isinstance(node, Break):
            raise _Break
        else:
            raise _Continue

    def _guard(self, position: int, call: Callable[[int], None], count: int) -> None:
        try:
            call(count)
        except CallError as error:
            raise self._source.error(position, f"the template {error}") from None

    def _enter(self, position: int) -> None:
        try:
            self._budget.enter()
        except CallError as error:
            raise self._source.error(position, f"the template {error}") from None

    def _if(self, node: If) -> None:
        known, dot = len(self._variables), self._dot
        value = self._pipeline(node.pipeline)
        self._enter(node.pipeline.position)
        try:
            if is_true(value):
                self._dot = value if node.is_with else dot
                self._walk(node.body)
            else:
                self._walk(node.otherwise)
        finally:
            self._budget.depth -= 1
            self._dot = dot
            del self._variables[known:]

    def _range(self, node: Range) -> None:
        known, dot = len(self._variables), self._dot
        items = self._items(node.pipeline, self._value_of(node.pipeline))
        self._enter(node.pipeline.position)
        try:
            for key, item in items:
                self._guard(node.pipeline.position, self._budget.spend, 1)
                self._name_item(node.pipeline, key, item)
                self._dot = item
                inside = len(self._variables)
                try:
                    self._walk(node.body)
                except _Continue:
                    pass
                except _Break:
                    break
                finally:
                    del self._variables[inside:]
                    if not node.pipeline.is_assignment:
                        del self._variables[known:]
            if not items:
                self._walk(node.otherwise)
        finally:
            self._budget.depth -= 1
            self._dot = dot
            del self._variables[known:]

    def _name_item(self, pipeline: Pipeline, key: object, item: object) -> None:
        values = (key, item) if len(pipeline.names) == 2 else (item,)
        for name, value in zip(pipeline.names, values, strict=False):
            self._set(name, value, is_assignment=pipeline.is_assignment)

    def _items(self, pipeline: Pipeline, value: object) -> list[tuple[object, object]]:
        if value is None:
            return []
        if isinstance(value, dict):
            return [(key, value[key]) for key in sorted(value)]
        if is_list(value):
            return list(enumerate(value))
        if isinstance(value, int) and not isinstance(value, bool):
            self._guard(pipeline.position, self._budget.spend, max(0, value))
            return [(number, number) for number in range(value)]
        raise self._source.error(pipeline.position, f"'range' cannot go through a {type_name(value)}")

    def _use(self, node: Use) -> None:
        definition = self._definitions.get(node.name)
        if definition is None:
            raise self._source.error(node.position, f"template {node.name!r} is not defined")
        data = None if node.pipeline is None else self._pipeline(node.pipeline)
        self._enter(node.position)
        try:
            self.run(definition, data)
        finally:
            self._budget.depth -= 1

    # Values

    def _pipeline(self, pipeline: Pipeline) -> object:
        value = self._value_of(pipeline)
        for name in pipeline.names:
            self._set(name, value, is_assignment=pipeline.is_assignment)
        return value

    def _value_of(self, pipeline: Pipeline) -> object:
        first, *others = pipeline.commands
        value = self._command(first, ())
        for command in others:
            value = self._command(command, (value,))
        return value

    def _set(self, name: str, value: object, *, is_assignment: bool) -> None:
        if is_assignment:
            for index in range(len(self._variables) - 1, -1, -1):
                if self._variables[index][0] == name:
                    self._variables[index] = (name, value)
                    return
        self._variables.append((name, value))

    def _variable(self, name: str) -> object:
        for known, value in reversed(self._variables):
            if known == name:
                return value
        raise AssertionError(f"the parser lets {name} pass only where it is set")

    def _command(self, command: Command, piped: tuple[object, ...]) -> object:
        first, *others = command.operands
        if isinstance(first, Word):
            return self._function(first, others, piped)
        if isinstance(first, Field):
            return self._fields(first.position, self._dot, first.names, others, piped)
        if isinstance(first, Variable):
            value = self._variable(first.name)
            if first.names:
                return self._fields(first.position, value, first.names, others, piped)
        elif isinstance(first, Chain):
            return self._fields(first.position, self._operand(first.inner), first.names, others, piped)
        else:
            value = self._operand(first)
        if others or piped:
            raise self._source.error(first.position, "this is no function and takes no arguments")
        self._guard(first.position, self._budget.spend, 1)
        return value

    def _operand(self, operand: Operand) -> object:
        """Return the value of what stands as an argument."""
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Dot):
            return self._dot
        if isinstance(operand, Nil):
            return None
        if isinstance(operand, Pipeline):
            self._enter(operand.position)
            try:
                return self._pipeline(operand)
            finally:
                self._budget.depth -= 1
        return self._command(Command(operand.position, (operand,)), ())

    def _fields(
        self,
        position: int,
        value: object,
        names: Sequence[str],
        arguments: Sequence[Operand],
        piped: tuple[object, ...],
    ) -> object:
        *before, last = names
        for name in before:
            value = self._field(position, value, name, (), ())
        return self._field(position, value, last, arguments, piped)

    def _field(
        self, position: int, value: object, name: str, arguments: Sequence[Operand], piped: tuple[object, ...]
    ) -> object:
        self._guard(position, self._budget.spend, 1)
        try:
            found, method = visible(value, name)
        except CallError as error:
            raise self._source.error(position, str(error)) from None
        if method is not None:
            values = (*map(self._operand, arguments), *piped)
            return self._call(position, name, method, values, receiver=(value,))
        if arguments or piped:
            raise self._source.error(position, f"{name!r} is a field and takes no arguments")
        return found

    def _function(self, word: Word, arguments: Sequence[Operand], piped: tuple[object, ...]) -> object:
        self._guard(word.position, self._budget.spend, 1)
        function = self._functions[word.name]
        if word.name in ("and", "or"):
            return self._decide(word, arguments, piped)
        return self._call(word.position, word.name, function, (*map(self._operand, arguments), *piped))

    def _decide(self, word: Word, arguments: Sequence[Operand], piped: tuple[object, ...]) -> object:
        """Return the first value that settles it, without looking at those after it; the last one otherwise."""
        if not arguments and not piped:
            raise self._source.error(word.position, f"{word.name!r} takes at least 1 argument, not 0")
        value: object = None
        for argument in arguments:
            value = self._operand(argument)
            if is_true(value) is (word.name == "or"):
                return value
        return piped[0] if piped else value

    def _call(
        self,
        position: int,
        name: str,
        function: Function,
        arguments: Sequence[object],
        receiver: tuple[object, ...] = (),
    ) -> object:
        if not function.takes(len(arguments)):
            message = f"{name!r} takes {function.expected()} arguments, not {len(arguments)}"
            raise self._source.error(position, message)
        try:
            values = [
                _converted(argument, index, function) if function.parameters or function.rest != "any" else argument
                for index, argument in enumerate(arguments)
            ]
            self._budget.weigh(*values)
            result = function.call(*receiver, *values)
            self._budget.weigh(result)
            self._budget.check_size(result)
        except (CallError, TemplateError) as error:
            raise self._source.error(position, f"{name}: {error}") from None
        return result


def _converted(value: object, index: int, function: Function) -> object:
    """Return an argument as a function wants it.

    Raises: CallError: it is of another kind.
    """
    kind = function.parameters[index] if index < len(function.parameters) else function.rest
    if kind == "any" or _fits(value, kind or ""):
        return value
    if kind == "float" and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    shown = show(value)
    if len(shown) > 40:
        shown = shown[:39] + "…"
    raise CallError(f"argument {index + 1} must be a {kind}, not {shown!r} (a {type_name(value)})")


def _fits(value: object, kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str)
    if kind == "int":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "float":
        return isinstance(value, float)
    if kind == "list":
        return is_list(value)
    if kind == "strings":
        return is_list(value) and all(isinstance(one, str) for one in value)
    return isinstance(value, Object) and type(value).template_type == f"time.{kind.capitalize()}"
