"""Reads a template: Go's text/template, whose documentation says what it means."""

from __future__ import annotations

from collections.abc import Collection
from typing import NoReturn

from alerting.template.lex import Kind, Source, Token, tokens
from alerting.template.literal import read_character, read_number, read_string
from alerting.template.node import (
    Action,
    Break,
    Chain,
    Command,
    Continue,
    Definition,
    Dot,
    Field,
    If,
    Literal,
    Nil,
    Node,
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

MAX_NESTING = 60
"""So deep may blocks and brackets stand inside each other."""

_KEYWORDS = frozenset(["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"])


def parse(source: Source, functions: Collection[str], variables: Collection[str] = ()) -> Parsed:
    """Return what a template consists of.

    Args:
        functions: the names of functions that there are.
        variables: those that are set before it begins, with their `$`.
    Raises: TemplateError: with the place and the reason.
    """
    return _Parser(source, functions, variables).parse()


def _end_of(word: str) -> str:
    return f"'{{{{ {word} }}}}' is never closed; add '{{{{ end }}}}'"


class _Parser:
    def __init__(self, source: Source, functions: Collection[str], variables: Collection[str]) -> None:
        self._source = source
        self._functions = functions
        self._variables = ["$", *variables]
        self._tokens = list(tokens(source))
        self._next = 0
        self._nesting = 0
        self._loops = 0
        self._definitions: dict[str, Definition] = {}

    def parse(self) -> Parsed:
        nodes, ending = self._nodes()
        if ending is not None:
            self._fail(ending, f"unexpected '{{{{ {ending.text} }}}}': no block is open here")
        return Parsed(Definition(self._source, nodes), self._definitions)

    # Tokens

    def _fail(self, token: Token, message: str) -> NoReturn:
        raise self._source.error(token.position, message)

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        token = self._tokens[self._next]
        self._next += 1
        return token

    def _skip_space(self) -> Token:
        """Return the next token that is no space, without taking it."""
        while self._peek().kind is Kind.SPACE:
            self._next += 1
        return self._peek()

    def _is_symbol(self, token: Token, text: str) -> bool:
        return token.kind is Kind.SYMBOL and token.text == text

    def _close(self, what: str) -> None:
        token = self._skip_space()
        if token.kind is not Kind.CLOSE:
            self._fail(token, f"unexpected {token.text!r} after {what}; close the action with '}}}}'")
        self._take()

    # Blocks

    def _nodes(self) -> tuple[Nodes, Token | None]:
        """Return what stands up to an `end` or `else`, and that word; None at the end of the text."""
        found: list[Node] = []
        while True:
            token = self._take()
            if token.kind is Kind.END:
                return tuple(found), None
            if token.kind is Kind.TEXT:
                found.append(Text(token.text))
                continue
            word = self._skip_space()
            if word.kind is Kind.WORD and word.text in ("end", "else"):
                self._take()
                return tuple(found), word
            node = self._statement(word) if word.kind is Kind.WORD and word.text in _KEYWORDS else self._action()
            if node is not None:
                found.append(node)

    def _action(self) -> Action:
        pipeline = self._pipeline("command")
        self._close("the command")
        return Action(pipeline)

    def _statement(self, word: Token) -> Node | None:
        self._take()
        if word.text == "define":
            self._define(word)
            return None
        if word.text == "template":
            return self._use(word)
        if word.text == "block":
            return self._block(word)
        if word.text in ("break", "continue"):
            if not self._loops:
                self._fail(word, f"'{{{{ {word.text} }}}}' stands outside of a 'range'")
            self._close(word.text)
            return Break() if word.text == "break" else Continue()
        return self._branch(word, word.text)

    def _branch(self, word: Token, kind: str) -> If | Range:
        known = len(self._variables)
        self._enter(word)
        pipeline = self._pipeline(kind)
        self._close(kind)
        self._loops += kind == "range"
        body, ending = self._nodes()
        self._loops -= kind == "range"
        if ending is None:
            self._fail(word, _end_of(kind))
        otherwise = self._otherwise(word, kind) if ending.text == "else" else self._ended()
        self._nesting -= 1
        del self._variables[known:]
        if kind == "range":
            return Range(pipeline, body, otherwise)
        return If(pipeline, body, otherwise, is_with=kind == "with")

    def _ended(self) -> Nodes:
        self._close("end")
        return ()

    def _otherwise(self, word: Token, kind: str) -> Nodes:
        following = self._skip_space()
        if following.kind is Kind.WORD and following.text == kind and kind in ("if", "with"):
            self._take()
            node = self._branch(following, kind)  # its `end` is the end of the whole
            return (node,)
        self._close("else")
        nodes, ending = self._nodes()
        if ending is None:
            self._fail(word, _end_of(kind))
        if ending.text == "else":
            self._fail(ending, "a second 'else'; one block has one")
        self._close("end")
        return nodes

    def _enter(self, token: Token) -> None:
        self._nesting += 1
        if self._nesting > MAX_NESTING:
            self._fail(token, f"more than {MAX_NESTING} blocks and brackets stand inside each other")

    def _define(self, word: Token) -> None:
        if self._nesting:
            self._fail(word, "'define' must not stand inside another block")
        name = self._name("define")
        self._close("define")
        self._definitions[name] = Definition(self._source, self._body(word, "define"))

    def _block(self, word: Token) -> Use:
        name = self._name("block")
        pipeline = self._pipeline("block")
        self._close("block")
        self._definitions.setdefault(name, Definition(self._source, self._body(word, "block")))
        return Use(word.position, name, pipeline)

    def _body(self, word: Token, kind: str) -> Nodes:
        """Return the body of a template inside the template: it sees no variables of it."""
        outside, self._variables = self._variables, ["$"]
        loops, self._loops = self._loops, 0
        self._enter(word)
        nodes, ending = self._nodes()
        if ending is None:
            self._fail(word, _end_of(kind))
        if ending.text == "else":
            self._fail(ending, f"'else' does not belong to '{kind}'")
        self._close("end")
        self._nesting -= 1
        self._variables, self._loops = outside, loops
        return nodes

    def _name(self, kind: str) -> str:
        token = self._skip_space()
        if token.kind not in (Kind.STRING, Kind.RAW):
            self._fail(token, f"'{kind}' needs a name in quotes, not {token.text!r}")
        self._take()
        return self._string(token)

    def _use(self, word: Token) -> Use:
        name = self._name("template")
        if self._skip_space().kind is Kind.CLOSE:
            self._take()
            return Use(word.position, name, None)
        pipeline = self._pipeline("template")
        self._close("template")
        return Use(word.position, name, pipeline)

    # Pipelines

    def _pipeline(self, context: str) -> Pipeline:
        first = self._skip_space()
        names, is_assignment = self._declared(context)
        commands: list[Command] = []
        while True:
            token = self._skip_space()
            if token.kind is Kind.CLOSE or self._is_symbol(token, ")"):
                break
            if token.kind is Kind.END:
                self._fail(first, "'{{' is never closed; add '}}'")
            commands.append(self._command(is_first=not commands))
            if self._is_symbol(self._skip_space(), "|"):
                bar = self._take()
                following = self._skip_space()
                if following.kind is Kind.CLOSE or self._is_symbol(following, ")"):
                    self._fail(bar, "a command is missing after '|'")
        if not commands:
            self._fail(first, f"a value is missing for '{context}'")
        if not is_assignment:
            self._variables += names
        return Pipeline(first.position, names, is_assignment, tuple(commands))

    def _declared(self, context: str) -> tuple[tuple[str, ...], bool]:
        start = self._next
        names: list[str] = []
        while self._skip_space().kind is Kind.VARIABLE:
            names.append(self._take().text)
            token = self._skip_space()
            if self._is_symbol(token, ":=") or self._is_symbol(token, "="):
                self._take()
                self._check_assigned(names, token)
                return tuple(names), token.text == "="
            if not (context == "range" and len(names) == 1 and self._is_symbol(token, ",")):
                break
            self._take()
        self._next = start
        return (), False

    def _check_assigned(self, names: list[str], token: Token) -> None:
        unknown = next((name for name in names if name not in self._variables), None)
        if token.text == "=" and unknown is not None:
            self._fail(token, f"variable {unknown} is not known; set it with ':=' first")

    def _command(self, *, is_first: bool) -> Command:
        start = self._skip_space()
        operands: list[Operand] = []
        while True:
            token = self._peek()
            if token.kind is Kind.SPACE:
                self._take()
                continue
            if token.kind in (Kind.CLOSE, Kind.END) or self._is_symbol(token, "|") or self._is_symbol(token, ")"):
                break
            operands.append(self._operand())
            self._check_separated()
        if not operands:
            self._fail(start, "a value is missing before '|'")
        if isinstance(operands[0], Nil):
            self._fail(start, "'nil' alone is no command")
        if not is_first and isinstance(operands[0], Literal | Dot | Nil):
            self._fail(start, "only a function or method can stand after '|'")
        return Command(start.position, tuple(operands))

    def _check_separated(self) -> None:
        token = self._peek()
        is_end = token.kind in (Kind.SPACE, Kind.CLOSE, Kind.END)
        if not is_end and not self._is_symbol(token, "|") and not self._is_symbol(token, ")"):
            self._fail(token, f"unexpected {token.text!r}; separate values by spaces")

    def _operand(self) -> Operand:
        token = self._take()
        operand = self._term(token)
        names = []
        while self._peek().kind is Kind.FIELD:
            names.append(self._take().text[1:])
        if not names:
            return operand
        if isinstance(operand, Field):
            return Field(operand.position, (*operand.names, *names))
        if isinstance(operand, Variable):
            return Variable(operand.position, operand.name, tuple(names))
        if isinstance(operand, Literal | Nil | Dot):
            self._fail(token, f"{token.text} has no fields")
        return Chain(token.position, operand, tuple(names))

    def _term(self, token: Token) -> Operand:
        if token.kind is Kind.FIELD:
            return Field(token.position, (token.text[1:],))
        if token.kind is Kind.VARIABLE:
            if token.text not in self._variables:
                self._fail(token, f"variable {token.text} is not known")
            return Variable(token.position, token.text, ())
        if token.kind is Kind.WORD:
            return self._word(token)
        if self._is_symbol(token, "."):
            return Dot(token.position)
        if self._is_symbol(token, "("):
            return self._bracket(token)
        if token.kind in (Kind.STRING, Kind.RAW):
            return Literal(token.position, self._string(token), token.text)
        return self._number(token)

    def _number(self, token: Token) -> Operand:
        if token.kind not in (Kind.NUMBER, Kind.CHARACTER):
            self._fail(token, f"unexpected {token.text!r}")
        try:
            value = read_number(token.text) if token.kind is Kind.NUMBER else read_character(token.text)
        except ValueError as error:
            self._fail(token, str(error))
        return Literal(token.position, value, token.text)

    def _word(self, token: Token) -> Operand:
        if token.text in ("true", "false"):
            return Literal(token.position, token.text == "true", token.text)
        if token.text == "nil":
            return Nil(token.position)
        if token.text in _KEYWORDS:
            self._fail(token, f"unexpected '{token.text}' in a value")
        if token.text not in self._functions:
            self._fail(token, f"function {token.text!r} is not known; known are {', '.join(sorted(self._functions))}")
        return Word(token.position, token.text)

    def _bracket(self, token: Token) -> Pipeline:
        self._enter(token)
        pipeline = self._pipeline("(")
        closing = self._skip_space()
        if not self._is_symbol(closing, ")"):
            self._fail(token, "a bracket is never closed; add ')'")
        self._take()
        self._nesting -= 1
        return pipeline

    def _string(self, token: Token) -> str:
        try:
            return read_string(token.text)
        except ValueError as error:
            self._fail(token, str(error))
