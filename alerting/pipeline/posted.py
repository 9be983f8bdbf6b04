"""Alerts that others post: when each begins and ends, and what a post changes. Pure but for memory.

As in Alertmanager: a posted alert ends when its `endsAt` has passed, or `resolve_timeout` after it was posted last
where it has none; posts of the same labels whose times overlap are one alert.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from alerting.alert import Alert, AlertState, Moment, Transition, alert_id, severity_of
from alerting.pipeline.deadline import Deadlines
from metrics.label import Labels, labels_of

ENDED_KEPT_SECONDS = 1800.0
"""So long an ended alert is remembered, because who posted it repeats its end for a while."""


@dataclass(frozen=True, slots=True)
class PostedAlert:
    """An alert as it is posted; times in Unix seconds, None where they are left out.

    Attributes:
        labels: without empty ones; at least one.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: float | None = None
    ends_at: float | None = None
    generator_url: str = ""


@dataclass(frozen=True, slots=True)
class Span:
    """From when to when an alert holds.

    Attributes:
        is_timeout: whether the end is only where it is taken to have ended unless it is posted again.
        posted_at: when that was said.
    """

    starts_at: float
    ends_at: float
    is_timeout: bool
    posted_at: float


@dataclass(frozen=True, slots=True)
class Update:
    """What a post or the passing of time did to an alert.

    Attributes:
        transition: None where it goes on.
        is_news: whether anything but the times of a firing alert changed, so that it must be written.
    """

    transition: Transition | None
    alert: Alert
    is_news: bool = True


def span_of(posted: PostedAlert, now: float, resolve_timeout: float) -> Span:
    """Return the span of a posted alert, with Alertmanager's defaults for the times that it leaves out."""
    starts_at = posted.starts_at
    if starts_at is None:
        starts_at = now if posted.ends_at is None else posted.ends_at
    if posted.ends_at is None:
        return Span(starts_at, now + resolve_timeout, is_timeout=True, posted_at=now)
    return Span(starts_at, posted.ends_at, is_timeout=False, posted_at=now)


def merged(old: Span, new: Span, now: float) -> Span:
    """Return the span of an alert that had `old` and was posted with `new`."""
    ends_within = old.starts_at < new.ends_at < old.ends_at
    starts_within = old.starts_at < new.starts_at < old.ends_at
    if not ends_within and not starts_within:
        return new
    span = replace(new, starts_at=min(old.starts_at, new.starts_at))
    # An explicit end that is later rules, and so does the later one of two that have passed.
    old_rules = old.ends_at <= now if new.ends_at <= now else not old.is_timeout
    return replace(span, ends_at=old.ends_at) if old_rules and old.ends_at > new.ends_at else span


class Posted:
    """The posted alerts that fire, and those that ended lately."""

    def __init__(self) -> None:
        self.resolve_timeout = 300.0
        self._known: dict[Labels, tuple[Alert, Span]] = {}
        self._ends: Deadlines[Labels] = Deadlines()
        self._forgotten_at: Deadlines[Labels] = Deadlines()

    def restore(self, alerts: Iterable[Alert], now: float) -> None:
        """Take back alerts that fired when the last process ended.

        While it was down nobody could post them again, so each has as long from now as it had when it was posted.
        """
        for alert in alerts:
            ends_at = alert.expires_at if alert.expires_at is not None else now
            grace = min(self.resolve_timeout, max(0.0, ends_at - alert.updated_at))
            span = Span(alert.started_at, max(ends_at, now + grace), is_timeout=True, posted_at=alert.updated_at)
            self._fires(tuple(sorted(alert.labels.items())), replace(alert, expires_at=span.ends_at), span)

    def post(self, alerts: Iterable[PostedAlert], now: Moment) -> list[Update]:
        """Take in posted alerts and return what changed, in their order."""
        return [update for posted in alerts if (update := self._post(posted, now)) is not None]

    def expire(self, now: Moment) -> list[Update]:
        """Return the alerts whose time has passed, and forget those that ended long ago."""
        for key in self._forgotten_at.pop_until(now.wall):
            del self._known[key]
        return [self._end(key, *self._known[key]) for key in self._ends.pop_until(now.wall)]

    def next_end(self) -> float | None:
        """Return the Unix time at which the next of them ends by itself; None when none fires."""
        return self._ends.next()

    def firing(self) -> Iterator[tuple[Alert, Span]]:
        """Yield the alerts that fire."""
        return ((alert, span) for alert, span in self._known.values() if alert.state is AlertState.FIRING)

    def _post(self, posted: PostedAlert, now: Moment) -> Update | None:
        key = tuple(sorted(posted.labels.items()))
        span = span_of(posted, now.wall, self.resolve_timeout)
        old, old_span = self._known.get(key, (None, None))
        if old_span is not None:
            span = merged(old_span, span, now.wall)
        is_over = span.ends_at <= now.wall
        if old is None or old.state is not AlertState.FIRING:
            return None if is_over else self._begin(key, posted, span, now)
        if is_over:
            return self._end(key, _continued(old, posted, span), span)
        alert = _continued(old, posted, span)
        self._fires(key, alert, span)
        is_news = (alert.annotations, alert.fired_at) != (old.annotations, old.fired_at)
        return Update(None, alert, is_news)

    def _begin(self, key: Labels, posted: PostedAlert, span: Span, now: Moment) -> Update:
        labels = dict(posted.labels)
        alert = Alert(
            id=alert_id("", labels, now.wall),
            name=labels.get("alertname", ""),
            labels=labels,
            annotations=dict(posted.annotations),
            state=AlertState.FIRING,
            severity=severity_of(labels_of(labels)),
            active_since=span.starts_at,
            fired_at=span.starts_at,
            resolved_at=None,
            value=float("nan"),
            rule="",
            expr="",
            generator_url=posted.generator_url,
            expires_at=span.ends_at,
            updated_at=span.posted_at,
        )
        self._forgotten_at.drop(key)
        self._fires(key, alert, span)
        return Update(Transition.FIRING, alert)

    def _fires(self, key: Labels, alert: Alert, span: Span) -> None:
        self._known[key] = alert, span
        self._ends.set(key, span.ends_at)

    def _end(self, key: Labels, alert: Alert, span: Span) -> Update:
        over = replace(alert, state=AlertState.RESOLVED, resolved_at=span.ends_at, expires_at=None)
        self._known[key] = over, span
        self._ends.drop(key)
        self._forgotten_at.set(key, span.ends_at + ENDED_KEPT_SECONDS)
        return Update(Transition.RESOLVED, over)


def _continued(old: Alert, posted: PostedAlert, span: Span) -> Alert:
    is_same = old.annotations == posted.annotations
    return replace(
        old,
        annotations=old.annotations if is_same else dict(posted.annotations),
        active_since=span.starts_at,
        fired_at=span.starts_at,
        generator_url=posted.generator_url,
        expires_at=span.ends_at,
        updated_at=span.posted_at,
    )
