"""Expressions made up by hypothesis: every function, aggregation and operator that Prometheus 2.42 has, too.

What 2.42 decides otherwise is left out here or translated by `for_version_2`; each place says why.
"""

from __future__ import annotations

import re

from hypothesis import strategies as st

COUNTERS = ("c_total",)
GAUGES = ("g", "other", "odd", "limit")
OVER_TIME = (
    "avg", "count", "last", "max", "min", "present", "stddev", "stdvar", "sum",
)  # fmt: skip
COUNTER_FUNCTIONS = ("rate", "increase", "irate", "resets", "changes")
GAUGE_FUNCTIONS = ("delta", "idelta", "deriv", "changes", "resets")
ELEMENTWISE = (
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "ceil", "cos", "cosh", "deg", "exp", "floor", "ln",
    "log10", "log2", "rad", "sgn", "sin", "sinh", "sqrt", "tan", "tanh",
)  # fmt: skip
CALENDAR = ("day_of_month", "day_of_week", "day_of_year", "days_in_month", "hour", "minute", "month", "year")
REDUCING = ("sum", "avg", "min", "max", "count", "group")
ARITHMETIC = ("+", "-", "*", "/", "%", "^")
COMPARISON = ("==", "!=", "<", ">", "<=", ">=")

PATTERN = "(.).*"

FUNCTIONS = frozenset(
    [f"{name}_over_time" for name in OVER_TIME]
    + [*COUNTER_FUNCTIONS, *GAUGE_FUNCTIONS, *ELEMENTWISE, *CALENDAR]
    + ["absent", "absent_over_time", "clamp", "clamp_max", "clamp_min", "double_exponential_smoothing"]
    + ["histogram_quantile", "label_join", "label_replace", "pi", "predict_linear", "quantile_over_time", "round"]
    + ["scalar", "sort", "sort_desc", "time", "timestamp", "vector"]
)
"""All that are made up here. Prometheus 2.42 knows neither mad_over_time nor sort_by_label and sort_by_label_desc."""


def for_version_2(text: str) -> str:
    """Return an expression of version 3 as version 2 writes it."""
    text = text.replace("double_exponential_smoothing", "holt_winters")
    # In version 2 the dot of a pattern does not match a line break.
    text = re.sub(r'(=~|!~)"((?:[^"\\]|\\.)*)"', r'\1"(?s:\2)"', text)
    return text.replace(PATTERN, f"(?s:{PATTERN})")


RANGES = st.sampled_from(["1m", "2m", "5m", "7m30s", "20m", "90s", "31s", "1h"])
# A subquery's points are at whole seconds; its left boundary must not be, as version 2 counts a point there.
SUBQUERY_RANGES = st.sampled_from(["2m7ms", "5m7ms", "13m7ms", "61s7ms"])
SUBQUERY_STEPS = st.sampled_from(["", "15s", "30s", "77s", "1m"])
NUMBERS = st.sampled_from(["0", "1", "-2", "0.5", "3.7", "100", "-0.25", "NaN", "Inf", "-Inf", "1e3"])
FRACTIONS = st.sampled_from(["0", "0.1", "0.5", "0.9", "1", "-1", "2", "NaN"])
OFFSETS = ["", "", "", "", " offset 1m", " offset -3m", " offset 47s"]
MODIFIERS = st.sampled_from([*OFFSETS, " @ 1700002222.25", " @ start()", " @ end() offset 2m"])
# In a range query, version 2.42 moves on what '@' pins down, under predict_linear and timestamp.
UNPINNED = st.sampled_from(OFFSETS)
MATCHERS = st.sampled_from(
    [
        "", "", "", 'job="a"', 'job!="a"', 'zone=~"x|y"', 'zone=~".*"', 'zone!~"x.*"', 'instance=~"[01]"', 'zone=""',
        'zone!=""', 'job=~"(a|b)", instance!="2"', 'nothing="here"',
    ]
)  # fmt: skip
LABELS = st.sampled_from(["", "job", "job, zone", "instance", "n", "nothing", "zone, instance"])


