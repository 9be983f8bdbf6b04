"""Templates in labels and annotations of rules: Prometheus' data and functions.

A label's value is inserted as text and never read as a template itself. The templates of most rules are texts, labels
and the value; those are rendered here, and others by alerting.template.rule_engine, which is loaded when it is needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from alerting.template.number import (
    format_number,
    humanize,
    humanize_1024,
    humanize_duration,
    humanize_percentage,
    special,
)
from alerting.template.surroundings import NOWHERE, Surroundings
from metrics.label import Labels

_SIMPLE = re.compile(
    r"\{\{ *(?:\$labels\.(?P<label>[A-Za-z_]\w*)|\$value(?: *\| *(?P<function>humanize\w*))?"
    r'|printf "%\.(?P<digits>\d)f" \$value) *\}\}',
    re.ASCII,
)
_FUNCTIONS: Mapping[str, Callable[[float], str]] = {
    "humanize": humanize,
    "humanize1024": humanize_1024,
    "humanizeDuration": humanize_duration,
    "humanizePercentage": humanize_percentage,
}


@dataclass(frozen=True, slots=True)
class _Label:
    """`{{ $labels.NAME }}`."""

    name: str


_Part: TypeAlias = str | _Label | Callable[[float], str]


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
    _parts: tuple[_Part, ...]
    _program: Callable[[Labels, float, Surroundings], str] | None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def render(self, labels: Labels, value: float, surroundings: Surroundings = NOWHERE) -> str:
        """Return the text for one series; a label that it does not have is an empty text.

        Raises: TemplateError: it cannot be rendered, with the place and the reason.
        """
        if self._program is not None:
            return self._program(labels, value, surroundings)
        if len(self._parts) == 1 and isinstance(self._parts[0], str):
            return self._parts[0]
        mapping = dict(labels)
        return "".join(part if isinstance(part, str) else _render(part, mapping, value) for part in self._parts)


def _render(part: _Label | Callable[[float], str], labels: Mapping[str, str], value: float) -> str:
    return labels.get(part.name, "") if isinstance(part, _Label) else part(value)


def parse_template(text: str) -> Template:
    """Return the template that `text` is.

    Raises: TemplateError: it has a mistake; the message tells line and column.
    """
    parts = _simple_parts(text)
    if parts is not None:
        depends = any(callable(part) for part in parts)
        return Template(text, depends, asks=False, queries=(), _parts=parts, _program=None)
    from alerting.template.rule_engine import parse_program  # noqa: PLC0415 - few rules need it

    program = parse_program(text)
    return Template(text, program.depends_on_value, program.asks, program.queries, (), program.render)


def _simple_parts(text: str) -> tuple[_Part, ...] | None:
    """Return a template as its parts; None where it is more than texts, labels and the value."""
    parts: list[_Part] = []
    position = 0
    for match in _SIMPLE.finditer(text):
        part = _simple_part(match)
        if part is None:
            return None
        parts += (text[position : match.start()], part)
        position = match.end()
    parts.append(text[position:])
    if any("{{" in part for part in parts if isinstance(part, str)):
        return None
    return tuple(part for part in parts if part != "") or ("",)


def _simple_part(match: re.Match[str]) -> _Part | None:
    if match["label"]:
        return _Label(match["label"])
    if match["function"]:
        return _FUNCTIONS.get(match["function"])
    if match["digits"]:
        digits = int(match["digits"])
        return lambda value: special(value) or f"{value:.{digits}f}"
    return format_number
