"""The grammar of single lines of the text format 0.0.4 and of OpenMetrics 1.0.

This is the careful reader, one step after the other, that says what is wrong and where. Where the formats leave a
choice, it takes and refuses what Prometheus takes and refuses.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from metrics.frame import NO_TIMESTAMP, MetricType
from metrics.label import METRIC_NAME, Labels

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*+")
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*+")
_KEY = re.compile(r'[a-zA-Z_"]')
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*+)"')
_BLANKS = re.compile(r"[ \t]+")
_BLANK = re.compile(r"[ \t]*+")
_NUMBER = re.compile(
    r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:e[+-]?\d++)?|[+-]?(?:inf(?:inity)?|nan)", re.ASCII | re.IGNORECASE
)
_INTEGER = re.compile(r"-?\d{1,19}", re.ASCII)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED = {"n": "\n", "\\": "\\", '"': '"'}

_TEXT_TYPES = {
    "counter": MetricType.COUNTER,
    "gauge": MetricType.GAUGE,
    "histogram": MetricType.HISTOGRAM,
    "summary": MetricType.SUMMARY,
    "untyped": MetricType.UNTYPED,
}
_OPENMETRICS_TYPES = {kind.value: kind for kind in MetricType}


class LineError(Exception):
    """Why a line is not valid; `ExpositionError` adds which."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What a comment line tells about a metric family: `keyword` is HELP, TYPE or UNIT."""

    keyword: str
    name: str
    text: str


def read_series(line: str, *, openmetrics: bool) -> tuple[Labels, int]:
    """Return the labels at the beginning of a sample line, and the position where its value begins.

    Raises: LineError
    """
    position = 0 if openmetrics else _skip(line, 0)
    name = ""
    match = _METRIC.match(line, position)
    if match:
        name, position = match.group(), match.end()
    after = position if openmetrics else _skip(line, position)
    pairs: list[tuple[str, str]] = []
    if line.startswith("{", after):
        name, pairs, position = _read_braces(line, after + 1, name, openmetrics=openmetrics)
    elif not name:
        raise LineError(f"expected a metric name, got {_shown(line, after)}")
    if openmetrics and not line.startswith(" ", position):
        raise LineError(f"expected one space and a value, got {_shown(line, position)}")
    return _joined(name, pairs), position + 1 if openmetrics else _skip(line, position)


def read_value(rest: str, *, openmetrics: bool) -> tuple[float, int]:
    """Return the value and the timestamp in milliseconds (or NO_TIMESTAMP) that follow the series on a line.

    Raises: LineError
    """
    if openmetrics:
        return _read_openmetrics_value(rest)
    parts = _BLANKS.split(rest.strip(" \t"))
    if not parts[0]:
        raise LineError("expected a value, got the end of the line")
    if len(parts) > 2:
        raise LineError(f"expected the end of the line after the timestamp, got {parts[2][:40]!r}")
    if len(parts) == 1:
        return read_number(parts[0]), NO_TIMESTAMP
    if not _INTEGER.fullmatch(parts[1]) or abs(int(parts[1])) >= 2**63:
        raise LineError(f"timestamp {parts[1][:40]!r} is not a number of milliseconds")
    return read_number(parts[0]), int(parts[1])


def read_number(text: str) -> float:
    """Return a value.

    Raises: LineError
    """
    if not _NUMBER.fullmatch(text):
        raise LineError(f"value {text[:40]!r} is not a number")
    return float(text)


def read_meta(line: str, *, openmetrics: bool) -> Meta | None:
    """Return what a line that begins with `#` tells; None for an ordinary comment.

    Raises: LineError
    """
    if openmetrics:
        found = re.match(r"# (HELP|TYPE|UNIT) ", line)
        if not found:
            raise LineError(f"expected '# HELP', '# TYPE', '# UNIT' or '# EOF', got {_shown(line, 0)}")
    else:
        found = re.match(r"[ \t]*#[ \t]+(HELP|TYPE)[ \t]+", line)
        if not found:
            return None
    keyword = found.group(1)
    name, position = _read_family_name(line, found.end(), keyword)
    text = line[position + 1 :]
    if line[position : position + 1] not in ("", " ", *("" if openmetrics else "\t")):
        if keyword == "HELP" and not openmetrics:
            return None  # what is only explanation does not cost the target its samples
        raise LineError(f"expected a space after the metric name, got {_shown(line, position)}")
    return Meta(keyword, name, unescape(text, help_text=not openmetrics) if keyword == "HELP" else text.strip(" \t"))


def metric_type(text: str, *, openmetrics: bool) -> MetricType:
    """Return the metric type of a TYPE line.

    Raises: LineError
    """
    types = _OPENMETRICS_TYPES if openmetrics else _TEXT_TYPES
    if text not in types:
        raise LineError(f"{text[:40]!r} is no metric type; known are {', '.join(types)}")
    return types[text]


