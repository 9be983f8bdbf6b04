"""docs/promql.md says what the code does."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest

from metrics import pattern
from metrics.promql import matching, scan
from metrics.promql.compile import EXPERIMENTAL, NATIVE_ONLY, SUPPORTED
from metrics.promql.engine import MAX_STEPS, Engine

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "promql.md").read_text(encoding="utf-8")
DEFAULTS = inspect.signature(Engine).parameters


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ("aggregations", scan.AGGREGATORS),
        ("functions", SUPPORTED),
        ("refused", NATIVE_ONLY | EXPERIMENTAL),
    ],
)
def test_page_lists_what_there_is(part: str, names: frozenset[str]) -> None:
    match = re.search(rf"<!-- {part} -->(.*?)<!-- end -->", PAGE, re.DOTALL)

    assert match
    assert re.findall(r"`(\w+)`", match[1]) == sorted(names)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_LENGTH", scan.MAX_LENGTH),
        ("MAX_NESTING", scan.MAX_NESTING),
        ("MAX_OPERATORS", scan.MAX_OPERATORS),
        ("MAX_STEPS", MAX_STEPS),
        ("max_samples", DEFAULTS["max_samples"].default),
        ("max_seconds", DEFAULTS["max_seconds"].default),
        ("_MAX_PAIRS", matching._MAX_PAIRS),
        ("PATTERN_LENGTH", pattern.MAX_LENGTH),
        ("MAX_REPEAT", pattern.MAX_REPEAT),
    ],
)
def test_page_names_the_limits(name: str, value: float) -> None:
    assert f"<!-- {name} -->{value:.0f} |" in PAGE
