"""YAML files as plain data that remembers where each value stood.

Stricter than PyYAML where PyYAML surprises: a duplicate key is a mistake; `yes`, `010` and `12:30` are text; dates
are text. A file that is too large, too deep or too wide (an alias bomb) is refused before it can hurt.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from core.errors import ConfigError, Problem

if TYPE_CHECKING:
    from yaml.nodes import MappingNode, Node, ScalarNode

MAX_BYTES = 8 * 1024 * 1024
MAX_DEPTH = 64
MAX_NODES = 200_000

_KINDS = frozenset({"str", "bool", "null", "int", "float", "map", "seq", "merge"})
"""The tags of plain data; a tag that would make anything else is a mistake."""

Key = str | int
Path_ = tuple[Key, ...]


class _Loader(yaml.CSafeLoader):
    """CSafeLoader with the scalars of YAML 1.2's core schema."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[-+]?[0-9]+[eE][-+]?[0-9]+"
        r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
    ("merge", r"<<", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


@dataclass(frozen=True, slots=True)
class Mark:
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """A parsed file.

    `data` is made of dict, list, str, int, float, bool and None. `values` and `keys` give the place of each value
    and of each mapping key by its path. `files` gives the file of each part that was put in from another one.
    """

    file: str
    data: Any = None
    values: dict[Path_, Mark] = field(default_factory=dict)
    keys: dict[Path_, Mark] = field(default_factory=dict)
    files: dict[Path_, str] = field(default_factory=dict)

    def mark(self, path: Path_, *, key: bool = False) -> Mark:
        """Return the place of the value (or of its key) at `path`, or of the nearest thing around it."""
        places = self.keys if key else self.values
        for end in range(len(path), -1, -1):
            mark = places.get(path[:end]) or self.values.get(path[:end])
            if mark is not None:
                return mark
        return Mark(1, 1)

    def problem(self, path: Path_, message: str, *, key: bool = False) -> Problem:
        """Return a mistake at `path`, to be collected into a ConfigError."""
        mark = self.mark(path, key=key)
        return Problem(self.file_of(path), mark.line, mark.column, dotted(path), message)

    def file_of(self, path: Path_) -> str:
        """Return the file in which the value at `path` stands."""
        return next((self.files[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.files), self.file)

    def put(self, other: Document, path: Path_) -> None:
        """Take the value at `path` of another file, with its places, to the same path here; its parent must exist."""
        self._at(path[:-1])[path[-1]] = other._at(path)
        for ours, theirs in ((self.values, other.values), (self.keys, other.keys)):
            ours |= {place: mark for place, mark in theirs.items() if place[: len(path)] == path}
        self.files[path] = other.file

    def _at(self, path: Path_) -> Any:
        value = self.data
        for part in path:
            value = value[part]
        return value


def dotted(path: Path_) -> str:
    """Return a path as people write it: `rules.1.expr`."""
    return ".".join(str(part) for part in path)


def read_yaml(file: Path) -> Document:
    """Read and parse a file.

    Raises: ConfigError: unreadable, too large, or not well-formed; the place is named.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "check the path and that the daemon's user may read it"
        raise ConfigError([Problem(str(file), 0, 0, "", f"cannot read: {error.strerror}; {remedy}")]) from error
    return parse_yaml(content, str(file))


def parse_yaml(content: bytes | str, file: str) -> Document:
    """Parse one YAML document; an empty one is an empty mapping.

    Raises: ConfigError: too large, or not well-formed; the place is named.
    """
    raw = content.encode() if isinstance(content, str) else content
    if len(raw) > MAX_BYTES:
        message = f"is larger than {MAX_BYTES // 1024 // 1024} MiB; split it"
        raise ConfigError([Problem(file, 0, 0, "", message)])
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError([Problem(file, line, 1, "", "is not UTF-8 text; save the file as UTF-8")]) from error
    try:
        _check_shape(text, file)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise ConfigError([_syntax_problem(error, file)]) from error
    except yaml.YAMLError as error:
        raise ConfigError([Problem(file, 0, 0, "", f"is no YAML: {error}")]) from error
    document = Document(file)
    if node is None:
        document.data = {}
        document.values[()] = Mark(1, 1)
        return document
    walker = _Walker(document)
    document.data = walker.build(node, ())
    if walker.problems:
        raise ConfigError(walker.problems)
    return document


def _check_shape(text: str, file: str) -> None:
    """Refuse what would exhaust the recursive composer, by one flat pass over the events."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or count > 2 * MAX_NODES:
            assert event.start_mark is not None
            line, column = event.start_mark.line + 1, event.start_mark.column + 1
            what = f"nested deeper than {MAX_DEPTH} levels" if depth > MAX_DEPTH else f"more than {MAX_NODES} values"
            raise ConfigError([Problem(file, line, column, "", f"{what}; simplify or split it")])


def _syntax_problem(error: yaml.MarkedYAMLError, file: str) -> Problem:
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    what = " ".join(part for part in (error.context, error.problem) if part)
    return Problem(file, line, column, "", f"is no YAML: {what}; check indentation, colons and quotes")


class _Walker:
    """Turns nodes into data, noting places and mistakes on the way."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._constructor = _Loader("")
        self._nodes = 0
        self.problems: list[Problem] = []

    def build(self, node: Node, path: Path_) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            message = f"expands to more than {MAX_NODES} values; use fewer aliases"
            mark = node.start_mark
            raise ConfigError([Problem(self._document.file, mark.line + 1, mark.column + 1, dotted(path), message)])
        self._document.values[path] = Mark(node.start_mark.line + 1, node.start_mark.column + 1)
        kind = node.tag.rpartition(":")[2]
        if kind not in _KINDS:
            self._mistake(self._document.values[path], path, f"tag {node.tag!r} is not supported; remove it")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)  # the composer has resolved aliases
        return self._scalar(node, path)

    def _mapping(self, node: MappingNode, path: Path_) -> dict[str, Any]:
        data: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            mark = Mark(key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if key_node.tag == "tag:yaml.org,2002:merge":
                merged |= self._merge(value_node, path)
                continue
            if not isinstance(key_node, yaml.ScalarNode):
                self._mistake(mark, path, "a key must be plain text")
                continue
            key = str(key_node.value)
            if key in data:
                first = self._document.keys[(*path, key)]
                self._mistake(mark, (*path, key), f"duplicate key, first set in line {first.line}; remove one of them")
                continue
            self._document.keys[(*path, key)] = mark
            data[key] = self.build(value_node, (*path, key))
        return merged | data

    def _merge(self, node: Node, path: Path_) -> dict[str, Any]:
        sources = node.value if isinstance(node, yaml.SequenceNode) else [node]
        merged: dict[str, Any] = {}
        for source in reversed(sources):
            if isinstance(source, yaml.MappingNode):
                merged |= self._mapping(source, path)
            else:
                mark = Mark(source.start_mark.line + 1, source.start_mark.column + 1)
                self._mistake(mark, path, "'<<' takes a mapping or a list of mappings")
        return merged

    def _scalar(self, node: ScalarNode, path: Path_) -> Any:
        kind = node.tag.rpartition(":")[2]
        if kind in ("bool", "null", "int", "float"):
            try:
                return self._constructor.construct_object(node)
            except ValueError:
                return node.value
        return node.value

    def _mistake(self, mark: Mark, path: Path_, message: str) -> None:
        self.problems.append(Problem(self._document.file, mark.line, mark.column, dotted(path), message))
