"""From alerts to groups to messages: which group is looked at when, and what each look decides. Pure but for memory.

Every look is like a flush of Alertmanager's dispatcher: the group's alerts pass the stages, receivers are told what is
new to them, and ended alerts leave the group.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING

from alerting.alert import Alert, Moment, Severity, Transition
from alerting.notify.notice import Notice
from alerting.pipeline.decision import Decision, GroupRow, Memory, Summed
from alerting.pipeline.group import Group, GroupId, is_firing, later, open_group
from alerting.pipeline.limit import WINDOW_SECONDS, Limiter
from alerting.pipeline.stage import AlertStatus, Stages
from alerting.pipeline.summary import SUMMARY_KEY, SUMMARY_NAME, over, summary_alert, tally_by_name
from alerting.pipeline.teller import Receivers, Teller, Telling

if TYPE_CHECKING:
    from alerting.inhibit import Inhibitor, InhibitRule
    from alerting.route import Route
    from alerting.route_index import RouteIndex
    from alerting.time_interval import TimeIntervals

LOOKS_TOGETHER = 200
"""So many groups are looked at before others may run; further ones follow at once."""

ALERTS_TOGETHER = 500
"""After groups with so many alerts in all, too, others may run."""

DEFAULT_LIMIT = 50


@dataclass(frozen=True, slots=True)
class Settings:
    """What a config says of the pipeline.

    Attributes:
        route: the tree; None where nobody is told.
        external_labels: put on alerts of own rules, unless they have their own.
        notification_limit: the most messages that a receiver gets in a minute; 0 for any number.
        resolve_timeout: seconds until a posted alert without an end is taken to have ended.
    """

    route: Route | None = None
    receivers: Receivers = field(default_factory=dict)
    inhibit_rules: Sequence[InhibitRule] = ()
    intervals: TimeIntervals = field(default_factory=dict)
    external_labels: Mapping[str, str] = field(default_factory=dict)
    notification_limit: int = DEFAULT_LIMIT
    resolve_timeout: float = 300.0


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as others see it; `labels` are those in which its alerts agree."""

    route: Route
    key: str
    labels: Mapping[str, str]
    receiver: str
    alerts: tuple[Alert, ...]


