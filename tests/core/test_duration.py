import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.duration import format_duration, parse_duration, spell_duration
from core.errors import UserError


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0), ("0s", 0.0), ("30s", 30.0), ("5m", 300.0), ("1h30m", 5400.0), ("250ms", 0.25), ("1d", 86400.0),
        ("1w", 604800.0), ("1y", 31536000.0), ("1y2w3d4h5m6s7ms", 31536000 + 1209600 + 259200 + 14400 + 306.007),
    ],
)  # fmt: skip
def test_duration_is_read_as_prometheus_reads_it(text: str, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "5 m", "-5m", "1.5h", "5m1h", "1s1s", "5x", "\u0665m"])
def test_text_that_is_no_duration_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(UserError, match="write a number and a unit"):
        parse_duration(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_formatted_duration_reads_back(milliseconds: int) -> None:
    assert round(parse_duration(format_duration(milliseconds / 1000)) * 1000) == milliseconds


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (90, "1m30s"), (691200, "8d"), (604800, "1w"), (-60, "-1m")])
def test_duration_is_formatted_as_people_write_it(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (0.4, "0 s"), (4, "4 s"), (200, "3 min 20 s"), (3600, "1 h"), (86_405, "1 d"), (180_000, "2 d 2 h")],
)
def test_duration_is_spelled_for_people(seconds: float, text: str) -> None:
    assert spell_duration(seconds) == text
