"""Reads what a target exposes (text format 0.0.4, OpenMetrics 1.0) into columns.

A body with the layout of the one before is read by array operations over its bytes (metrics/exposition_template.py);
any other line by line: a known series by one look-up, the usual shapes by one regular expression, and the rest by the
careful reader (metrics/exposition_line.py), which also names what is wrong.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from core.errors import TransientError
from metrics.exposition_line import LineError, Meta, metric_type, read_meta, read_series, read_value
from metrics.exposition_template import Template
from metrics.frame import NO_TIMESTAMP, Family, FloatArray, Layout, MetricType, TimeArray
from metrics.label import METRIC_NAME, Labels, metric_name

_EOF: Final = "# EOF"


class ExpositionError(TransientError):
    """A body that cannot be read; nothing of it is used. `line` counts from 1 and is 0 where no line is to blame."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}" if line else reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that a body may hold; 0 is no limit. Lengths are in bytes; labels are counted with the name."""

    samples: int = 0
    labels: int = 0
    label_name_length: int = 0
    label_value_length: int = 0


NO_LIMITS = Limits()


@dataclass(frozen=True, slots=True, eq=False)
class Parsed:
    """What a body holds.

    Attributes:
        layout: its series; the very object of the body before while the series are the same.
        values: shape (len(layout),).
        timestamps_ms: shape (len(layout),), with NO_TIMESTAMP for samples without one; None if none has one.
        families: by the name of their TYPE, HELP or UNIT line.
        duplicates: how many samples were dropped because their series had come before.
    """

    layout: Layout
    values: FloatArray
    timestamps_ms: TimeArray | None
    families: Mapping[str, Family]
    duplicates: int = 0
    template: Template | None = field(default=None, repr=False)
    limits: Limits = NO_LIMITS


def parse(body: bytes, content_type: str, previous: Parsed | None = None, limits: Limits = NO_LIMITS) -> Parsed:
    """Return the samples of a body.

    Args:
        content_type: of the response; whatever is not OpenMetrics is taken for the text format.
        previous: what the same target gave before, which makes it quick.
    Raises: ExpositionError: a line is not valid or a limit is exceeded.
    """
    openmetrics = _is_openmetrics(content_type)
    if not body.endswith(b"\n"):
        body += b"\n"
    if previous is not None and (previous.template is None or previous.template.openmetrics is not openmetrics):
        previous = None
    if previous is not None and previous.template is not None and previous.limits == limits:
        column = previous.template.read(body)
        if column is not None:
            return replace(previous, values=column[0], timestamps_ms=column[1])
    return _Reader(body, openmetrics, previous, limits).read()


def _is_openmetrics(content_type: str) -> bool:
    media = content_type.partition(";")[0].strip().lower()
    if media == "application/vnd.google.protobuf":
        raise ExpositionError(0, f"content type {media} is not supported; the target must offer a text format")
    return media == "application/openmetrics-text"


# The usual sample line, value aside, and the usual label. What they do not match is left to the careful reader.
_SERIES = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*+)(?:\{((?:[^"}\\]|"[^"\\]*+")*+)\})? (?=[^ \t{])', re.ASCII)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*+)="([^"]*)', re.ASCII)
_PLAIN_NUMBER = re.compile(r"-?[0-9]++(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?", re.ASCII)


class _Reader:
    """Reads one body line by line."""

    def __init__(self, body: bytes, openmetrics: bool, previous: Parsed | None, limits: Limits) -> None:
        self._body = body
        self._openmetrics = openmetrics
        self._previous = previous
        self._limits = limits
        self._lines, self._clean = self._split()
        self._known: dict[str, Labels] = {}
        if previous is not None and previous.template is not None and previous.limits == limits:
            self._known = previous.template.known_series(previous.layout)
        self._label_pairs: dict[str, tuple[str, str] | None] = {}
        self._name_pairs: dict[str, tuple[str, str]] = {}
        self._families: dict[str, Family] = {}
        self._series: list[Labels] = []
        self._values: list[float] = []
        self._times: list[int] = []
        self._sample_lines: list[int] = []
        self._prefixes: list[int] = []
        self._loose = False

    def read(self) -> Parsed:
        """Return the samples of the body."""
        ascii_only = self._body.isascii()
        for index, line in enumerate(self._lines):
            try:
                if self._is_comment(line):
                    self._read_comment(line)
                    start = len(line)
                else:
                    start = self._read_sample(line)
                    self._sample_lines.append(index)
            except LineError as error:
                raise ExpositionError(index + 1, str(error)) from None
            plain = ascii_only or line.isascii()
            self._prefixes.append(start if plain else len(line[:start].encode("utf-8", "surrogateescape")))
        return self._parsed()

    def _split(self) -> tuple[list[str], bool]:
        """Return the lines, and whether all is UTF-8; bytes that are not become surrogates."""
        clean = True
        try:
            text = self._body.decode("utf-8")
        except UnicodeDecodeError:
            clean, text = False, self._body.decode("utf-8", "surrogateescape")
        lines = text.split("\n")[:-1]
        if self._openmetrics:
            end = lines.index(_EOF) + 1 if _EOF in lines else 0
            if not end:
                raise ExpositionError(len(lines), f"the body does not end with {_EOF!r}; it may have been cut off")
            if end < len(lines):
                raise ExpositionError(end + 1, f"there is more after {_EOF!r}")
        return lines, clean

    def _is_comment(self, line: str) -> bool:
        return line.startswith("#") or (not self._openmetrics and line.lstrip(" \t")[:1] in ("", "#"))

    def _read_comment(self, line: str) -> None:
        if line == _EOF and self._openmetrics:
            return
        meta = read_meta(line, openmetrics=self._openmetrics)
        if meta is None:
            return
        family = self._families.get(meta.name) or Family(meta.name, MetricType.UNTYPED)
        self._families[meta.name] = self._told(family, meta)

    def _told(self, family: Family, meta: Meta) -> Family:
        self._check_utf8(f"the {meta.keyword} line", meta.name, meta.text)
        if meta.keyword == "TYPE":
            return replace(family, type=metric_type(meta.text, openmetrics=self._openmetrics))
        if meta.keyword == "HELP":
            return replace(family, help=meta.text)
        if meta.text and not meta.name.endswith("_" + meta.text):
            raise LineError(f"the name of {meta.name!r} does not end with its unit {meta.text!r}")
        return replace(family, unit=meta.text)

    def _read_sample(self, line: str) -> int:
        """Enter a sample and return where its value begins."""
        head, _, tail = line.rpartition(" ")
        labels = self._known.get(head)
        if labels is not None:
            start = len(head) + 1
        else:
            labels, start = self._read_series(line)
            tail = line[start:]
        if _PLAIN_NUMBER.fullmatch(tail):
            value, time = float(tail), NO_TIMESTAMP
        else:
            value, time = read_value(tail, openmetrics=self._openmetrics)
        self._series.append(labels)
        self._values.append(value)
        self._times.append(time)
        return start

    def _read_series(self, line: str) -> tuple[Labels, int]:
        match = _SERIES.match(line)
        labels = self._usual_labels(*match.groups()) if match else None
        if match is None or labels is None:
            labels, start = read_series(line, openmetrics=self._openmetrics)
            # A name that runs into its value could go on as another name in the next body: no template for it.
            self._loose = self._loose or line[start - 1] not in " \t}"
        else:
            start = match.end()
        if not self._clean:
            self._check_utf8("a name or label value", *(text for pair in labels for text in pair))
        if self._limits is not NO_LIMITS:
            _check_limits(labels, self._limits)
        return labels, start

    def _usual_labels(self, name: str, inner: str | None) -> Labels | None:
        """Return the labels written as `inner` between the braces; None where it takes the careful reader.

        Pairs are shared between series: a hundred thousand series have few different ones, and memory counts.
        """
        name_pair = self._name_pairs.get(name)
        if name_pair is None:
            name_pair = self._name_pairs[name] = (METRIC_NAME, sys.intern(name))
        if not inner:
            return (name_pair,)
        if not inner.endswith('"'):
            return None
        pairs = [name_pair]
        for text in inner[:-1].split('",'):
            pair = self._label_pair(text)
            if pair is None:
                return None
            pairs.append(pair)
        if len(dict(pairs)) < len(pairs):
            return None
        if '=""' in inner:
            pairs = [pair for pair in pairs if pair[1]]
        pairs.sort()
        return tuple(pairs)

    def _label_pair(self, text: str) -> tuple[str, str] | None:
        if text in self._label_pairs:
            return self._label_pairs[text]
        match = _LABEL.fullmatch(text)
        pair = (sys.intern(match.group(1)), match.group(2)) if match else None
        self._label_pairs[text] = pair
        return pair

    def _check_utf8(self, what: str, *texts: str) -> None:
        if not self._clean and any("\udc80" <= character <= "\udcff" for text in texts for character in text):
            raise LineError(f"{what} is not valid UTF-8")

    def _parsed(self) -> Parsed:
        kept = _first_of_each(self._series)
        values, times = np.array(self._values, dtype=np.float64), np.array(self._times, dtype=np.int64)
        series = tuple(self._series)
        if kept is not None:
            values, times, series = values[kept], times[kept], tuple(series[i] for i in kept.tolist())
        if 0 < self._limits.samples < len(series):
            raise ExpositionError(0, f"there are {len(series)} samples, more than the limit of {self._limits.samples}")
        return Parsed(
            layout=self._layout(series),
            values=values,
            timestamps_ms=None if (times == NO_TIMESTAMP).all() else times,
            families=self._families,
            duplicates=len(self._series) - len(series),
            template=self._template(kept),
            limits=self._limits,
        )

    def _layout(self, series: tuple[Labels, ...]) -> Layout:
        before = None if self._previous is None else self._previous.layout
        return before if before is not None and before.series == series else Layout(series)

    def _template(self, kept: NDArray[np.intp] | None) -> Template | None:
        if self._loose:
            return None
        return Template(self._body, self._sample_lines, self._prefixes, kept, openmetrics=self._openmetrics)


def _first_of_each(series: Sequence[Labels]) -> NDArray[np.intp] | None:
    """Return the places where a series comes for the first time; None if none comes twice."""
    first = dict(zip(reversed(series), range(len(series) - 1, -1, -1), strict=True))
    return None if len(first) == len(series) else np.array(sorted(first.values()), dtype=np.intp)


def _check_limits(labels: Labels, limits: Limits) -> None:
    name = metric_name(labels)
    if 0 < limits.labels < len(labels):
        raise LineError(f"{name!r} has {len(labels)} labels, more than the limit of {limits.labels}")
    for key, value in labels:
        if 0 < limits.label_name_length < len(key.encode()):
            raise LineError(f"a label name of {name!r} is longer than the limit of {limits.label_name_length} bytes")
        if 0 < limits.label_value_length < len(value.encode()):
            longest = limits.label_value_length
            raise LineError(f"label {key!r} of {name!r} is longer than the limit of {longest} bytes")
