"""Who is told instead while a receiver cannot be told."""

from __future__ import annotations

from dataclasses import replace

from alerting.notify.fallback import Fallbacks
from alerting.notify.message import Message
from alerting.notify.notice import Notice
from alerting.notify.receiver_config import ReceiverSection
from tests.alerting.notify.scene import GROUP_KEY, notice, resolved

FIRST = Message("k1", "team", "slack/0", GROUP_KEY, "firing", "{}", 0.0)
END = replace(FIRST, key="k2", status="resolved")


def fallbacks() -> Fallbacks:
    made = Fallbacks()
    made.configure(
        [
            ReceiverSection(name="team", fallback_receiver="on-call", fallback_after=600.0),
            ReceiverSection(name="on-call"),
        ]
    )
    return made


def now_of(message: Message) -> Notice | None:
    return resolved() if message.status == "resolved" else notice()


def test_the_fallback_is_told_once_a_receiver_has_failed_for_its_time() -> None:
    made = fallbacks()
    assert made.failed(FIRST, now_of, 100, is_final=False) is None
    assert made.failed(FIRST, now_of, 699, is_final=False) is None
    told = made.failed(FIRST, now_of, 700, is_final=False)
    assert told is not None
    assert (told.receiver, told.why, told.status) == ("on-call", "fallback", "firing")
    assert made.failed(FIRST, now_of, 760, is_final=False) is None


def test_a_newer_message_of_the_group_does_not_start_the_time_anew() -> None:
    made = fallbacks()
    made.failed(FIRST, now_of, 100, is_final=False)
    assert made.failed(replace(FIRST, key="k3"), now_of, 700, is_final=False) is not None


def test_what_a_receiver_refuses_goes_to_the_fallback_at_once() -> None:
    assert fallbacks().failed(FIRST, now_of, 100, is_final=True) is not None


def test_the_fallback_hears_of_the_end_whoever_was_told_it() -> None:
    still_failing, recovered = fallbacks(), fallbacks()
    for made in (still_failing, recovered):
        made.failed(FIRST, now_of, 0, is_final=False)
        made.failed(FIRST, now_of, 600, is_final=False)
    told = still_failing.failed(END, now_of, 900, is_final=False)
    assert told is not None
    assert told.status == "resolved"
    assert recovered.delivered(FIRST, 700) is None
    told = recovered.delivered(END, 900)
    assert told is not None
    assert (told.status, [alert.state for alert in told.alerts], told.alerts[0].resolved_at) == (
        "resolved",
        ["resolved"],
        900,
    )
    assert recovered.delivered(END, 950) is None


def test_who_has_no_fallback_and_what_is_over_is_left_alone() -> None:
    made = fallbacks()
    assert made.failed(replace(FIRST, receiver="on-call"), now_of, 0, is_final=True) is None
    assert made.failed(FIRST, lambda _: None, 0, is_final=True) is None
    assert made.delivered(replace(END, receiver="on-call"), 0) is None
    made.failed(FIRST, now_of, 0, is_final=False)
    assert made.delivered(FIRST, 1) is None
    assert made.failed(FIRST, now_of, 601, is_final=False) is None
