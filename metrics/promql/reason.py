"""The parser's reasons for refusing an expression, in words that name the remedy."""

from __future__ import annotations

import re

_WORDS = (
    (
        r"expected type matrix in call to function '(\w+)', got (\w+)",
        r"\1() needs a range vector; give the range in brackets, such as \1(x[5m])",
    ),
    (
        r"expected type vector in call to function '(\w+)', got matrix",
        r"\1() needs an instant vector; take the range off, or use a function for ranges such as max_over_time(x[5m])",
    ),
    (
        r"expected type vector in aggregation expression, got (\w+)",
        r"an aggregation needs an instant vector, and this is a \1",
    ),
    (
        r"expected type (\w+) in call to function '(\w+)', got (\w+)",
        r"\2() needs a \1 there, and this is a \3",
    ),
    (
        r"comparisons between scalars must use BOOL modifier",
        r"two numbers can be compared only with the bool modifier, such as 1 == bool 2",
    ),
    (
        r"vector selector must contain at least one non-empty matcher",
        r"a selector needs a metric name, or a matcher that an absent label does not satisfy",
    ),
    (
        r"binary expression must contain only scalar and instant vector types",
        r"an operator needs a number or an instant vector on each side; a range vector such as x[5m] or a text cannot"
        r" stand there",
    ),
    (
        r"set operator '(\w+)' not allowed in binary scalar expression",
        r"'\1' needs a vector on each side; write vector(1) for a number",
    ),
    (
        r"ranges only allowed for vector selectors",
        r"a range such as [5m] can follow only a selector; over another expression write a subquery, such as"
        r" (…)[5m:1m]",
    ),
    (
        r"wrong number of arguments for aggregate expression provided, expected (\d+), got (\d+)",
        r"the aggregation takes \1 argument(s), and there are \2",
    ),
    (
        r"expected (.*?) argument\(s\) in call to '(\w+)', got (\d+)",
        r"\2() takes \1 argument(s), and there are \3",
    ),
    (
        r"illegal regex for (.*)",
        r"the regular expression \1 is wrong; the syntax is that of RE2, which has no look-around and no"
        r" back-references",
    ),
    (r"missing unit character in duration|duration must be greater than 0", r"a range needs a duration, such as [5m]"),
    (r"unknown escape sequence '(.*)'", r"\\\1 is no escape sequence; write \\\\ for a backslash"),
    (r"(?:invalid promql query)?", r"this is no valid PromQL expression"),
)
_TABLE = tuple((re.compile(pattern, re.DOTALL), words) for pattern, words in _WORDS)


def reword(reason: str) -> str:
    """Return a reason of the parser in our words; as it is where we have none."""
    for pattern, words in _TABLE:
        match = pattern.fullmatch(reason)
        if match:
            return match.expand(words)
    return reason