def _joined(*parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map("".join)


def _selector(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    return st.builds(lambda name, matchers: f"{name}{{{matchers}}}", st.sampled_from(names), MATCHERS)


ANY = (*COUNTERS, *GAUGES)
TEXTS = st.sampled_from(['text{line=~"one.two"}', 'text{path=~"/a.b.*"}', 'text{line=~"."}', 'text{line!~"o.*"}'])
MIXED = st.sampled_from(['{__name__=~"g|other"}', '{__name__=~"g|limit",job="a"}', '{__name__=~".+",job="b",zone="x"}'])
SELECTORS = _joined(_selector(ANY), MODIFIERS)


def _range(names: tuple[str, ...], modifiers: st.SearchStrategy[str] = MODIFIERS) -> st.SearchStrategy[str]:
    return st.builds(lambda x, window, modifier: f"{x}[{window}]{modifier}", _selector(names), RANGES, modifiers)


def _subquery(vectors: st.SearchStrategy[str], modifiers: st.SearchStrategy[str] = MODIFIERS) -> st.SearchStrategy[str]:
    return st.builds(
        lambda inner, window, step, modifier: f"({inner})[{window}:{step}]{modifier}",
        vectors, SUBQUERY_RANGES, SUBQUERY_STEPS, modifiers,
    )  # fmt: skip


def _over_ranges(ranges: st.SearchStrategy[str], unpinned: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    factors = st.sampled_from(["0.1", "0.5", "0.9"])
    return st.one_of(
        st.builds(lambda name, x: f"{name}_over_time({x})", st.sampled_from(OVER_TIME), ranges),
        st.builds(lambda name, x: f"{name}({x})", st.sampled_from(GAUGE_FUNCTIONS), ranges),
        st.builds(lambda q, x: f"quantile_over_time({q}, {x})", FRACTIONS, ranges),
        st.builds(lambda x, t: f"predict_linear({x}, {t})", unpinned, st.sampled_from(["60", "-30", "3600"])),
        st.builds(lambda x, s, t: f"double_exponential_smoothing({x}, {s}, {t})", ranges, factors, factors),
        st.builds(lambda x: f"absent_over_time({x})", ranges),
    )  # fmt: skip


LEAVES = st.one_of(
    SELECTORS,
    TEXTS,
    MIXED,
    st.builds(lambda name, x: f"{name}({x})", st.sampled_from(COUNTER_FUNCTIONS), _range(COUNTERS)),
    _over_ranges(_range(ANY), _range(ANY, UNPINNED)),
    st.builds(lambda x: f"absent({x})", SELECTORS),
    st.builds(lambda x, offset: f"timestamp({x}{offset})", _selector(ANY), UNPINNED),
    st.builds(lambda name: f"{name}()", st.sampled_from(CALENDAR)),
    st.builds(lambda name, x: f"{name}(timestamp({x}) * 3)", st.sampled_from(CALENDAR), _selector(ANY)),
    st.just("vector(time())"),
    st.builds(lambda q, m: f"histogram_quantile({q}, h_bucket{{{m}}})", FRACTIONS, st.sampled_from(["", 'job="a"'])),
    st.builds(lambda q, w: f"histogram_quantile({q}, sum by (le) (rate(h_bucket[{w}])))", FRACTIONS, RANGES),
)


def _grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    scalars = st.one_of(NUMBERS, st.just("time() / 1e8"), st.just("pi()"), inner.map(lambda x: f"scalar({x})"))
    grouping = st.builds(lambda word, labels: f"{word} ({labels})", st.sampled_from(["by", "without"]), LABELS)
    matching = st.one_of(
        st.just(""),
        st.builds(lambda labels: f"on ({labels})", LABELS),
        st.builds(lambda labels: f"ignoring ({labels})", LABELS),
        st.builds(
            lambda labels, side: f"on ({labels}) {side} ()", LABELS, st.sampled_from(["group_left", "group_right"])
        ),
        st.builds(lambda labels: f"ignoring (n, {labels or 'zone'}) group_left (zone)", LABELS),
    )
    return st.one_of(
        st.builds(lambda name, x: f"{name}({x})", st.sampled_from(ELEMENTWISE), inner),
        st.builds(lambda x, n: f"round({x}, {n})", inner, st.sampled_from(["1", "0.5", "10"])),
        st.builds(lambda x, low, high: f"clamp({x}, {low}, {high})", inner, NUMBERS, NUMBERS),
        st.builds(lambda name, x, n: f"{name}({x}, {n})", st.sampled_from(["clamp_min", "clamp_max"]), inner, NUMBERS),
        st.builds(lambda name, g, x: f"{name} {g} ({x})", st.sampled_from(REDUCING), grouping, inner),
        st.builds(lambda name, x: f"{name}({x})", st.sampled_from(REDUCING), inner),
        # Of one NaN or infinity, version 2.42 takes the deviation for 0.
        st.builds(
            lambda name, g, x: f"{name} {g} ((({x})) > -Inf < Inf)",
            st.sampled_from(["stddev", "stdvar"]), st.one_of(st.just(""), grouping), inner,
        ),
        st.builds(lambda q, g, x: f"quantile {g} ({q}, {x})", FRACTIONS, grouping, inner),
        st.builds(lambda op, x, s: f"({x}) {op} {s}", st.sampled_from(ARITHMETIC), inner, scalars),
        st.builds(lambda op, x, s: f"{s} {op} ({x})", st.sampled_from(ARITHMETIC), inner, scalars),
        st.builds(
            lambda op, b, x, s: f"({x}) {op} {b} {s}",
            st.sampled_from(COMPARISON), st.sampled_from(["", "bool"]), inner, scalars,
        ),
        st.builds(
            lambda op, m, x, y: f"({x}) {op} {m} ({y})", st.sampled_from(ARITHMETIC), matching, inner, inner
        ),
        st.builds(
            lambda op, b, m, x, y: f"({x}) {op} {b} {m} ({y})",
            st.sampled_from(COMPARISON), st.sampled_from(["", "bool"]), matching, inner, inner,
        ),
        st.builds(
            lambda op, labels, x, y: f"({x}) {op} {labels} ({y})",
            st.sampled_from(["and", "or", "unless"]),
            st.one_of(st.just(""), LABELS.map(lambda labels: f"on ({labels})")), inner, inner,
        ),
        st.builds(lambda x: f"-({x})", inner),
        # Version 2.42 keeps names through atan2; abs() has dropped them.
        st.builds(lambda x, y: f"abs({x}) atan2 abs({y})", inner, inner),
        st.builds(lambda x, s: f"abs({x}) atan2 {s}", inner, scalars),
        st.builds(lambda x, s: f"{s} atan2 abs({x})", inner, scalars),
        _over_ranges(_subquery(inner), _subquery(inner, UNPINNED)),
        st.builds(lambda x: f"rate(({x})[5m7ms:30s])", _selector(COUNTERS)),
        st.builds(lambda x: f"absent({x})", inner),
        st.builds(lambda s: f"vector({s})", scalars),
        st.builds(lambda x: f'label_replace({x}, "job", "$1-", "instance", "{PATTERN}")', inner),
        st.builds(lambda x: f'label_join({x}, "joined", "+", "job", "zone", "nothing")', inner),
    )  # fmt: skip


_SMALL = st.one_of(LEAVES, _grow(LEAVES))
VECTORS = st.one_of(_SMALL, _grow(_SMALL), _grow(_grow(LEAVES)))

# What these choose or how they name values shows only at the root; which of equal values topk takes is left open.
ROOTS = st.one_of(
    VECTORS,
    VECTORS,
    VECTORS,
    st.builds(
        lambda name, k, g, x: f"{name} {g} ({k}, {x})",
        st.sampled_from(["topk", "bottomk"]), st.sampled_from(["1", "2", "3.9", "0", "-1", "100"]),
        st.sampled_from(["", "by (job)", "without (n, instance)"]), st.one_of(SELECTORS, LEAVES),
    ),
    st.builds(lambda x: f'count_values("value", {x})', st.one_of(SELECTORS, VECTORS.map(lambda x: f"round({x})"))),
    st.builds(lambda name, x: f"{name}({x})", st.sampled_from(["sort", "sort_desc"]), LEAVES),
    NUMBERS,
    st.just("time()"),
    VECTORS.map(lambda x: f"scalar({x})"),
)  # fmt: skip
