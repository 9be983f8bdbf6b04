from __future__ import annotations

from dataclasses import replace

import pytest

from alerting.alert import Alert, Moment, Severity, Transition
from alerting.pipeline.group import later
from alerting.pipeline.posted import ENDED_KEPT_SECONDS, Posted, PostedAlert, Span, Update, merged, span_of

NOW = Moment(10_000.0, 5.0)
LABELS = {"alertname": "Disk", "severity": "page", "instance": "a"}


def posted(starts_at: float | None = None, ends_at: float | None = None, note: str = "") -> PostedAlert:
    return PostedAlert(LABELS, {"note": note}, starts_at, ends_at, "http://source/")


def one(book: Posted, alert: PostedAlert, now: Moment = NOW) -> Update:
    (update,) = book.post([alert], now)
    return update


SPANS = {
    "neither": (posted(), Span(10_000, 10_300, True, 10_000)),
    "a start": (posted(9_000), Span(9_000, 10_300, True, 10_000)),
    "an end": (posted(ends_at=9_500), Span(9_500, 9_500, False, 10_000)),
    "both": (posted(9_000, 11_000), Span(9_000, 11_000, False, 10_000)),
}


@pytest.mark.parametrize("given", SPANS)
def test_times_that_are_left_out_are_as_in_alertmanager_with(given: str) -> None:
    alert, span = SPANS[given]
    assert span_of(alert, 10_000, 300) == span


MERGED = {
    # name: old, new, now, start and end
    "the earliest start counts": (Span(0, 100, True, 0), Span(50, 150, True, 50), 50, (0, 150)),
    "times that do not overlap are another alert": (Span(0, 100, True, 0), Span(120, 200, True, 120), 120, (120, 200)),
    "an end now ends it": (Span(0, 100, True, 0), Span(0, 50, False, 50), 50, (0, 50)),
    "an explicit later end rules": (Span(0, 200, False, 0), Span(50, 150, True, 50), 50, (0, 200)),
    "a later timeout does not": (Span(0, 200, True, 0), Span(50, 150, True, 50), 50, (0, 150)),
    "of two ends that have passed the later counts": (Span(0, 40, False, 0), Span(0, 30, False, 50), 50, (0, 40)),
    "an earlier start with a later end is taken": (Span(50, 100, True, 0), Span(20, 150, True, 60), 60, (20, 150)),
}  # fmt: skip


@pytest.mark.parametrize("case", MERGED)
def test_when_posts_of_one_alert_are_merged(case: str) -> None:
    old, new, now, (starts_at, ends_at) = MERGED[case]
    span = merged(old, new, now)
    assert (span.starts_at, span.ends_at) == (starts_at, ends_at)


def test_a_post_fires_an_alert() -> None:
    book = Posted()
    update = one(book, posted(9_990.0))
    alert = update.alert
    assert update.transition is Transition.FIRING
    assert (alert.name, alert.severity, alert.fired_at, alert.expires_at) == ("Disk", Severity.CRITICAL, 9_990, 10_300)
    assert (alert.rule, alert.expr, alert.generator_url, alert.is_posted) == ("", "", "http://source/", True)


def test_posting_it_again_only_moves_its_end() -> None:
    book = Posted()
    first = one(book, posted(9_990.0)).alert
    again = one(book, posted(9_990.0), later(NOW, 60))
    assert (again.transition, again.is_news) == (None, False)
    assert again.alert == replace(first, expires_at=10_360.0, updated_at=10_060.0)
    assert book.next_end() == 10_360.0


def test_other_annotations_are_written_but_are_no_transition() -> None:
    book = Posted()
    one(book, posted(9_990.0))
    again = one(book, posted(9_990.0, note="worse"), later(NOW, 60))
    assert (again.transition, again.is_news, again.alert.annotations) == (None, True, {"note": "worse"})


def test_a_posted_end_resolves_it_once() -> None:
    book = Posted()
    one(book, posted(9_990.0))
    update = one(book, posted(9_990.0, 10_005.0), later(NOW, 10))
    assert (update.transition, update.alert.resolved_at) == (Transition.RESOLVED, 10_005.0)
    assert book.post([posted(9_990.0, 10_005.0)], later(NOW, 70)) == []
    assert list(book.firing()) == []


def test_the_end_of_what_was_never_known_is_nothing() -> None:
    assert Posted().post([posted(9_000.0, 9_500.0)], NOW) == []


def test_it_ends_when_it_is_not_posted_any_more() -> None:
    book = Posted()
    one(book, posted(9_990.0))
    assert book.expire(later(NOW, 299.9)) == []
    (update,) = book.expire(later(NOW, 300))
    assert (update.transition, update.alert.resolved_at) == (Transition.RESOLVED, 10_300.0)
    assert book.next_end() is None


def test_firing_again_is_another_life() -> None:
    book = Posted()
    first = one(book, posted(9_990.0)).alert
    one(book, posted(9_990.0, 10_005.0), later(NOW, 10))
    second = one(book, posted(10_020.0), later(NOW, 20))
    assert second.transition is Transition.FIRING
    assert second.alert.id != first.id
    assert second.alert.identity == first.identity


def test_an_ended_alert_is_forgotten_after_a_while() -> None:
    book = Posted()
    one(book, posted(9_990.0))
    one(book, posted(9_990.0, 10_005.0), later(NOW, 10))
    book.expire(later(NOW, 10 + ENDED_KEPT_SECONDS))
    assert book._known == {}


def stored(expires_at: float, updated_at: float) -> Alert:
    return replace(one(Posted(), posted(9_990.0)).alert, expires_at=expires_at, updated_at=updated_at)


@pytest.mark.parametrize(
    ("expires_at", "updated_at", "expected"),
    [(10_240.0, 10_000.0, 20_240.0), (10_300.0, 10_000.0, 20_300.0), (30_000.0, 10_000.0, 30_000.0)],
)
def test_time_that_the_daemon_was_down_does_not_end_an_alert(
    expires_at: float, updated_at: float, expected: float
) -> None:
    book = Posted()
    book.restore([stored(expires_at, updated_at)], 20_000.0)
    assert book.next_end() == expected


def test_an_end_that_is_posted_ever_later_leaves_nothing_behind() -> None:
    posted = Posted()
    for second in range(5_000):
        posted.post([PostedAlert({"alertname": "Hot"}, {}, ends_at=1e6 + second)], Moment(second, second))
    assert posted.next_end() == 1e6 + 4_999
    assert posted.expire(Moment(1e6 + 4_998, 0)) == []
    (update,) = posted.expire(Moment(1e6 + 4_999, 0))
    assert update.transition is Transition.RESOLVED
    assert posted.next_end() is None
