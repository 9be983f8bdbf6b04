"""Evaluates rules when the data they read arrives, and when time alone may change their result.

A frame only marks the rules that it touches; a task of its own evaluates them a few milliseconds later, all frames of
that moment together. Rules run in the order of their groups, and what a recording rule yields is in the store before
the next rule reads it. A group that is news all the time (many sources, each arriving on its own) runs at most ten
times a second and within a budget of time, so that evaluation stays below a third of a core per group.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from alerting.alert import AlertState, Moment, Severity, severity_of
from alerting.presence import Interruption, Presence
from alerting.rule import AlertingRule, Group
from alerting.rule_measurement import RuleMeasurement
from alerting.rule_state import AlertingState, Change, RecordingState, RuleState, ended, state_of, template_expressions
from alerting.template.surroundings import NOWHERE, Surroundings
from alerting.touch import Touch
from core.clock import Clock
from core.errors import WatchkeeperError
from metrics.external_engine import Answers, ExternalEngine
from metrics.frame import Frame, Layout
from metrics.label import METRIC_NAME, Labels, with_labels
from metrics.promql.asking import InstantEngine
from metrics.promql.ast import Call, walk
from metrics.promql.parse import Expression
from metrics.storage import Storage

_log = logging.getLogger(__name__)

COALESCE_SECONDS = 0.002
SPACING_SECONDS = 0.1
SHARE = 0.3
BURST_SECONDS = 1.0
"""A group may have computed for this long at once before its share of the time counts."""

SLICE_SECONDS = 0.008
"""Other tasks get their turn after so much work without a pause."""

IDLE_SECONDS = 15.0
ALERTS_SOURCE = "alerts"
_ALERTS_REFRESH_SECONDS = 15.0


@dataclass(eq=False)
class _Member:
    """A rule and its place in its group."""

    group: _GroupState
    index: int
    state: RuleState
    is_seen: bool = False
    """Data that it reads has arrived since the last interruption."""
    was_seen: bool = False
    """Data that it reads has ever arrived."""
    last_run: float = -1e9
    recorded: Layout = field(default_factory=lambda: Layout(()))

    @property
    def source(self) -> str:
        return f"rule/{self.state.rule.key}"

    @cached_property
    def reads_absence(self) -> bool:
        nodes = walk(self.state.rule.expr.root)
        return any(isinstance(node, Call) and node.function.startswith("absent") for node in nodes)

    def questions(self) -> list[Expression]:
        """Return what its next evaluation may ask for."""
        state = self.state
        if not isinstance(state, AlertingState):
            return [state.rule.expr]
        asked = template_expressions(state.rule)
        return [*(self.expressions() if state.active else [state.rule.expr]), *asked]

    def expressions(self) -> list[Expression]:
        rule = self.state.rule
        hold = rule.hold if isinstance(rule, AlertingRule) else None
        return [rule.expr] if hold is None else [rule.expr, hold]


@dataclass(slots=True, eq=False)
class _GroupState:
    """A group, what waits in it, and when it ran."""

    group: Group
    members: list[_Member] = field(default_factory=list)
    touched: set[int] = field(default_factory=set)
    last_run: float = -1e9
    budget: float = BURST_SECONDS
    next_timer: float = 0.0

    def due(self) -> float:
        """Return the monotonic time of the next run."""
        moments = [self.next_timer]
        moments += [m.state.next_due for m in self.members if m.state.next_due is not None]
        if self.touched:
            moments.append(self.last_run + self._spacing())
        return min(moments)

    def ran(self, now: float, seconds: float) -> None:
        """Note a run that ends at `now` and computed for `seconds`."""
        earned = SHARE * min(now - self.last_run, BURST_SECONDS / SHARE)
        self.budget = min(BURST_SECONDS, self.budget + earned) - seconds
        self.last_run = now

    def _spacing(self) -> float:
        return min(self.group.interval_seconds, max(SPACING_SECONDS, -self.budget / SHARE))


class Evaluator:
    """Runs rules and hands on what changed.

    Args:
        append: puts a frame into the store: what recording rules yield, and the `ALERTS` series.
        on_changes: called after each round that changed something.
        settle_seconds: after a start or a step of the wall clock, how long data may take to come back: the longest
            collection interval and timeout.
    """

    def __init__(
        self,
        storage: Storage,
        engine: InstantEngine,
        clock: Clock,
        measurement: RuleMeasurement,
        *,
        append: Callable[[Frame], object],
        on_changes: Callable[[Sequence[Change], Moment], None],
        settle_seconds: float,
    ) -> None:
        self._storage = storage
        self._engine = engine
        self._clock = clock
        self._measurement = measurement
        self._append = append
        self._on_changes = on_changes
        self._interruption = Interruption(settle_seconds, self.now())
        self._groups: list[_GroupState] = []
        self._touch: Touch[_Member] = Touch(())
        self._layouts: dict[str, Layout] = {}
        self._arrived: dict[str, Layout] = {}
        self._ended: set[str] = set()
        self._surroundings = NOWHERE
        self._wake = asyncio.Event()
        self._lock = asyncio.Lock()
        self._shown: Layout = Layout(())
        self._shown_at = -1e9
        self.progress = clock.monotonic()

    def use(self, engine: InstantEngine) -> None:
        """Ask this engine from now on."""
        self._engine = engine

    def surround(self, surroundings: Surroundings) -> None:
        """Let the templates of the groups that are set from now on know this."""
        self._surroundings = surroundings

    @property
    def _is_external(self) -> bool:
        return isinstance(self._engine, ExternalEngine)

    def now(self) -> Moment:
        """Return this instant."""
        return Moment(self._clock.now(), self._clock.monotonic())

    def on_frame(self, frame: Frame) -> None:
        """Take note of a frame that is in the store; cheap, evaluates nothing."""
        self._arrived[frame.source] = frame.layout
        self._wake.set()

    def on_end(self, source: str) -> None:
        """Take note that a source's series have ended."""
        self._ended.add(source)
        self._wake.set()

    async def set_groups(self, groups: Sequence[Group]) -> None:
        """Evaluate these groups from now on; rules that were there before keep their alerts, the others' end."""
        async with self._lock:
            now = self.now()
            old = {member.state.rule.key: member for member in self._members()}
            self._groups = [self._adopt(group, old, now) for group in groups]
            self._touch = Touch(
                [(m, [u.matchers for e in m.expressions() for u in e.selectors]) for m in self._members()]
            )
            self._arrived = {**self._layouts, **self._arrived}
            self._measurement.show_groups([(group.name, len(group.rules)) for group in groups])
            changes = [change for member in old.values() for change in self._remove(member, now)]
            self._wake.set()
            if changes:
                self._finish(changes, now)

    async def run(self) -> None:
        """Evaluate for ever."""
        while True:
            await self._wait()
            async with self._lock:
                await self._round()
            self.progress = self._clock.monotonic()

    def rules(self) -> Iterator[tuple[Group, RuleState, bool]]:
        """Yield all rules in order, with what they have going on and whether data that they read has ever arrived."""
        for member in self._members():
            yield member.group.group, member.state, member.was_seen

    def groups(self) -> Iterator[tuple[Group, list[RuleState]]]:
        """Yield all groups in order with what their rules have going on."""
        for group in self._groups:
            yield group.group, [member.state for member in group.members]

    def restore(self, stored: Sequence[Change]) -> list[Change]:
        """Give alerts that an earlier process wrote down back to their rules; return the ends of those without one."""
        now = self.now()
        states = {member.state.rule.key: member.state for member in self._members()}
        orphans = []
        for change in stored:
            state = states.get(change.alert.rule)
            if isinstance(state, AlertingState):
                state.restore(change, now)
            else:
                orphans.append(ended(change, now, "rule removed"))
        return orphans

    def _members(self) -> Iterator[_Member]:
        return (member for group in self._groups for member in group.members)

    def _adopt(self, group: Group, old: dict[str, _Member], now: Moment) -> _GroupState:
        state = _GroupState(group, next_timer=now.monotonic + group.interval_seconds)
        for index, rule in enumerate(group.rules):
            before = old.get(rule.key)
            member = _Member(state, index, state_of(rule, self._surroundings))
            if before is not None and type(before.state) is type(member.state):
                del old[rule.key]
                member.recorded = before.recorded
                _carry_on(before.state, member.state, now)
            state.members.append(member)
        state.touched.update(range(len(state.members)))
        return state

    def _remove(self, member: _Member, now: Moment) -> list[Change]:
        if isinstance(member.state, AlertingState):
            return member.state.end(now, "rule removed")
        self._record(member, [], round(now.wall * 1000))
        return []

    async def _wait(self) -> None:
        """Return when a frame has arrived or a group is due, and other frames of the same moment are in."""
        due = min((group.due() for group in self._groups), default=self._clock.monotonic() + IDLE_SECONDS)
        pause = min(IDLE_SECONDS, due - self._clock.monotonic())
        if not self._wake.is_set() and pause > 0:
            waiting = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(self._clock.sleep(pause))]
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for future in waiting:
                    future.cancel()
                await asyncio.gather(*waiting, return_exceptions=True)
        await self._clock.sleep(COALESCE_SECONDS if self._wake.is_set() else 0)
        self._wake.clear()

    async def _round(self) -> None:
        now = self.now()
        if moved := self._interruption.notice(now):
            _log.warning("the wall clock was stepped by %+.1f s; alerts wait for their data to be back", moved)
            for member in self._members():
                member.is_seen = False
        await self._mark_touched()
        changes: list[Change] = []
        started = self._clock.monotonic()
        ran = False
        for group in self._groups:
            if group.due() <= self._clock.monotonic():
                ran = True
                await self._run_group(group, changes)
        if ran:
            self._measurement.round_duration.observe(self._clock.monotonic() - started)
            self._measurement.last_evaluation.set(now.wall)
            self._finish(changes, now)

    async def _mark_touched(self) -> None:
        arrived, self._arrived = self._arrived, {}
        ended, self._ended = self._ended, set()
        if self._is_external:
            return  # what arrives here says nothing of what is there
        turn = _Turn(self._clock)
        for source in ended:
            self._layouts.pop(source, None)
            for member in self._touch.end(source):
                member.group.touched.add(member.index)
        for source, layout in arrived.items():
            self._layouts[source] = layout
            for member in self._touch.of(source, layout):
                member.is_seen = member.was_seen = True
                member.group.touched.add(member.index)
            await turn.give()

    async def _run_group(self, group: _GroupState, changes: list[Change]) -> None:
        started = self._clock.monotonic()
        is_timer = group.next_timer <= started
        touched, group.touched = group.touched, set()
        turn, count, failures, seconds = _Turn(self._clock), 0, 0, 0.0
        for member in group.members:
            if not (member.index in touched or self._is_due(member, started, is_timer)):
                continue
            if not self._may_run(member, started):
                continue
            member.last_run = started
            count += 1
            failures += not await self._evaluate(member, touched, changes)
            seconds += member.state.run.seconds
            await turn.give()
        group.ran(self._clock.monotonic(), seconds)
        if is_timer:
            group.next_timer = max(group.last_run, group.next_timer + group.group.interval_seconds)
        if count:
            self._measurement.evaluations.labels(group.group.name).inc(count)
        if failures:
            self._measurement.evaluation_failures.labels(group.group.name).inc(failures)

    def _is_due(self, member: _Member, now: float, is_timer: bool) -> bool:
        state = member.state
        if state.next_due is not None and state.next_due <= now:
            return True
        if not is_timer or now - member.last_run < member.group.group.interval_seconds / 2:
            return False  # its data arrives often enough
        if self._is_external:
            return True
        has_alerts = isinstance(state, AlertingState) and bool(state.active)
        return has_alerts or member.was_seen or state.rule.expr.reads_time

    def _may_run(self, member: _Member, now: float) -> bool:
        """Hold back what absence alone would fire, until its data had the time to come (back)."""
        if self._is_external:
            return True  # the past of another server is not lost when we start
        expression = member.state.rule.expr
        if not expression.reads_time or not expression.selectors or (member.is_seen and not member.reads_absence):
            return True
        if now - self._interruption.at.monotonic >= self._interruption.settle_seconds:
            return True
        if isinstance(member.state, AlertingState):
            member.state.schedule(self.now())
        return False

    async def _evaluate(self, member: _Member, touched: set[int], changes: list[Change]) -> bool:
        now = self.now()
        at_ms = round((now.wall - member.group.group.offset_seconds) * 1000)
        if not isinstance(self._engine, ExternalEngine):
            return self._run_member(member, touched, changes, self._engine, now, at_ms)
        answers = Answers(self._engine, at_ms)
        await asyncio.to_thread(answers.ask, member.questions())
        self.progress = self._clock.monotonic()
        return self._run_member(member, touched, changes, answers, now, at_ms)

    def _run_member(
        self, member: _Member, touched: set[int], changes: list[Change], engine: InstantEngine, now: Moment, at_ms: int
    ) -> bool:
        state, group = member.state, member.group.group
        try:
            if isinstance(state, RecordingState):
                samples = state.update(engine, at_ms, limit=group.limit)
                touched.update(self._record(member, samples, at_ms))
            else:
                expression = state.rule.expr
                blind = not (self._is_external or self._interruption.is_over(expression, now))
                presence = Presence(self._storage, expression, self._interruption, now)
                is_back = presence.is_back if blind else None
                changes += state.update(engine, at_ms, now, limit=group.limit, is_back=is_back)
        except Exception as error:  # noqa: BLE001 - one rule's failure, whatever it is, must not keep the others
            if not isinstance(error, WatchkeeperError):
                _log.exception("rule %s: unexpected failure", state.rule.key)
            if isinstance(state, AlertingState):
                state.schedule(now)
            seconds = self._clock.monotonic() - now.monotonic
            state.run.failed(state.rule.key, now.wall, seconds, str(error) or type(error).__name__)
            return False
        state.run.succeeded(state.rule.key, now.wall, self._clock.monotonic() - now.monotonic)
        return True

    def _record(self, member: _Member, samples: Sequence[tuple[Labels, float]], at_ms: int) -> set[int]:
        """Put what a recording rule yields into the store; return the later rules of its group that this touches."""
        series = tuple(labels for labels, _ in samples)
        if not series and not len(member.recorded):
            return set()
        if series != member.recorded.series:
            member.recorded = Layout(series)
        frame = Frame(
            member.source, at_ms, member.recorded, np.array([value for _, value in samples], dtype=np.float64)
        )
        self._append(frame)
        later = set()
        for reader in self._touch.of(frame.source, frame.layout):
            reader.is_seen = reader.was_seen = True
            if reader.group is not member.group:
                reader.group.touched.add(reader.index)
            elif reader.index > member.index:
                later.add(reader.index)
        return later

    def _finish(self, changes: Sequence[Change], now: Moment) -> None:
        if changes or now.monotonic - self._shown_at >= _ALERTS_REFRESH_SECONDS:
            self._show(now)
        if changes:
            self._on_changes(changes, now)

    def _show(self, now: Moment) -> None:
        """Put the ALERTS series into the store, as Prometheus does, and count alerts."""
        series: dict[Labels, float] = {}
        kinds: list[tuple[AlertState, Severity]] = []
        for _, state, _ in self.rules():
            if isinstance(state, AlertingState):
                for active in state.active.values():
                    current = active.life.state
                    kinds.append((current, severity_of(active.labels)))
                    series[_alerts_series(active.labels, current)] = 1.0
        self._measurement.show_alerts(kinds)
        self._shown_at = now.monotonic
        if series or len(self._shown):
            layout = self._shown if tuple(series) == self._shown.series else Layout(tuple(series))
            self._shown = layout
            self._append(Frame(ALERTS_SOURCE, round(now.wall * 1000), layout, np.ones(len(layout))))
            self._arrived[ALERTS_SOURCE] = layout


def _alerts_series(labels: Labels, state: AlertState) -> Labels:
    return with_labels(labels, {METRIC_NAME: "ALERTS", "alertstate": state.value})


def _carry_on(before: RuleState, after: RuleState, now: Moment) -> None:
    after.run = before.run
    if isinstance(before, AlertingState) and isinstance(after, AlertingState):
        after.active = before.active
        after.schedule(now)


class _Turn:
    """Gives other tasks their turn when enough work was done."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since = clock.monotonic()

    async def give(self) -> None:
        if self._clock.monotonic() - self._since >= SLICE_SECONDS:
            await asyncio.sleep(0)
            self._since = self._clock.monotonic()
