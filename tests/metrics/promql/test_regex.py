from __future__ import annotations

import re

import pytest

from metrics.promql.regex import translate


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a.c", "a\nc", True),
        ("(?i)abc", "ABC", True),
        ("((?i)PRO).*", "production", True),
        ("((?i)PRO)X", "prox", False),
        ("a|(?i)b|c", "C", True),
        ("a|(?i)b|c", "A", False),
        (".*(?i:TION)", "production", True),
        ("[[:digit:]]+", "123", True),
        ("[^[:digit:]]+", "123", False),
        (r"\Qa.b\E.", "a.bc", True),
        (r"\Qa.b\E.", "axbc", False),
        (r"abc\z", "abc", True),
        (r"[(?i)]+", "(?i)", True),
        (r"\((?i)x", "(X", True),
        ("(?P<n>a)b", "ab", True),
    ],
)
def test_pattern_means_what_it_means_in_re2(pattern: str, text: str, matches: bool) -> None:
    assert bool(re.compile(translate(pattern), re.DOTALL).fullmatch(text)) is matches


@pytest.mark.parametrize("pattern", ["(", "a(?=b)", "(?<!a)b", r"(a)\1", "(?>a)", r"\p{Greek}", "*"])
def test_pattern_that_re2_or_we_do_not_have_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        translate(pattern)
