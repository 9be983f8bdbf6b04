"""What answers of receivers mean."""

from __future__ import annotations

import pytest

from exporters.remote_write.answer import Verdict, judge, retry_after_seconds

NOW = 1_700_000_000.0  # Tue, 14 Nov 2023 22:13:20 GMT


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        (200, Verdict.TAKEN), (204, Verdict.TAKEN), (500, Verdict.RETRY), (503, Verdict.RETRY), (429, Verdict.RETRY),
        (400, Verdict.REFUSED), (401, Verdict.REFUSED), (404, Verdict.REFUSED), (302, Verdict.REFUSED),
    ],
)  # fmt: skip
def test_statuses_are_judged_as_the_specification_says(status: int, verdict: Verdict) -> None:
    assert judge(status, "", "", NOW).verdict is verdict


def test_the_reason_is_one_line() -> None:
    assert judge(400, "out of order\nand more", "", NOW).reason == "status 400: out of order"


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0), ("7", 7), ("100000", 300), ("Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("Tue, 14 Nov 2023 22:13:00 GMT", 0), ("soon", 0), ("-5", 0),
    ],
)  # fmt: skip
def test_receivers_say_when_to_come_again(header: str, seconds: float) -> None:
    assert retry_after_seconds(header, NOW) == seconds
