"""Templates in labels and annotations: the part of Prometheus' template language that rules really use.

Known are `{{ $labels.NAME }}`, `{{ $value }}`, the functions humanize, humanize1024, humanizeDuration,
humanizePercentage and printf, written before their argument or after a `|`. Everything else is refused when the file
is loaded; nothing is ever rendered as raw text by surprise. A label's value is inserted as text and never read as a
template itself.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from core.errors import UserError
from metrics.label import Labels

_Value = str | float
_Operand = Callable[[Mapping[str, str], float], _Value]
_Function = Callable[[list[_Value]], str]


@dataclass(frozen=True, slots=True)
class _Command:
    """One part of a pipeline: a function with its arguments, or (function None) a single value."""

    function: _Function | None
    operands: tuple[_Operand, ...]


_Pipeline = tuple[_Command, ...]

_ACTION = re.compile(r"\{\{(?P<trim_left>-\s)?(?P<body>.*?)(?P<trim_right>\s-)?\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<pipe>\|)|(?:(?P<label>\$labels\.(?P<name>[A-Za-z_][A-Za-z0-9_]*))|(?P<value>\$value)"
    r'|(?P<text>"(?:[^"\\\n]|\\["\\])*"|`[^`]*`)|(?P<word>[A-Za-z_][A-Za-z0-9_]*))(?=[\s|]|$))'
)
_VERB = re.compile(r"%(?:%|(?P<flags>[-+ 0#]*)(?P<width>\d{0,3})(?:\.(?P<precision>\d{0,2}))?(?P<verb>[fFeEgGsvqd]))")
_KNOWN = "$labels.NAME, $value, humanize, humanize1024, humanizeDuration, humanizePercentage and printf"


class TemplateError(UserError):
    """A template that cannot be rendered; the message says which part and what is known."""


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed template; equal when its text is.

    `depends_on_value` tells whether the rendered text changes with the value alone.
    """

    text: str
    depends_on_value: bool
    _parts: tuple[str | _Pipeline, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Template) and other.text == self.text

    def __hash__(self) -> int:
        return hash(self.text)

    def render(self, labels: Labels, value: float) -> str:
        """Return the text for one series; a label that it does not have is an empty text.

        Raises: TemplateError: a number was expected and a label's value is none.
        """
        if len(self._parts) == 1 and isinstance(self._parts[0], str):
            return self._parts[0]
        mapping = dict(labels)
        return "".join(part if isinstance(part, str) else _run(part, mapping, value) for part in self._parts)


def parse_template(text: str) -> Template:
    """Return the template that `text` is.

    Raises: TemplateError: it uses something that is not known here, or has an open `{{`.
    """
    parts: list[str | _Pipeline] = []
    position, trim_next, depends = 0, False, False
    for match in _ACTION.finditer(text):
        plain = text[position : match.start()]
        plain = plain.lstrip() if trim_next else plain
        parts.append(_plain(plain.rstrip() if match["trim_left"] else plain))
        parts.append(_parse_action(match["body"].strip()))
        depends = depends or "$value" in match["body"]
        position, trim_next = match.end(), bool(match["trim_right"])
    rest = text[position:]
    parts.append(_plain(rest.lstrip() if trim_next else rest))
    kept = tuple(part for part in parts if part != "") or ("",)
    return Template(text, depends, kept)


def _plain(text: str) -> str:
    if "{{" in text:
        raise TemplateError("'{{' is never closed; add '}}'")
    return text


def _parse_action(body: str) -> _Pipeline:
    pipeline: list[_Command] = []
    for words in _split(body):
        first = words[0]["word"]
        if first and first not in _FUNCTIONS:
            raise TemplateError(f"{{{{ {body} }}}}: {first!r} is not supported; known are {_KNOWN}")
        operands = words[1:] if first else words
        is_plain_value = not first and len(operands) == 1 and not pipeline
        if any(word["word"] for word in operands) or not (first or is_plain_value):
            raise _unsupported(body)
        pipeline.append(_Command(_FUNCTIONS[first] if first else None, tuple(map(_operand, operands))))
    try:
        _run(tuple(pipeline), _Probe(), 1.0)  # shows wrong arguments now, not when the alert fires
    except TemplateError as error:
        raise TemplateError(f"{{{{ {body} }}}}: {error}") from None
    return tuple(pipeline)


def _split(body: str) -> list[list[re.Match[str]]]:
    """Return the words of an action, split at its pipes."""
    commands: list[list[re.Match[str]]] = [[]]
    position = 0
    while position < len(body):
        match = _TOKEN.match(body, position)
        if match is None:
            raise _unsupported(body)
        position = match.end()
        if match["pipe"]:
            commands.append([])
        else:
            commands[-1].append(match)
    if not all(commands):
        raise _unsupported(body)
    return commands


def _unsupported(body: str) -> TemplateError:
    return TemplateError(f"{{{{ {body} }}}} is not supported; known are {_KNOWN}")


