"""Alerts that others post: when each begins and ends, and what a post changes. Pure but for memory.

As in Alertmanager: a posted alert ends when its `endsAt` has passed, or `resolve_timeout` after it was posted last
where it has none; posts of the same labels whose times overlap are one alert.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from alerting.alert import Alert, AlertState, Moment, Transition, alert_id, severity_of
from metrics.label import Labels, labels_of

VOID_ENTRIES = 1000
"""So many entries that hold no longer may wait to be dropped, beside four for each alert."""

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
        # By when each ends or ended; what was said of an alert since then makes an entry void.
        self._ends: list[tuple[float, Labels]] = []
        self._ended: list[tuple[float, Labels]] = []

    def restore(self, alerts: Iterable[Alert], now: float) -> None:
        """Take back alerts that fired when the last process ended.

        While it was down nobody could post them again, so each has as long from now as it had when it was posted.
        """
        for alert in alerts:
            ends_at = alert.expires_at if alert.expires_at is not None else now
            grace = min(self.resolve_timeout, max(0.0, ends_at - alert.updated_at))
            span = Span(alert.started_at, max(ends_at, now + grace), is_timeout=True, posted_at=alert.updated_at)
            self._put(tuple(sorted(alert.labels.items())), replace(alert, expires_at=span.ends_at), span)

    def post(self, alerts: Iterable[PostedAlert], now: Moment) -> list[Update]:
        """Take in posted alerts and return what changed, in their order."""
        return [update for posted in alerts if (update := self._post(posted, now)) is not None]

    def expire(self, now: Moment) -> list[Update]:
        """Return the alerts whose time has passed, and forget those that ended long ago."""
        updates = []
        while self._ends and self._ends[0][0] <= now.wall:
            moment, key = heapq.heappop(self._ends)
            if self._is_true(moment, key, AlertState.FIRING):
                updates.append(self._end(key, *self._known[key]))
        while self._ended and self._ended[0][0] + ENDED_KEPT_SECONDS <= now.wall:
            moment, key = heapq.heappop(self._ended)
            if self._is_true(moment, key, AlertState.RESOLVED):
                del self._known[key]
        return updates

    def next_end(self) -> float | None:
        """Return the Unix time at which the next of them ends by itself; None when none fires."""
        while self._ends and not self._is_true(*self._ends[0], AlertState.FIRING):
            heapq.heappop(self._ends)
        return self._ends[0][0] if self._ends else None

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
        self._put(key, alert, span)
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
        self._put(key, alert, span)
        return Update(Transition.FIRING, alert)

    def _end(self, key: Labels, alert: Alert, span: Span) -> Update:
        over = replace(alert, state=AlertState.RESOLVED, resolved_at=span.ends_at, expires_at=None)
        self._put(key, over, span)
        return Update(Transition.RESOLVED, over)

    def _put(self, key: Labels, alert: Alert, span: Span) -> None:
        before = self._known.get(key)
        self._known[key] = alert, span
        if before is not None and (before[0].state, before[1].ends_at) == (alert.state, span.ends_at):
            return
        heap = self._ends if alert.state is AlertState.FIRING else self._ended
        heapq.heappush(heap, (span.ends_at, key))
        if len(heap) > VOID_ENTRIES + 4 * len(self._known):
            self._drop_void_entries()

    def _is_true(self, moment: float, key: Labels, state: AlertState) -> bool:
        alert, span = self._known.get(key, (None, None))
        return alert is not None and span is not None and alert.state is state and span.ends_at == moment

    def _drop_void_entries(self) -> None:
        """Make the heaps anew: an end that is posted ever later leaves an entry each time, until that passes."""
        self._ends = [entry for entry in set(self._ends) if self._is_true(*entry, AlertState.FIRING)]
        self._ended = [entry for entry in set(self._ended) if self._is_true(*entry, AlertState.RESOLVED)]
        heapq.heapify(self._ends)
        heapq.heapify(self._ended)


def _continued(old: Alert, posted: PostedAlert, span: Span) -> Alert:
    return replace(
        old,
        annotations=dict(posted.annotations),
        active_since=span.starts_at,
        fired_at=span.starts_at,
        generator_url=posted.generator_url,
        expires_at=span.ends_at,
        updated_at=span.posted_at,
    )
