"""The parts of a parsed template."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias

from alerting.template.lex import Source


@dataclass(slots=True, eq=False, repr=False)
class Text:
    """What is written as it stands."""

    text: str


@dataclass(slots=True, eq=False, repr=False)
class Dot:
    """`.`."""

    position: int


@dataclass(slots=True, eq=False, repr=False)
class Nil:
    """`nil`."""

    position: int


@dataclass(slots=True, eq=False, repr=False)
class Literal:
    """A boolean, a number, a character (its number) or a string."""

    position: int
    value: bool | int | float | str
    text: str


@dataclass(slots=True, eq=False, repr=False)
class Field:
    """`.A.B`: fields of the dot."""

    position: int
    names: tuple[str, ...]


@dataclass(slots=True, eq=False, repr=False)
class Variable:
    """`$x.A.B`: a variable and fields of it; `name` has its `$`."""

    position: int
    name: str
    names: tuple[str, ...]


@dataclass(slots=True, eq=False, repr=False)
class Word:
    """A function's name."""

    position: int
    name: str


@dataclass(slots=True, eq=False, repr=False)
class Chain:
    """`(…).A.B`: fields of something in brackets."""

    position: int
    inner: Operand
    names: tuple[str, ...]


@dataclass(slots=True, eq=False, repr=False)
class Command:
    """A function, method or value, and its arguments; `operands` has at least one."""

    position: int
    operands: tuple[Operand, ...]


@dataclass(slots=True, eq=False, repr=False)
class Pipeline:
    """Commands, each of which gets what the one before yields as its last argument.

    Attributes:
        names: variables that get the value; two only in `range`.
        is_assignment: whether they exist already (`=`).
    """

    position: int
    names: tuple[str, ...]
    is_assignment: bool
    commands: tuple[Command, ...]


Operand: TypeAlias = Dot | Nil | Literal | Field | Variable | Word | Chain | Pipeline


@dataclass(slots=True, eq=False, repr=False)
class Action:
    """`{{ pipeline }}`."""

    pipeline: Pipeline


@dataclass(slots=True, eq=False, repr=False)
class If:
    """`{{ if }}`, or `{{ with }}` where the value becomes the dot."""

    pipeline: Pipeline
    body: Nodes
    otherwise: Nodes
    is_with: bool


@dataclass(slots=True, eq=False, repr=False)
class Range:
    """`{{ range }}`."""

    pipeline: Pipeline
    body: Nodes
    otherwise: Nodes


@dataclass(slots=True, eq=False, repr=False)
class Use:
    """`{{ template "name" pipeline }}`."""

    position: int
    name: str
    pipeline: Pipeline | None


@dataclass(slots=True, eq=False, repr=False)
class Break:
    """`{{ break }}`."""


@dataclass(slots=True, eq=False, repr=False)
class Continue:
    """`{{ continue }}`."""


Node: TypeAlias = Text | Action | If | Range | Use | Break | Continue
Nodes: TypeAlias = tuple[Node, ...]


@dataclass(slots=True, eq=False, repr=False)
class Definition:
    """A named template: what it consists of and where that is written."""

    source: Source
    nodes: Nodes


@dataclass(slots=True, eq=False, repr=False)
class Parsed:
    """A template and what it defines beside itself."""

    main: Definition
    definitions: dict[str, Definition] = field(default_factory=dict)