class Dispatcher:
    """Holds the groups and decides when they are told."""

    def __init__(self, stages: Stages, teller: Teller) -> None:
        self._stages = stages
        self._teller = teller
        self._limiter = Limiter()
        self._settings = Settings()
        self._routes: RouteIndex | None = None
        self._alerts: dict[str, Alert] = {}
        self._groups: dict[GroupId, Group] = {}
        self._places: dict[str, list[Group]] = {}
        self._due: list[tuple[float, int, Group]] = []
        self._order = count()
        self._looking: deque[Group] = deque()
        self._overflow: dict[str, list[Telling]] = {}
        self._summaries: dict[str, tuple[Alert, float]] = {}
        self._is_restored = False

    def configure(self, settings: Settings, now: Moment) -> Decision:
        """Follow a new config; alerts go to their groups under the new routes, which go on where they had been."""
        self._settings = settings
        self._routes = _index(settings.route)
        self._limiter.limit = settings.notification_limit
        self._teller.configure(settings.receivers)
        self._stages.configure(self._inhibitor(settings.inhibit_rules), settings.intervals)
        draft = Decision()
        if self._is_restored:
            self._regroup(draft, now)
        return draft

    def restore(self, memory: Memory, firing: Iterable[Alert], now: Moment) -> Decision:
        """Go on from what an earlier process wrote down.

        Args:
            firing: the alerts that fire, own and posted ones, as their rules or posts have them.
        """
        self._teller.restore(memory.sent)
        self._alerts = {alert.identity: self._labelled(alert) for alert in firing}
        self._stages.note(self._alerts.values())
        draft = Decision()
        for (route_id, key), row in memory.groups.items():
            route = self._route(route_id)
            if route is not None:
                group = Group(route, row.labels, key, _restored(row.next_at, now), row.has_looked)
                since = now if row.empty_since is None else _restored(row.empty_since, now)
                group.empty_since = since.monotonic
                self._groups[group.id] = group
                self._schedule(group)
            else:
                draft.groups[route_id, key] = None
        ended = [alert for _, alert in memory.ended]
        for group_id, alert in memory.ended:
            draft.ended.setdefault(group_id, {})[alert.identity] = None
        for alert in ended:
            if alert.identity not in self._alerts:
                self._insert(alert, draft, now, is_kept=True)
        for alert in self._alerts.values():
            self._insert(alert, draft, now)
        for group in self._groups.values():
            # Looks that have no news are not written down; where there are news, the time of the next look is.
            if group.has_looked and self._teller.is_told(group):
                group.skip_to(now)
                self._schedule(group)
        for group in [group for group in self._groups.values() if group.is_over(now)]:
            self._remove(group, draft)
        self._restore_summaries(memory, now)
        self._is_restored = True
        return draft

    def take(self, changes: Iterable[tuple[Transition, Alert]], now: Moment) -> Decision:
        """Take in what happened to alerts, and look at the groups that are due now."""
        draft = Decision()
        alerts = [
            self._labelled(alert)
            for transition, alert in changes
            if transition is Transition.FIRING or transition is Transition.RESOLVED
        ]
        self._stages.note(alerts)
        for alert in alerts:
            if is_firing(alert):
                self._alerts[alert.identity] = alert
            else:
                self._alerts.pop(alert.identity, None)
                self._places.pop(alert.identity, None)
            self._insert(alert, draft, now)
        self._look_at_due(draft, now)
        return draft

    def refresh(self, alerts: Iterable[Alert]) -> None:
        """Take in firing alerts whose annotations or times changed; it is no news."""
        for plain in alerts:
            alert = self._labelled(plain)
            self._alerts[alert.identity] = alert
            for group in self._places.get(alert.identity, ()):
                if alert.identity in group.members:
                    group.members[alert.identity] = alert

    def look(self, now: Moment) -> Decision:
        """Look at groups that are due, at most LOOKS_TOGETHER, or those of ALERTS_TOGETHER."""
        draft = Decision()
        self._look_at_due(draft, now)
        return draft

    def hurry_immediate(self, now: Moment) -> None:
        """Have groups that tell each change at once looked at, because silences or holds have changed."""
        for group in self._groups.values():
            if group.route.group_interval <= 0 and group.members:
                group.next = now
                self._schedule(group)

    def hurry(self, identities: Iterable[str], now: Moment) -> None:
        """Have the groups of alerts looked at that are past their first wait, because nothing holds these any more."""
        for identity in identities:
            for group in self._places.get(identity, ()):
                if group.has_looked and group.members:
                    group.next = now
                    self._schedule(group)

    def next_look(self) -> float | None:
        """Return the monotonic time at which something is due; None while there is nothing."""
        if self._looking:
            return self._looking[0].next.monotonic
        moments = [calm_at for _, calm_at in self._summaries.values()]
        while self._due:
            moment, _, group = self._due[0]
            if self._groups.get(group.id) is group and moment == group.wake_at():
                return min(moment, *moments) if moments else moment
            heapq.heappop(self._due)
        return min(moments, default=None)

    def firing(self) -> Iterator[Alert]:
        """Yield the alerts that fire, as receivers are told of them."""
        return iter(self._alerts.values())

    @property
    def group_count(self) -> int:
        """How many groups there are, empty ones included."""
        return len(self._groups)

    def statuses(self, now: float) -> dict[str, tuple[Alert, AlertStatus]]:
        """Return how it stands with each firing alert, and each that waits for its end to be told, by identity."""
        found = {alert.identity: alert for group in self._groups.values() for alert in group.members.values()}
        found |= self._alerts
        routes = self._routes
        return {
            identity: (alert, self._stages.status(alert, routes.match(alert.labels) if routes else [], now))
            for identity, alert in found.items()
        }

    def groups(self) -> list[GroupView]:
        """Return the groups that have alerts."""
        return [
            GroupView(group.route, group.key, group.labels, group.route.receiver, tuple(group.members.values()))
            for group in self._groups.values()
            if group.members
        ]

    def _insert(self, alert: Alert, draft: Decision, now: Moment, *, is_kept: bool = False) -> None:
        groups = list(self._groups_of(alert, now))
        if is_firing(alert):
            self._places[alert.identity] = groups
        for group in groups:
            before = group.members.get(alert.identity)
            if is_firing(alert):
                if before is not None and not is_firing(before):
                    draft.ended.setdefault(group.id, {})[alert.identity] = None
            elif is_kept or before is not None or self._knows(group, alert):
                draft.ended.setdefault(group.id, {})[alert.identity] = alert
            else:
                self._drop_if_new(group)
                continue
            group.insert(alert, now)
            draft.groups[group.id] = _row(group)
            self._schedule(group)

    def _knows(self, group: Group, alert: Alert) -> bool:
        """Tell whether any address was told that an alert fires that the group does not have any more."""
        for integration in self._teller.integrations(group.route.receiver):
            sent = self._teller.sent((group.route.receiver, integration.name, group.key))
            if sent is not None and alert.identity in sent.firing:
                return True
        return False

    def _drop_if_new(self, group: Group) -> None:
        if not group.members and not group.has_looked:
            self._groups.pop(group.id, None)

    def _groups_of(self, alert: Alert, now: Moment) -> Iterator[Group]:
        """Yield the groups of an alert; those that are not there yet are made."""
        if self._routes is None:
            return
        from alerting.route import group_key, group_labels  # noqa: PLC0415 - needed only where there are alerts

        for route in self._routes.match(alert.labels):
            labels = group_labels(route, alert.labels)
            key = group_key(route, labels)
            group = self._groups.get((route.id, key))
            if group is None:
                group = self._groups[route.id, key] = open_group(route, labels, key, now)
            yield group

    def _schedule(self, group: Group) -> None:
        heapq.heappush(self._due, (group.wake_at(), next(self._order), group))

    def _look_at_due(self, draft: Decision, now: Moment) -> None:
        if not self._looking:
            self._looking.extend(self._pop_due(now))
        looks, alerts = 0, 0
        while self._looking and looks < LOOKS_TOGETHER and alerts < ALERTS_TOGETHER:
            group = self._looking.popleft()
            looks, alerts = looks + 1, alerts + len(group.members)
            self._look(group, draft, now)
        if not self._looking:
            for receiver, tellings in self._overflow.items():
                self._tell_in_sum(receiver, tellings, draft, now)
            self._overflow.clear()
            self._end_summaries(draft, now)

    def _pop_due(self, now: Moment) -> list[Group]:
        """Return the groups that are due, those with the worst alerts first."""
        due: dict[GroupId, Group] = {}
        while self._due and self._due[0][0] <= now.monotonic:
            moment, _, group = heapq.heappop(self._due)
            if self._groups.get(group.id) is group and moment == group.wake_at():
                due[group.id] = group
        return sorted(due.values(), key=_worst) if len(due) > 1 else list(due.values())

    def _look(self, group: Group, draft: Decision, now: Moment) -> None:
        if self._groups.get(group.id) is not group:
            return
        if group.is_over(now):
            self._remove(group, draft)
            return
        is_due = group.next.monotonic <= now.monotonic
        if not is_due or not group.members:
            if is_due:
                group.looked(now)
            self._schedule(group)
            return
        is_kept = not group.has_looked
        group.looked(now)
        passing = self._stages.passing(group.route, group.members.values(), now.wall)
        is_kept = is_kept or len(passing) < len(group.members)
        telling = self._teller.telling(group, passing, now.wall)
        if telling.why and self._teller.needs_message(telling):
            if not self._limiter.allows(group.route.receiver, now.monotonic):
                self._overflow.setdefault(group.route.receiver, []).append(telling)
                return
            is_kept = True
        self._teller.tell(telling, draft, now)
        self._finish(telling, draft, now, is_kept=is_kept)

    def _finish(self, telling: Telling, draft: Decision, now: Moment, *, is_kept: bool = True) -> None:
        """Let ended alerts leave a group after a look."""
        group = telling.group
        # Only as they were when it was looked at: one that came or changed since then waits for the next look.
        ended = [alert.identity for alert in telling.ended if group.members.get(alert.identity) is alert]
        if ended:
            self._teller.untold(group, set(ended) - telling.resolved, draft)
            draft.ended.setdefault(group.id, {}).update(dict.fromkeys(ended))
            group.forget(ended, now)
        if group.is_over(now):
            self._remove(group, draft)
            return
        if is_kept or ended:
            draft.groups[group.id] = _row(group)
        self._schedule(group)

    def _remove(self, group: Group, draft: Decision) -> None:
        del self._groups[group.id]
        draft.groups[group.id] = None

    def _tell_in_sum(self, receiver: str, tellings: Sequence[Telling], draft: Decision, now: Moment) -> None:
        if not self._limiter.sums(receiver, now.monotonic):
            end = self._limiter.window_end(receiver, now.monotonic)
            for telling in tellings:
                telling.group.next = later(now, max(0.0, end - now.monotonic))
                draft.groups[telling.group.id] = _row(telling.group)
                self._schedule(telling.group)
            return
        if len(tellings) == 1:
            self._teller.tell(tellings[0], draft, now)
            self._finish(tellings[0], draft, now)
            return
        alerts = [alert for telling in tellings for alert in telling.alerts]
        summary = summary_alert(alerts, len(tellings), now.wall, self._limiter.limit)
        if is_firing(summary):
            end = self._limiter.window_end(receiver, now.monotonic)
            self._summaries[receiver] = summary, end + WINDOW_SECONDS
        self._teller.tell_in_sum(self._sum_notice(receiver, summary, now, len(alerts)), tellings, draft)
        draft.summed.append(Summed(receiver, len(tellings), tally_by_name(alerts)))
        for telling in tellings:
            self._finish(telling, draft, now)

    def _sum_notice(self, receiver: str, summary: Alert, now: Moment, alerts: int = 0) -> Notice:
        return self._teller.sum_notice(receiver, SUMMARY_KEY, {"alertname": SUMMARY_NAME}, summary, now.wall, alerts)

    def _end_summaries(self, draft: Decision, now: Moment) -> None:
        """Say that a storm is over where a window has begun in which nothing had to be summed up."""
        for receiver, (summary, calm_at) in list(self._summaries.items()):
            if now.monotonic >= calm_at:
                del self._summaries[receiver]
                self._teller.tell_in_sum(self._sum_notice(receiver, over(summary, now.wall), now), (), draft)

    def _restore_summaries(self, memory: Memory, now: Moment) -> None:
        for (receiver, _, key), sent in memory.sent.items():
            if key == SUMMARY_KEY and sent.firing:
                summary = summary_alert((), 0, now.wall, self._limiter.limit)
                self._summaries[receiver] = summary, now.monotonic + WINDOW_SECONDS

    def _regroup(self, draft: Decision, now: Moment) -> None:
        before, self._groups, self._due = self._groups, {}, []
        self._looking.clear()
        self._overflow.clear()
        waiting = [a for group in before.values() for a in group.members.values() if not is_firing(a)]
        for group in before.values():
            route = self._route(group.route.id)
            if route is not None:
                kept = Group(route, group.labels, group.key, group.next, group.has_looked)
                kept.empty_since = now.monotonic
                self._groups[kept.id] = kept
            else:
                draft.groups[group.id] = None
            draft.ended.setdefault(group.id, {}).update(
                dict.fromkeys(identity for identity, alert in group.members.items() if not is_firing(alert))
            )
        for alert in waiting:
            self._insert(alert, draft, now, is_kept=True)
        for alert in self._alerts.values():
            self._insert(alert, draft, now)
        for group in self._groups.values():
            self._schedule(group)

    def _route(self, route_id: str) -> Route | None:
        root = self._settings.route
        return next((route for route in root.walk() if route.id == route_id), None) if root else None

    def _inhibitor(self, rules: Sequence[InhibitRule]) -> Inhibitor | None:
        if not rules:
            return None
        from alerting.inhibit import Inhibitor  # noqa: PLC0415 - needed only where there are rules of inhibition

        inhibitor = Inhibitor(rules)
        inhibitor.update(self._alerts.values())
        return inhibitor

    def _labelled(self, alert: Alert) -> Alert:
        external = self._settings.external_labels
        if not external or alert.is_posted:
            return alert
        return replace(alert, labels={**external, **alert.labels})


def _index(route: Route | None) -> RouteIndex | None:
    if route is None:
        return None
    from alerting.route_index import RouteIndex  # noqa: PLC0415 - needed only where there are routes

    return RouteIndex(route)


def _row(group: Group) -> GroupRow:
    empty_since = group.empty_since
    if empty_since is not None:
        empty_since += group.next.wall - group.next.monotonic
    return GroupRow(group.labels, group.next.wall, group.has_looked, empty_since)


def _worst(group: Group) -> tuple[int, float]:
    ranks = (alert.severity.rank for alert in group.members.values() if is_firing(alert))
    return min(ranks, default=len(Severity)), group.next.monotonic


def _restored(wall: float, now: Moment) -> Moment:
    """Return a stored moment on the clock of this process."""
    return Moment(wall, now.monotonic + wall - now.wall)
