from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.promql import ast
from metrics.promql.error import ExpressionError, UnsupportedError
from metrics.promql.parse import SelectorUse, parse
from metrics.promql.scan import MAX_LENGTH, MAX_NESTING, MAX_OPERATORS
from metrics.storage import Matcher, MatchOp

WRONG = [
    ("", "the expression is empty"),
    ("# only a comment", "the expression is empty"),
    ("up ==", "character 4: nothing follows '=='; give it a right side"),
    ("(up > ) * 2", "character 7: nothing follows '>'"),
    ("* up", "character 1: nothing stands before '*'"),
    ("up > > 5", "character 6: nothing stands before '>'"),
    ("up = 0", "character 4: '=' compares nothing; write =="),
    ("up down", "character 4: an operator is missing between 'up' and 'down'"),
    ("(up", "character 1: '(' is never closed"),
    ("up)", "character 3: ')' closes nothing"),
    ("rate(x[5m)", "character 10: ')' closes nothing"),
    ('x{a="b"', "character 2: '{' is never closed"),
    ('x{a="b}', 'character 5: the text that begins with " is never closed'),
    ("x && y", "character 3: '&' means nothing here; write 'and'"),
    ('x{a=="b"}', "character 4: a matcher has one '='"),
    ("x{a=b}", "character 5: the value of a matcher stands in quotes"),
    ('x{a="b" c="d"}', "character 9: a comma is missing"),
    ("ratee(x[5m])", "there is no function 'ratee'; did you mean 'rate'?"),
    ("holt_winters(x[5m], 0.1, 0.1)", "did you mean 'double_exponential_smoothing'?"),
    ("rate(x)", "rate() needs a range vector; give the range in brackets, such as rate(x[5m])"),
    ("abs(x[5m])", "abs() needs an instant vector"),
    ("x[5x]", "'5x' is no duration"),
    ("x offset soon", "'offset' needs a duration"),
    ("x[5m] > 3", "an operator needs a number or an instant vector on each side"),
    ("1 > 2", "bool modifier"),
    ("{}", "a selector needs a metric name"),
    ("x > 5 for 5m", "'for' is no part of an expression"),
    ("sum by job (x)", "'by' needs labels in parentheses, such as by (job)"),
    ("topk(x)", "takes 2 argument(s), and there are 1"),
    ("sum(x)[5m]", "write a subquery"),
    ("x @ -5", "cannot be before 1970"),
    ("x @ 1e20", "Unix seconds"),
    ('x{a=~"("}', "the regular expression ( is wrong"),
    ('x{a=~"(?=b)"}', "the regular expression (?=b) is wrong"),
    ('label_replace(x, "1a", "", "", "")', "'1a' is no label name"),
    ('label_replace(x, "a", "", "", "(")', "the pattern '(' is wrong"),
    ('count_values("a b", x)', "'a b' is no label name"),
    ("up\n  == 0\n  and and x", "line 3, character 7: nothing stands before 'and'"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_expression_is_explained(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["first_over_time(x[5m])", "histogram_avg(x)", 'x{a="b" or c="d"}', "info(x)"])
def test_what_is_not_supported_is_refused_by_name(text: str) -> None:
    with pytest.raises(UnsupportedError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "a" * (MAX_LENGTH + 1),
        "(" * 20_000,
        "(" * (MAX_NESTING + 1) + "x" + ")" * (MAX_NESTING + 1),
        "a+" * 10_000 + "a",
        "-" * 10_000 + "a",
        "a " + "and a " * (MAX_OPERATORS + 1),
        "sum(" * 12_000 + "a" + ")" * 12_000,
        "{" * 1000,
        '"' * 60_001,
    ],
)
def test_input_that_would_break_the_parser_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "(" * MAX_NESTING + "x" + ")" * MAX_NESTING,
        "a+" * MAX_OPERATORS + "a",
        "a^" * MAX_OPERATORS + "a",
        "-" * (MAX_OPERATORS - 1) + "a",
        "abs(" * MAX_NESTING + "a+" * MAX_OPERATORS + "a" + ")" * MAX_NESTING,
        "x{" + 'a="b",' * 5000 + "}",
    ],
)
def test_expression_at_the_limits_is_parsed(text: str) -> None:
    assert parse(text).selectors


