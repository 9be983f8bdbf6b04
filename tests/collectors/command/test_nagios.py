from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.command.nagios import first_line, performance_values, state_of


@pytest.mark.parametrize(("exit_code", "state"), [(0, 0), (1, 1), (2, 2), (3, 3), (4, 3), (127, 3), (-9, 3)])
def test_exit_codes_are_states(exit_code: int, state: int) -> None:
    assert state_of(exit_code) == state


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("OK", []),
        ("OK | time=0.5s;1;2;0;10", [("time", "s", 0.5)]),
        ("PING OK - rta = 0.8 ms|rta=0.80ms;3000;5000;0 pl=0%;80;100;0", [("rta", "ms", 0.8), ("pl", "%", 0.0)]),
        ("OK | '/var log'=12MB;;;0; 'it''s'=1", [("/var log", "MB", 12.0), ("it's", "", 1.0)]),
        ("OK | a=-1.5e3c b=U c=.5 d=;1 e=3", [("a", "c", -1500.0), ("c", "", 0.5), ("e", "", 3.0)]),
        ("OK | a=1\nlong text\nmore | b=2\nc=3", [("a", "", 1.0), ("b", "", 2.0), ("c", "", 3.0)]),
        ("OK | a=1 a=2", [("a", "", 1.0)]),
        ("OK | a=1;~:5;@1:2", [("a", "", 1.0)]),
    ],
)
def test_performance_data_is_read(output: str, expected: list[tuple[str, str, float]]) -> None:
    assert [(value.label, value.unit, value.value) for value in performance_values(output)] == expected


@given(st.text(alphabet="ab='|;.0-9 \n%sU", max_size=200))
def test_garbage_gives_at_most_distinct_values(output: str) -> None:
    found = performance_values("| " + output)
    assert len({(value.label, value.unit) for value in found}) == len(found)


def test_what_a_plugin_says_is_one_line_without_its_numbers() -> None:
    assert first_line("DISK  WARNING - 9% free | /=91%\nmore") == "DISK WARNING - 9% free"