def unescape(text: str, *, help_text: bool = False) -> str:
    """Return what stands escaped between quotes, or in a HELP line of the text format, where quotes are plain."""
    if "\\" not in text:
        return text
    known = {"n": "\n", "\\": "\\"} if help_text else _ESCAPED
    return _ESCAPE.sub(lambda match: known.get(match.group(1), match.group()), text)


def _read_braces(line: str, position: int, name: str, *, openmetrics: bool) -> tuple[str, list[tuple[str, str]], int]:
    pairs: list[tuple[str, str]] = []
    position = _blank(line, position, openmetrics)
    while not line.startswith("}", position):
        key, quoted, position = _read_key(line, position)
        position = _blank(line, position, openmetrics)
        if quoted and line[position : position + 1] in (",", "}"):
            if name:
                raise LineError(f"the metric has two names, {name!r} and {key!r}")
            name = key
        else:
            value, position = _read_label_value(line, position, key, openmetrics=openmetrics)
            pairs.append((key, value))
        position = _blank(line, position, openmetrics)
        if line.startswith(",", position):
            position = _blank(line, position + 1, openmetrics)
        elif not line.startswith("}", position) and (openmetrics or not _KEY.match(line, position)):
            # In the text format Prometheus does without the comma, so targets without it are about.
            raise LineError(f"expected ',' or '}}' after a label, got {_shown(line, position)}")
    if not name:
        raise LineError("the metric has no name")
    return name, pairs, position + 1


def _read_key(line: str, position: int) -> tuple[str, bool, int]:
    match = _QUOTED.match(line, position)
    if match:
        return unescape(match.group(1)), True, match.end()
    match = _LABEL.match(line, position)
    if not match:
        raise LineError(f"expected a label name, got {_shown(line, position)}")
    return match.group(), False, match.end()


def _read_label_value(line: str, position: int, key: str, *, openmetrics: bool) -> tuple[str, int]:
    if not line.startswith("=", position):
        raise LineError(f"expected '=' after label {key!r}, got {_shown(line, position)}")
    position = _blank(line, position + 1, openmetrics)
    match = _QUOTED.match(line, position)
    if not match:
        raise LineError(f"expected the value of label {key!r} in double quotes, got {_shown(line, position)}")
    return unescape(match.group(1)), match.end()


def _read_openmetrics_value(rest: str) -> tuple[float, int]:
    sample, mark, exemplar = rest.partition(" # ")
    if mark:
        _check_exemplar(exemplar)
    parts = sample.split(" ")
    if len(parts) > 2 or not all(parts):
        raise LineError(f"expected a value and perhaps a timestamp, one space between, got {_shown(sample, 0)}")
    value = read_number(parts[0])
    return value, _seconds(parts[1]) if len(parts) == 2 else NO_TIMESTAMP


def _check_exemplar(text: str) -> None:
    if not text.startswith("{"):
        raise LineError(f"expected the labels of an exemplar, got {_shown(text, 0)}")
    _, _, position = _read_braces(text, 1, "exemplar", openmetrics=True)
    parts = text[position:].split(" ")
    if len(parts) not in (2, 3) or parts[0] or not all(parts[1:]):
        raise LineError(f"expected the value of an exemplar, got {_shown(text, position)}")
    read_number(parts[1])
    if len(parts) == 3:
        _seconds(parts[2])


def _seconds(text: str) -> int:
    """Return milliseconds for a timestamp in seconds."""
    milliseconds = read_number(text) * 1000
    if not abs(milliseconds) < 2**63:
        raise LineError(f"timestamp {text[:40]!r} is not a number of seconds")
    return round(milliseconds)


def _read_family_name(line: str, position: int, keyword: str) -> tuple[str, int]:
    match = _QUOTED.match(line, position)
    if match:
        return unescape(match.group(1)), match.end()
    match = _METRIC.match(line, position)
    if not match:
        raise LineError(f"expected a metric name after {keyword}, got {_shown(line, position)}")
    return match.group(), match.end()


def _joined(name: str, pairs: list[tuple[str, str]]) -> Labels:
    names = [METRIC_NAME, *(key for key, _ in pairs)]
    if len(set(names)) < len(names):
        twice = next(key for key in names if names.count(key) > 1)
        raise LineError(f"label {twice!r} is given twice")
    return tuple(sorted([(METRIC_NAME, name), *(pair for pair in pairs if pair[1])]))


def _blank(line: str, position: int, openmetrics: bool) -> int:
    return position if openmetrics else _skip(line, position)


def _skip(line: str, position: int) -> int:
    match = _BLANK.match(line, position)
    return match.end() if match else position


def _shown(line: str, position: int) -> str:
    rest = line[position : position + 40]
    return repr(rest) if rest else "the end of the line"