class _Probe(dict[str, str]):
    """Labels that all read as a number, to try a template with."""

    def get(self, _name: str, _default: object = None) -> str:
        return "1"


def _operand(match: re.Match[str]) -> _Operand:
    if match["label"]:
        name = match["name"]
        return lambda labels, _value: labels.get(name, "")
    if match["value"]:
        return lambda _labels, value: value
    quoted = match["text"]
    constant = quoted[1:-1] if quoted[0] == "`" else re.sub(r"\\(.)", r"\1", quoted[1:-1])
    return lambda _labels, _value: constant


def _run(pipeline: _Pipeline, labels: Mapping[str, str], value: float) -> str:
    piped: list[_Value] = []
    for command in pipeline:
        arguments = [operand(labels, value) for operand in command.operands] + piped
        piped = [command.function(arguments)] if command.function else arguments
    return _show(piped[0])


def _show(value: _Value) -> str:
    return value if isinstance(value, str) else format_number(value)


def format_number(value: float) -> str:
    """Return a number as Prometheus' templates print it: shortest digits, exponents from a million on."""
    special = _special(value)
    if special is not None:
        return special
    sign, digits, exponent = Decimal(repr(float(value))).normalize().as_tuple()
    assert isinstance(exponent, int)
    if value == 0:
        return "-0" if math.copysign(1, value) < 0 else "0"
    power = len(digits) + exponent - 1
    text = "".join(map(str, digits))
    if power < -4 or power >= 6:
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        shown = f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    else:
        shown = format(Decimal((0, digits, exponent)), "f")
    return ("-" if sign else "") + shown


def _special(value: float) -> str | None:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return None


def _four(value: float) -> str:
    return _special(value) or f"{value:.4g}"


def _number(arguments: list[_Value]) -> float:
    if len(arguments) != 1:
        raise TemplateError(f"takes one number, not {len(arguments)}")
    try:
        return float(arguments[0])
    except ValueError:
        raise TemplateError(f"{str(arguments[0])[:80]!r} is no number") from None


def _scaled(value: float, base: float, prefixes: tuple[str, ...]) -> str:
    prefix = ""
    for larger in prefixes:
        if abs(value) < base:
            break
        prefix, value = larger, value / base
    return _four(value) + prefix


def _small(value: float) -> str:
    prefix = ""
    for smaller in ("m", "u", "n", "p", "f", "a", "z", "y"):
        if abs(value) >= 1:
            break
        prefix, value = smaller, value * 1000
    return _four(value) + prefix


def _humanize(arguments: list[_Value]) -> str:
    value = _number(arguments)
    if value == 0 or not math.isfinite(value):
        return _four(value)
    return _scaled(value, 1000, ("k", "M", "G", "T", "P", "E", "Z", "Y")) if abs(value) >= 1 else _small(value)


def _humanize_1024(arguments: list[_Value]) -> str:
    value = _number(arguments)
    if abs(value) <= 1 or not math.isfinite(value):
        return _four(value)
    return _scaled(value, 1024, ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"))


def _humanize_percentage(arguments: list[_Value]) -> str:
    return _four(_number(arguments) * 100) + "%"


def _humanize_duration(arguments: list[_Value]) -> str:
    value = _number(arguments)
    if not math.isfinite(value):
        return _four(value)
    if value == 0:
        return "0s"
    if abs(value) < 1:
        return _small(value) + "s"
    whole = int(abs(value))
    days, hours, minutes, seconds = whole // 86400, whole // 3600 % 24, whole // 60 % 60, whole % 60
    sign = "-" if value < 0 else ""
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{_four(value)}s"


def _printf(arguments: list[_Value]) -> str:
    if not arguments or not isinstance(arguments[0], str):
        raise TemplateError('takes a format and its values, such as printf "%.2f" $value')
    form, values = arguments[0], list(arguments[1:])
    if "%" in _VERB.sub("", form):
        raise TemplateError(f"format {form!r} is not supported; known are %f %e %g %s %v %q %d and %%")

    def one(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        if not values:
            raise TemplateError(f"format {form!r} has more verbs than values")
        return _verb(match, values.pop(0))

    shown = _VERB.sub(one, form)
    if values:
        raise TemplateError(f"format {form!r} has fewer verbs than values")
    return shown


def _verb(match: re.Match[str], value: _Value) -> str:
    verb, precision = match["verb"], match["precision"]
    layout = "%" + match["flags"] + match["width"]
    if verb in "sv":
        return (layout.replace("0", "") + "s") % _show(value)
    if verb == "q":
        return '"' + _show(value).replace("\\", r"\\").replace('"', r"\"") + '"'
    number = _number([value])
    if not math.isfinite(number):
        return _show(number)
    if verb == "d":
        return (layout + "d") % int(number)
    return (layout + (f".{precision}" if precision is not None else "") + verb) % number


_FUNCTIONS: dict[str, _Function] = {
    "humanize": _humanize,
    "humanize1024": _humanize_1024,
    "humanizeDuration": _humanize_duration,
    "humanizePercentage": _humanize_percentage,
    "printf": _printf,
}
