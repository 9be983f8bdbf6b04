"""prometheus_client's parsers and ours read the same, and a known template reads what a fresh look reads."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as text_families
from prometheus_client.samples import Timestamp

from metrics.exposition import ExpositionError, Parsed, parse
from metrics.frame import NO_TIMESTAMP
from metrics.label import METRIC_NAME, Labels, escape_value, labels_of

TEXT = "text/plain; version=0.0.4"
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

Sample = tuple[Labels, float, int | None]

names = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,6}", fullmatch=True)
label_names = st.from_regex(r"[a-zA-Z][a-zA-Z0-9_]{0,5}", fullmatch=True)
texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=6)
values = st.floats(allow_nan=False) | st.integers(-(10**18), 10**18).map(float) | st.just(math.nan)
times = st.none() | st.integers(0, 4 * 10**12)


def identity(row: tuple[str, dict[str, str], float, int | None]) -> Labels:
    return labels_of({METRIC_NAME: row[0], **row[1]})


samples = st.lists(
    st.tuples(names, st.dictionaries(label_names, texts, max_size=3), values, times),
    max_size=6,
    unique_by=identity,
)
blanks = st.sampled_from(["", " ", "\t"])


def number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return ("+Inf" if value > 0 else "-Inf") if math.isinf(value) else repr(value)


def line(name: str, labels: dict[str, str], value: float, time: str, space: str = "") -> str:
    inner = ("," + space).join(f'{key}{space}={space}"{escape_value(text)}"' for key, text in labels.items())
    return f"{name}{{{inner}}} {number(value)}{time}"


def ours(parsed: Parsed) -> list[Sample]:
    stamps = [NO_TIMESTAMP] * len(parsed.layout) if parsed.timestamps_ms is None else parsed.timestamps_ms.tolist()
    rows = zip(parsed.layout.series, parsed.values.tolist(), stamps, strict=True)
    return [(labels, value, None if stamp == NO_TIMESTAMP else stamp) for labels, value, stamp in rows]


def milliseconds(stamp: float | Timestamp | None) -> int | None:
    if stamp is None:
        return None
    return stamp.sec * 1000 + stamp.nsec // 1_000_000 if isinstance(stamp, Timestamp) else round(stamp * 1000)


@settings(max_examples=60, deadline=None)
@given(samples, blanks)
def test_text_format_is_read_as_prometheus_client_reads_it(
    rows: list[tuple[str, dict[str, str], float, int | None]], space: str
) -> None:
    body = "".join(line(n, ls, v, "" if t is None else f" {t}", space) + "\n" for n, ls, v, t in rows)
    expected = [
        (labels_of({METRIC_NAME: s.name, **s.labels}), s.value, milliseconds(s.timestamp))
        for family in text_families(body)
        for s in family.samples
    ]

    parsed = parse(body.encode(), TEXT)

    np.testing.assert_equal(ours(parsed), expected)
    np.testing.assert_equal(ours(parse(body.encode(), TEXT, parsed)), expected)


@settings(max_examples=60, deadline=None)
@given(samples)
def test_openmetrics_is_read_as_prometheus_client_reads_it(
    rows: list[tuple[str, dict[str, str], float, int | None]],
) -> None:
    rows = [(f"m{i}_{n.replace(':', '_')}", ls, v, t) for i, (n, ls, v, t) in enumerate(rows)]
    body = "".join(
        f"# TYPE {n} gauge\n" + line(n, ls, v, "" if t is None else f" {t // 1000}.{t % 1000:03}") + "\n"
        for n, ls, v, t in rows
    )
    body += "# EOF\n"
    expected = [
        (labels_of({METRIC_NAME: s.name, **s.labels}), s.value, milliseconds(s.timestamp))
        for family in openmetrics_families(body)  # type: ignore[no-untyped-call]
        for s in family.samples
    ]

    parsed = parse(body.encode(), OPENMETRICS)

    np.testing.assert_equal(ours(parsed), expected)
    np.testing.assert_equal(ours(parse(body.encode(), OPENMETRICS, parsed)), expected)


pieces = st.sampled_from(
    ["a", "b", "ab", "{", "}", 'x="1"', 'y="2"', '"q"', ",", " ", "  ", "\t", "\n", "\n", "1", "2.5", "-3e2", "NaN",
     "+Inf", "# HELP a b", "# TYPE a counter", "# EOF", "# ", "#", "{}", 'x="ä"', "\\", '"', "=", "_", "1_0", "\r"]
)  # fmt: skip
bodies = st.lists(pieces, max_size=14).map("".join)
sane_lines = st.sampled_from(
    ["a 1", "a 2.5", "a  3", "a 4 5", "a 4\t5", 'a{x="1"} 6', 'a{x="1"}7', 'b{x="ä",y="2"} 8', 'b{y="2",x="ä"} 9',
     "c NaN", "c +Inf", "d 1 # {} 1", "d 1 5 # {} 1", "# HELP a b", "# HELP a c", "# TYPE a counter", "", "ab 1", "a+1",
     "a 1 7", "a1 7", "a 1_0", "# EOF"]
)  # fmt: skip
line_bodies = st.lists(sane_lines, max_size=5).map(lambda lines: "".join(f"{it}\n" for it in lines))


def outcome(body: str, kind: str, previous: Parsed | None) -> tuple[object, Parsed | None]:
    try:
        parsed = parse(body.encode(), kind, previous)
    except ExpositionError as error:
        return str(error), None
    return repr((ours(parsed), sorted(parsed.families.items()), parsed.duplicates)), parsed


@pytest.mark.parametrize("kind", [TEXT, OPENMETRICS])
@settings(max_examples=200, deadline=None)
@given(st.lists(bodies | line_bodies, min_size=2, max_size=5), st.booleans())
def test_body_reads_the_same_whatever_was_read_before(kind: str, series_of_bodies: list[str], ended: bool) -> None:
    previous: Parsed | None = None
    for body in series_of_bodies:
        whole = body + "# EOF\n" if ended else body
        fresh, _ = outcome(whole, kind, None)
        known, parsed = outcome(whole, kind, previous)
        assert known == fresh
        previous = parsed or previous


LINES = ["# TYPE a counter", "# HELP a b", *(f'a{{n="{n}"}} {n}' for n in range(12)), "b 1", "b 2", "c NaN", ""]
MUTATED = [
    'a{n="3"} 4',
    'a{n="3"} 5 6',
    'a{n="3"} ',
    'a{n="3"}',
    'a{n="33"} 7',
    "b 0x1",
    "b -Inf",
    "# HELP a c",
    "b 1_0",
    "c 5",
]


@given(
    edits=st.lists(
        st.lists(st.tuples(st.integers(0, len(LINES) - 1), st.sampled_from(MUTATED)), max_size=3), max_size=8
    ),
    kind=st.sampled_from([TEXT, OPENMETRICS]),
)
def test_body_of_which_a_few_lines_changed_reads_as_it_would_alone(
    edits: list[list[tuple[int, str]]], kind: str
) -> None:
    previous: Parsed | None = None
    for edit in [[], [], *edits]:
        lines = list(LINES)
        for place, text in edit:
            lines[place] = text
        if kind == OPENMETRICS:  # it has no blank lines, but an end
            lines = [*filter(None, lines), "# EOF"]
        body = "\n".join(lines) + "\n"
        known, parsed = outcome(body, kind, previous)
        fresh, _ = outcome(body, kind, None)
        assert known == fresh
        previous = parsed or previous
