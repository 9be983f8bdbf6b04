"""What notifications say: Alertmanager's functions, default texts of ours, and the user's files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import unquote_plus

from alerting.template.budget import Budget, Limits
from alerting.template.builtin import BUILTINS
from alerting.template.error import CallError, TemplateError
from alerting.template.evaluate import Evaluator
from alerting.template.go_format import show
from alerting.template.go_time import SECOND, Time, in_zone
from alerting.template.html import HtmlOutput
from alerting.template.humanize import HUMANIZE_FUNCTIONS
from alerting.template.lex import Source
from alerting.template.node import Definition, If, Nodes, Parsed, Range, Use
from alerting.template.notification_data import Data, notification_data
from alerting.template.output import Output
from alerting.template.parse import parse
from alerting.template.text_function import TEXT_FUNCTIONS, title_words
from alerting.template.value import Function

LIMITS = Limits(steps=300_000, seconds=2.0, output=1_048_576)

_DEFAULT_FILE = Path(__file__).with_name("default.tmpl")
_REMEMBERED = 500
"""So many parsed texts are kept."""


_NOW = Time.of(None)


def _dict(*items: object) -> dict[str, object]:
    if len(items) % 2:
        raise CallError("takes names and values in turn; the last name has no value")
    found: dict[str, object] = {}
    for name, value in zip(items[::2], items[1::2], strict=True):
        if not isinstance(name, str):
            raise CallError(f"{show(name)!r} is no name; names are texts")
        found[name] = value
    return found


def _to_json(value: object) -> str:
    try:
        text = json.dumps(value, separators=(",", ":"), ensure_ascii=False, default=show, sort_keys=True)
    except (TypeError, ValueError) as error:
        raise CallError(f"this cannot be written as JSON: {error}") from None
    for character in "&<>\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


FUNCTIONS: Mapping[str, Function] = {
    **BUILTINS,
    **TEXT_FUNCTIONS,
    **HUMANIZE_FUNCTIONS,
    "title": Function(title_words, ("string",)),
    "join": Function(lambda separator, texts: separator.join(texts), ("string", "strings")),
    "stringSlice": Function(lambda *texts: list(texts), (), "string"),
    "list": Function(lambda *items: list(items), (), "any"),
    "append": Function(lambda items, *more: [*items, *more], ("list",), "any"),
    "dict": Function(_dict, (), "any"),
    "toJson": Function(_to_json, ("any",)),
    "date": Function(lambda layout, time: time.format(layout), ("string", "time")),
    "tz": Function(lambda zone, time: in_zone(time, zone), ("string", "time")),
    "since": Function(_NOW.sub, ("time",)),
    "urlUnescape": Function(unquote_plus, ("string",)),
}


@cache
def _defaults() -> Mapping[str, Definition]:
    """Return our own templates, parsed once for all the times that a config is read."""
    return parse(Source(_read(_DEFAULT_FILE), str(_DEFAULT_FILE)), FUNCTIONS).definitions


class Templates:
    """Named templates, ours under the names that Alertmanager documents and the user's, which win.

    Args:
        files: read in this order; a later definition of a name replaces an earlier one.
    Raises: TemplateError: a file cannot be read or has a mistake; the message names file, line and column.
    """

    def __init__(self, files: Sequence[Path] = ()) -> None:
        self._definitions: dict[str, Definition] = dict(_defaults())
        for file in files:
            parsed = parse(Source(_read(file), str(file)), FUNCTIONS)
            self._definitions.update(parsed.definitions)
            self._definitions.setdefault(file.name, parsed.main)
        self._texts: dict[str, Parsed] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all templates, sorted."""
        return tuple(sorted(self._definitions))

    def text(self, text: str, data: Data, escape: Callable[[str], str] | None = None) -> str:
        """Return a template rendered as plain text; `escape` is for media that have marks of their own.

        Raises: TemplateError: it has a mistake, or cannot be rendered with this data.
        """
        return self._render(text, data, Output(escape))

    def html(self, text: str, data: Data) -> str:
        """Return a template rendered as HTML: every value is escaped for its place, unless it went through safeHtml.

        Raises: TemplateError: it has a mistake, or cannot be rendered with this data.
        """
        return self._render(text, data, HtmlOutput())

    def check(self, text: str) -> None:
        """Refuse a template that can never be rendered.

        Raises: TemplateError: it has a mistake, or uses a template that is not defined.
        """
        parsed = self._parsed(text)
        known = {**self._definitions, **parsed.definitions}
        for definition in (parsed.main, *parsed.definitions.values()):
            for use in _uses(definition.nodes):
                if use.name not in known:
                    message = f"template {use.name!r} is not defined; known are {', '.join(sorted(known))}"
                    raise definition.source.error(use.position, message)

    def _render(self, text: str, data: Data, output: Output) -> str:
        if "{{" not in text:
            output.text(text)
            return "".join(output.parts)
        parsed = self._parsed(text)
        definitions = {**self._definitions, **parsed.definitions} if parsed.definitions else self._definitions
        now = Time(round(data.now * 1000) * (SECOND // 1000))
        functions = {**FUNCTIONS, "since": Function(now.sub, ("time",))}
        Evaluator(definitions, functions, output, Budget(LIMITS)).run(parsed.main, data)
        return "".join(output.parts)

    def _parsed(self, text: str) -> Parsed:
        parsed = self._texts.get(text)
        if parsed is None:
            if len(self._texts) >= _REMEMBERED:
                self._texts.clear()
            parsed = self._texts[text] = parse(Source(text), FUNCTIONS)
        return parsed


def _uses(nodes: Nodes) -> Iterator[Use]:
    for node in nodes:
        if isinstance(node, Use):
            yield node
        elif isinstance(node, If | Range):
            yield from _uses(node.body)
            yield from _uses(node.otherwise)


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except OSError as error:
        raise TemplateError(f"{file}: cannot be read: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError:
        raise TemplateError(f"{file}: is not written in UTF-8; save it as UTF-8") from None


__all__ = ["FUNCTIONS", "Data", "Templates", "notification_data"]