_WORDS = st.sampled_from(
    [
        "x",
        "up",
        "1",
        "5m",
        '"s"',
        "(",
        ")",
        "{",
        "}",
        "[",
        "]",
        "=",
        "==",
        "!=",
        "=~",
        "+",
        "-",
        "*",
        "/",
        "^",
        "%",
        "<",
        ">",
        ",",
        ":",
        "@",
        "by",
        "(a)",
        "sum",
        "rate",
        "on",
        "ignoring",
        "group_left",
        "and",
        "or",
        "unless",
        "bool",
        "offset",
        "start()",
        '{a="b"}',
        "[5m]",
        "[5m:1m]",
        "abs(",
        "topk(2,",
        "'",
        "`",
        "!",
        "1e9",
        "0x1f",
        "Inf",
        "NaN",
        "absent(",
        "\\",
        "é",
    ]
)


@given(st.lists(_WORDS, max_size=14).map(" ".join) | st.text(max_size=40))
def test_any_text_is_parsed_or_refused_with_a_message(text: str) -> None:
    try:
        expression = parse(text)
    except ExpressionError as error:
        assert str(error)
    else:
        assert str(parse(str(expression))) == str(expression)


ROUND_TRIPS = [
    "up",
    'up{job="a",instance!~"b.*"} offset 5m',
    "x @ 12.500 offset -1m",
    "x @ end()",
    "sum by (a, b) (rate(x[5m]))",
    "sum without () (x)",
    'a / on (x) group_left ("utf-8 label") b',
    "a > bool 1",
    "a and ignoring (x) b",
    "-x ^ 2",
    "(a + b) * -3.5",
    "max_over_time(rate(x[5m])[1h:30s] offset 1m)",
    "avg_over_time(x[1h:])",
    'label_replace(x, "a", "$1", "b", "(.*)\\\\.x")',
    'count_values("version", build)',
    "topk(3, x)",
    '{"utf-8.name",a="b"}',
    "x == Inf",
]


@pytest.mark.parametrize("text", ROUND_TRIPS)
def test_expression_is_shown_as_it_parses(text: str) -> None:
    expression = parse(text)

    assert parse(str(expression)).root == expression.root
    assert parse(expression.prettify()).root == expression.root


def test_long_expression_is_laid_out_over_several_lines() -> None:
    side = 'sum by (job, instance) (rate(http_requests_total{code=~"5.."}[5m]))'
    text = f"({side} / {side}) > 0.05 and on (job) up == 1"

    pretty = parse(text).prettify()

    assert parse(pretty).root == parse(text).root
    assert all(len(line) <= 100 for line in pretty.splitlines())


def test_tree_is_ours() -> None:
    assert parse('sum by (job) (x{a!="b"} offset 1m)').root == ast.Aggregate(
        "sum",
        ast.VectorSelector(
            (Matcher("__name__", MatchOp.EQUAL, "x"), Matcher("a", MatchOp.NOT_EQUAL, "b")), offset_ms=60_000
        ),
        None,
        ast.Grouping(False, ("job",)),
    )


def test_selectors_tell_what_is_read() -> None:
    name = Matcher("__name__", MatchOp.EQUAL, "x")

    uses = parse("x + max_over_time(rate(x[5m] offset 1m)[1h:1m] offset 2m)").selectors

    assert uses == (SelectorUse((name,), 0, 0), SelectorUse((name,), 3_900_000, 180_000))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x > 80", False),
        ("sum by (a) (x) / y", False),
        ("minute(x)", False),
        ("timestamp(x)", False),
        ("time() - x", True),
        ("hour() > 8 and x", True),
        ("absent(x)", True),
        ("absent_over_time(x[5m])", True),
        ("rate(x[5m])", True),
        ("x offset 5m", True),
        ("x @ 5", True),
    ],
)
def test_expression_knows_whether_time_alone_changes_it(text: str, expected: bool) -> None:
    assert parse(text).reads_time is expected
