"""Reading the text format and OpenMetrics, and telling what is wrong with what is neither."""

from __future__ import annotations

import math

import numpy as np
import pytest

from core.errors import TransientError
from metrics.exposition import ExpositionError, Limits, Parsed, parse
from metrics.frame import NO_TIMESTAMP, Family, MetricType
from metrics.label import format_labels

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


def shown(parsed: Parsed) -> list[tuple[str, float, int | None]]:
    times = [NO_TIMESTAMP] * len(parsed.layout) if parsed.timestamps_ms is None else parsed.timestamps_ms.tolist()
    return [
        (format_labels(labels), value, None if time == NO_TIMESTAMP else time)
        for labels, value, time in zip(parsed.layout.series, parsed.values.tolist(), times, strict=True)
    ]


TEXT_CASES = [
    ("a 1", [("a", 1, None)]),
    ("a 1\n", [("a", 1, None)]),
    ("\n\n  \t\na 1\n\n", [("a", 1, None)]),
    ("", []),
    ("# just a comment\n#\n#HELP a b\n# HELPa\n# HELP a-b c\n", []),
    ("a{} 1", [("a", 1, None)]),
    ('a{x="1"} 1', [('a{x="1"}', 1, None)]),
    ('a{x="1",} 1', [('a{x="1"}', 1, None)]),
    ('a{y="2",x="1"} 1', [('a{x="1",y="2"}', 1, None)]),
    ('a{A="2",x="1"} 1', [('a{A="2",x="1"}', 1, None)]),
    ('  a  {  x = "1" , y="2" }  1 \t 123  ', [('a{x="1",y="2"}', 1, 123)]),
    ('a\t{x="1"}\t1\t123', [('a{x="1"}', 1, 123)]),
    ('a{x="1" y="2"z="3"} 1', [('a{x="1",y="2",z="3"}', 1, None)]),
    ('a{x="1"}5', [('a{x="1"}', 5, None)]),
    ('a{x=""} 1', [("a", 1, None)]),
    ('a{x="",y="2"} 1', [('a{y="2"}', 1, None)]),
    (r'a{x="\\\"\n\d"} 1', [('a{x="\\\\\\"\\n\\\\d"}', 1, None)]),
    ('a{x="},{ = \t#"} 1', [('a{x="},{ = \t#"}', 1, None)]),
    ('a{x="a\\",y=\\"b"} 1', [('a{x="a\\",y=\\"b"}', 1, None)]),
    ('a{x="äöü€😀"} 1', [('a{x="äöü€😀"}', 1, None)]),
    ("a:b:c_1 1", [("a:b:c_1", 1, None)]),
    ("a 1e3\nb -1.5E-2\nc +7\nd .5\ne 5.", [("a", 1000, None), ("b", -0.015, None), ("c", 7, None), ("d", 0.5, None),
                                             ("e", 5, None)]),
    ("a +Inf\nb -inf\nc Infinity", [("a", math.inf, None), ("b", -math.inf, None), ("c", math.inf, None)]),
    ("a 1 0\nb 2", [("a", 1, 0), ("b", 2, None)]),
    ("a 1 -5", [("a", 1, -5)]),
    ('{"a.b"} 1', [('{"a.b"}', 1, None)]),
    ('{"a.b",x="1"} 1', [('{"a.b",x="1"}', 1, None)]),
    ('{x="1","a"} 1', [('a{x="1"}', 1, None)]),
    ('a{"x.y"="1"} 1', [('a{"x.y"="1"}', 1, None)]),
    ('{"a\\"b\\n"} 1', [('{"a\\"b\\n"}', 1, None)]),
    ('a{x="\x00"} 1', [('a{x="\x00"}', 1, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), TEXT_CASES)
def test_text_format_is_read(body: str, expected: list[tuple[str, float, int | None]]) -> None:
    first = parse(body.encode(), TEXT)
    again = parse(body.encode(), TEXT, first)

    assert shown(first) == expected
    assert shown(again) == expected
    assert again.layout is first.layout


OPENMETRICS_CASES = [
    ("", []),
    ("a 1\n", [("a", 1, None)]),
    ('a{x="1",y="2"} 1\n', [('a{x="1",y="2"}', 1, None)]),
    ('a{x="1"} 1 1520879607.789\n', [('a{x="1"}', 1, 1520879607789)]),
    ("a 1 1e3\n", [("a", 1, 1_000_000)]),
    ("a_total 1 # {} 0.5\n", [("a_total", 1, None)]),
    ('a_bucket{le="1"} 1 # {trace_id="x y"} 0.5 123.4\n', [('a_bucket{le="1"}', 1, None)]),
    ('a_bucket{le="1"} 1 5 # {trace_id="# {"} 0.5\n', [('a_bucket{le="1"}', 1, 5000)]),
    ('a{x=" # {"} 1\n', [('a{x=" # {"}', 1, None)]),
    ('{"a.b",x="1"} 1\n', [('{"a.b",x="1"}', 1, None)]),
    ("a NaN\n", [("a", math.nan, None)]),
]


@pytest.mark.parametrize(("body", "expected"), OPENMETRICS_CASES)
@pytest.mark.parametrize("end", ["# EOF\n", "# EOF"])
def test_openmetrics_is_read(body: str, end: str, expected: list[tuple[str, float, int | None]]) -> None:
    first = parse((body + end).encode(), OPENMETRICS)
    again = parse((body + end).encode(), OPENMETRICS, first)

    np.testing.assert_equal(shown(first), expected)
    np.testing.assert_equal(shown(again), expected)
    assert again.layout is first.layout


TEXT_MISTAKES = [
    ("a", 1, "expected a value, got the end of the line"),
    ("ok 1\na{b='c'} 1\n", 2, "expected the value of label 'b' in double quotes, got \"'c'} 1\""),
    ("a{b=\n", 1, "expected the value of label 'b' in double quotes, got the end of the line"),
    ('a{b="x\ny"} 1\n', 1, "expected the value of label 'b' in double quotes, got '\"x'"),
    ('a{b="c" 1', 1, "expected ',' or '}' after a label, got '1'"),
    ('a{b="c",,} 1', 1, "expected a label name, got ',} 1'"),
    ('a{,} 1', 1, "expected a label name, got ',} 1'"),
    ('a{b} 1', 1, "expected '=' after label 'b', got '} 1'"),
    ('a{b="c"', 1, "expected ',' or '}' after a label, got the end of the line"),
    ('a{1b="c"} 1', 1, "expected a label name, got '1b=\"c\"} 1'"),
    ('a{=""} 0', 1, "expected a label name, got '=\"\"} 0'"),
    ('a{b:c="d"} 0', 1, "expected '=' after label 'b', got ':c=\"d\"} 0'"),
    ('a{b="1",b="2"} 0', 1, "label 'b' is given twice"),
    ('a{b="1",b=""} 0', 1, "label 'b' is given twice"),
    ('a{__name__="b"} 0', 1, "label '__name__' is given twice"),
    ('a{"b"} 1', 1, "the metric has two names, 'a' and 'b'"),
    ('{a="ok"} 1', 1, "the metric has no name"),
    ("{} 1", 1, "the metric has no name"),
    ("a true", 1, "value 'true' is not a number"),
    ("a 1_2", 1, "value '1_2' is not a number"),
    ("a 0x1p-3", 1, "value '0x1p-3' is not a number"),
    ("a 0x10", 1, "value '0x10' is not a number"),
    ("a 1\r\n", 1, "value '1\\r' is not a number"),
    ("a \u0661", 1, "value '\u0661' is not a number"),
    ("a 1\x00", 1, "value '1\\x00' is not a number"),
    ("a 0 1_2", 1, "timestamp '1_2' is not a number of milliseconds"),
    ("a 0 1.5", 1, "timestamp '1.5' is not a number of milliseconds"),
    ("a 0 +1", 1, "timestamp '+1' is not a number of milliseconds"),
    ("a 0 9223372036854775808", 1, "timestamp '9223372036854775808' is not a number of milliseconds"),
    ("a 0 1 2", 1, "expected the end of the line after the timestamp, got '2'"),
    ("a 0 # {} 1", 1, "expected the end of the line after the timestamp, got '{}'"),
    ("1a 1", 1, "expected a metric name, got '1a 1'"),
    ("<html>", 1, "expected a metric name, got '<html>'"),
    ("a-b 1", 1, "value '-b' is not a number"),
    ("# TYPE a horse", 1, "'horse' is no metric type; known are counter, gauge, histogram, summary, untyped"),
    ("# TYPE a", 1, "'' is no metric type"),
    ("# TYPE # x", 1, "expected a metric name after TYPE, got '# x'"),
    ("# HELP \n", 1, "expected a metric name after HELP, got the end of the line"),
    ("# TYPE a-b counter\n", 1, "expected a space after the metric name, got '-b counter'"),
]  # fmt: skip


@pytest.mark.parametrize(("body", "line", "reason"), TEXT_MISTAKES)
def test_mistake_in_text_format_refuses_the_body_with_line_and_reason(body: str, line: int, reason: str) -> None:
    with pytest.raises(ExpositionError) as caught:
        parse(body.encode(), TEXT)

    assert caught.value.line == line
    assert caught.value.reason.startswith(reason)
    assert isinstance(caught.value, TransientError)
    assert str(caught.value) == f"line {line}: {caught.value.reason}"


OPENMETRICS_MISTAKES = [
    ("a 1\n", 1, "the body does not end with '# EOF'; it may have been cut off"),
    ("", 1, "the body does not end with '# EOF'; it may have been cut off"),
    ("a 1\n# EOF\nb 1\n", 3, "there is more after '# EOF'"),
    ("# EOF\n# EOF\n", 2, "there is more after '# EOF'"),
    ("\n# EOF\n", 1, "expected a metric name, got the end of the line"),
    (" a 1\n# EOF\n", 1, "expected a metric name, got ' a 1'"),
    ("a  1\n# EOF\n", 1, "expected a value and perhaps a timestamp, one space between, got ' 1'"),
    ("a\t1\n# EOF\n", 1, "expected one space and a value, got '\\t1'"),
    ("a 1 \n# EOF\n", 1, "expected a value and perhaps a timestamp, one space between, got '1 '"),
    ('a{x="1", y="2"} 1\n# EOF\n', 1, "expected a label name, got ' y=\"2\"} 1'"),
    ("a 1 NaN\n# EOF\n", 1, "timestamp 'NaN' is not a number of seconds"),
    ("a 1 +Inf\n# EOF\n", 1, "timestamp '+Inf' is not a number of seconds"),
    ("a 1 1e300\n# EOF\n", 1, "timestamp '1e300' is not a number of seconds"),
    ("a 1 # {x} 1\n# EOF\n", 1, "expected '=' after label 'x', got '} 1'"),
    ("a 1 # {} \n# EOF\n", 1, "expected the value of an exemplar, got ' '"),
    ("a 1 # {} x\n# EOF\n", 1, "value 'x' is not a number"),
    ('a{x="1" y="2"} 1\n# EOF\n', 1, "expected ',' or '}' after a label, got ' y=\"2\"} 1'"),
    ("# HELP a-b c\n# EOF\n", 1, "expected a space after the metric name, got '-b c'"),
    ("a 1 # x\n# EOF\n", 1, "expected the labels of an exemplar, got 'x'"),
    ("# a comment\n# EOF\n", 1, "expected '# HELP', '# TYPE', '# UNIT' or '# EOF', got '# a comment'"),
    ("# TYPE a untyped\n# EOF\n", 1, "'untyped' is no metric type"),
    ("# UNIT a_bytes seconds\n# EOF\n", 1, "the name of 'a_bytes' does not end with its unit 'seconds'"),
]


@pytest.mark.parametrize(("body", "line", "reason"), OPENMETRICS_MISTAKES)
def test_mistake_in_openmetrics_refuses_the_body_with_line_and_reason(body: str, line: int, reason: str) -> None:
    with pytest.raises(ExpositionError) as caught:
        parse(body.encode(), OPENMETRICS)

    assert caught.value.line == line
    assert reason in caught.value.reason


@pytest.mark.parametrize(
    "mistake", [b"a 1_0", b"a x", b"a 1 x", b"a", b"a  1_0", b"a 1 2 3", b"a 1\r", b'a{x="\xff"} 1']
)
def test_mistake_after_a_good_body_is_found_too(mistake: bytes) -> None:
    good = parse(b"a 1\nb 2\n", TEXT)

    with pytest.raises(ExpositionError, match="line 1: "):
        parse(mistake + b"\nb 2\n", TEXT, good)


def test_name_that_ran_into_its_value_is_not_taken_for_a_longer_name() -> None:
    first = parse(b"a+1\n", TEXT)

    assert shown(first) == [("a", 1, None)]
    assert shown(parse(b"a+1 5\n", TEXT, first)) == [("a", 1, 5)]
    assert shown(parse(b"a1 5\n", TEXT, first)) == [("a1", 5, None)]


def test_bytes_that_are_not_utf8_are_refused_except_in_comments() -> None:
    assert shown(parse(b"# \xff\na 1\n", TEXT)) == [("a", 1, None)]
    for line in (b'a{x="\xff"} 1', b'{"\xff"} 1', b"# HELP a \xff"):
        with pytest.raises(ExpositionError, match=r"line 2: .* is not valid UTF-8"):
            parse(b"ok 1\n" + line, TEXT)


def test_families_are_told_by_help_type_and_unit() -> None:
    text = parse(b'# HELP a one\\ntwo \\\\ \\"\n# TYPE a counter\na 1\n# TYPE b gauge\n# HELP c\n', TEXT)
    openmetrics = parse(
        b'# TYPE a_seconds counter\n# UNIT a_seconds seconds\n# HELP a_seconds say \\"hi\\"\na_seconds_total 1\n'
        b'# TYPE "x.y" info\n# EOF\n',
        OPENMETRICS,
    )

    assert text.families == {
        "a": Family("a", MetricType.COUNTER, 'one\ntwo \\ \\"'),
        "b": Family("b", MetricType.GAUGE),
        "c": Family("c", MetricType.UNTYPED),
    }
    assert openmetrics.families == {
        "a_seconds": Family("a_seconds", MetricType.COUNTER, 'say "hi"', "seconds"),
        "x.y": Family("x.y", MetricType.INFO),
    }


@pytest.mark.parametrize("kind", list(MetricType))
def test_every_openmetrics_type_is_known(kind: MetricType) -> None:
    parsed = parse(f"# TYPE a {kind.value}\n# EOF\n".encode(), OPENMETRICS)

    assert parsed.families["a"].type is kind


def test_first_of_two_samples_of_a_series_is_kept_and_the_other_counted() -> None:
    body = b'a{x="1",y="2"} 1\nb 2\na{y="2",x="1"} 3\n'
    first = parse(body, TEXT)
    again = parse(body.replace(b" 1\n", b" 10\n"), TEXT, first)

    assert shown(first) == [('a{x="1",y="2"}', 1, None), ("b", 2, None)]
    assert shown(again) == [('a{x="1",y="2"}', 10, None), ("b", 2, None)]
    assert (first.duplicates, again.duplicates) == (1, 1)
    assert again.layout is first.layout


def test_layout_is_the_same_object_while_only_values_and_comments_change() -> None:
    first = parse(b"# HELP a x\na 1\nb 2\n", TEXT)
    values = parse(b"# HELP a x\na 1.25e3\nb NaN\n", TEXT, first)
    comment = parse(b"# HELP a changed\n\na 3\nb 4\n", TEXT, values)
    more = parse(b"a 3\nb 4\nc 5\n", TEXT, comment)

    assert values.layout is first.layout
    assert values.families is first.families
    assert comment.layout is first.layout
    assert comment.families["a"].help == "changed"
    assert shown(more) == [("a", 3, None), ("b", 4, None), ("c", 5, None)]
    assert more.layout.series[0] is first.layout.series[0]


def test_timestamps_may_come_and_go() -> None:
    first = parse(b"a 1\nb 2\n", TEXT)
    some = parse(b"a 1 10\nb 2\n", TEXT, first)
    every = parse(b"a 1 10\nb 2 20\n", TEXT, some)
    none = parse(b"a 1\nb 2\n", TEXT, every)

    assert [p.layout is first.layout for p in (some, every, none)] == [True] * 3
    assert shown(some) == [("a", 1, 10), ("b", 2, None)]
    assert shown(every) == [("a", 1, 10), ("b", 2, 20)]
    assert none.timestamps_ms is None


def test_format_may_change_between_two_bodies() -> None:
    text = parse(b"a 1\n", TEXT)
    openmetrics = parse(b"a 1\n# EOF\n", OPENMETRICS, text)
    again = parse(b"a 1\n# EOF\n", "application/openmetrics-text; version=0.0.1", openmetrics)

    assert shown(again) == [("a", 1, None)]
    with pytest.raises(ExpositionError, match="# EOF"):
        parse(b"a 1\n", OPENMETRICS, text)


def test_protobuf_is_refused_by_its_content_type() -> None:
    with pytest.raises(ExpositionError, match=r"^content type .*protobuf is not supported"):
        parse(b"\x00", "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily")


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (Limits(samples=1), "there are 2 samples, more than the limit of 1"),
        (Limits(labels=2), "line 2: 'b' has 3 labels, more than the limit of 2"),
        (Limits(label_name_length=8), "line 2: a label name of 'b' is longer than the limit of 8 bytes"),
        (Limits(label_value_length=3), "line 2: label 'x' of 'b' is longer than the limit of 3 bytes"),
    ],
)
def test_limits_refuse_the_body(limits: Limits, reason: str) -> None:
    body = b'a 1\nb{x="1234",long_name="1"} 1\n'
    previous = parse(body, TEXT)

    with pytest.raises(ExpositionError) as caught:
        parse(body, TEXT, previous, limits)
    assert str(caught.value) == reason


def test_equal_labels_of_different_series_share_their_memory() -> None:
    parsed = parse(b'a{x="1",y="2"} 1\nb{x="1",y="3"} 1\n', TEXT)
    a, b = parsed.layout.series

    assert a[1] is b[1]


def test_hostile_lines_take_no_longer_than_their_length() -> None:
    for line in ("a" * 200_000, "a{" + 'x="1",' * 50_000, 'a{x="' + "\\\\" * 100_000, "a " + "1" * 200_000 + "x",
                 "a{" * 50_000, "# HELP " + " " * 200_000, "a 1" + " " * 200_000 + "x y"):  # fmt: skip
        with pytest.raises(ExpositionError):
            parse(line.encode(), TEXT)
