"""Which rules a frame is news to."""

from __future__ import annotations

import pytest

from alerting.touch import Touch
from metrics.frame import Layout
from metrics.label import labels_of
from metrics.promql.parse import parse

LAYOUT = Layout(
    tuple(
        labels_of(pairs)
        for pairs in (
            {"__name__": "up", "job": "shop", "instance": "a"},
            {"__name__": "http_requests_total", "job": "shop", "instance": "a", "code": "200"},
            {"__name__": "http_requests_total", "job": "shop", "instance": "a", "code": "500"},
        )
    )
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("up == 0", True),
        ('up{job="shop"}', True),
        ('up{job="other"}', False),
        ('rate(http_requests_total{code=~"5.."}[5m])', True),
        ('http_requests_total{code="404"}', False),
        ('{__name__=~"http_.*"}', True),
        ('{__name__=~"node_.*"}', False),
        ('{job="shop"}', True),
        ("node_load1 or up", True),
        ("node_load1", False),
        ("vector(1)", False),
        ('up{absent=""}', True),
        ('absent(up{job="shop"})', True),
    ],
)
def test_a_rule_is_touched_when_one_of_its_selectors_matches(text: str, expected: bool) -> None:
    readers = [("rule", [use.matchers for use in parse(text).selectors])]
    assert Touch(readers).of("scrape", LAYOUT) == (["rule"] if expected else [])


def test_a_source_with_another_layout_is_looked_at_again() -> None:
    touch = Touch([("up", [use.matchers for use in parse("up").selectors])])
    assert touch.of("a", LAYOUT) == ["up"]
    assert touch.of("a", Layout(())) == []
    assert touch.of("a", LAYOUT) == ["up"]


def test_the_end_of_a_source_is_news_to_those_that_read_it() -> None:
    touch = Touch([("up", [use.matchers for use in parse("up").selectors])])
    touch.of("a", LAYOUT)
    assert touch.end("a") == ["up"]
    assert touch.end("a") == []


def test_of_many_series_only_their_target_is_compared() -> None:
    many = Layout(tuple(labels_of({"__name__": "m", "job": "a", "number": str(n)}) for n in range(1000)))
    rules = {text: [use.matchers for use in parse(text).selectors] for text in ('m{number="x"}', 'm{job="b"}')}
    assert Touch(list(rules.items())).of("s", many) == ['m{number="x"}']
