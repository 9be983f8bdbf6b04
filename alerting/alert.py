"""The life of an alert: inactive, pending, firing, resolved. Pure: decides from what was seen and what time it is.

Durations (`for`, `keep_firing_for`) are measured on the monotonic clock, so that a step of the wall clock neither
fires nor resolves anything; the wall clock only says what is written down and shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import lru_cache
from hashlib import blake2b

from metrics.label import Labels, label_value

_FINGERPRINTS_KEPT = 16_384
"""One takes 40 µs to compute, and an alert is asked for its own at every look at it."""


class AlertState(StrEnum):
    """Where an alert is in its life; one that is inactive does not exist."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How bad it is, worst first."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"

    @property
    def rank(self) -> int:
        """0 for the worst."""
        return _RANKS[self]


_RANKS = {severity: rank for rank, severity in enumerate(Severity)}


class Transition(StrEnum):
    """What happened to an alert."""

    PENDING = "pending"
    FIRING = "firing"
    RESOLVED = "resolved"
    INACTIVE = "inactive"
    """A pending alert whose condition went away before it could fire."""

    RESTORED = "restored"
    """A firing alert that a restarted daemon found in its database; told so that nobody depends on memory."""


class Seen(Enum):
    """What an evaluation says about one label set."""

    ACTIVE = "active"
    """The condition holds."""

    HELD = "held"
    """The condition no longer holds, but the value has not passed the threshold's `resolve` yet."""

    ABSENT = "absent"
    """The condition does not hold."""

    UNKNOWN = "unknown"
    """The evaluation failed, or the data behind it cannot be back yet."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One instant on both clocks: Unix seconds, and monotonic seconds of this process."""

    wall: float
    monotonic: float


@dataclass(frozen=True, slots=True)
class Timing:
    """How long a condition must hold before it fires, and how long firing goes on after it; seconds."""

    for_seconds: float = 0.0
    keep_firing_for_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Life:
    """One label set of a rule whose condition holds or held lately.

    Attributes:
        active: since when the condition holds.
        fired_at: Unix seconds; None while pending.
        missing: since when it no longer holds while `keep_firing_for` runs; None otherwise.
    """

    active: Moment
    fired_at: float | None = None
    missing: Moment | None = None

    @property
    def state(self) -> AlertState:
        """Pending or firing."""
        return AlertState.PENDING if self.fired_at is None else AlertState.FIRING


def step(life: Life | None, seen: Seen, timing: Timing, now: Moment) -> tuple[Life | None, Transition | None]:
    """Return what becomes of a label set, and the transition that this is; None, None when nothing is or was there."""
    if life is None:
        return _begin(timing, now) if seen is Seen.ACTIVE else (None, None)
    if seen is Seen.UNKNOWN:
        return life, None
    if life.fired_at is None:
        return _step_pending(life, seen, timing, now)
    if seen is not Seen.ABSENT:
        return (life if life.missing is None else Life(life.active, life.fired_at)), None
    ending = life if life.missing else Life(life.active, life.fired_at, missing=now)
    return (None, Transition.RESOLVED) if _is_due(ending, timing, now) else (ending, None)


def _begin(timing: Timing, now: Moment) -> tuple[Life, Transition]:
    if timing.for_seconds > 0:
        return Life(now), Transition.PENDING
    return Life(now, fired_at=now.wall), Transition.FIRING


def _step_pending(life: Life, seen: Seen, timing: Timing, now: Moment) -> tuple[Life | None, Transition | None]:
    if seen is not Seen.ACTIVE:
        return None, Transition.INACTIVE
    if _is_due(life, timing, now):
        return Life(life.active, fired_at=now.wall), Transition.FIRING
    return life, None


def due(life: Life, timing: Timing) -> float | None:
    """Return the monotonic time at which a label set must be looked at again though no data arrives."""
    if life.fired_at is None:
        return life.active.monotonic + timing.for_seconds
    if life.missing is not None:
        return life.missing.monotonic + timing.keep_firing_for_seconds
    return None


def _is_due(life: Life, timing: Timing, now: Moment) -> bool:
    moment = due(life, timing)
    return moment is not None and now.monotonic >= moment


def restore(active_since: float, fired_at: float | None, missing_since: float | None, now: Moment) -> Life:
    """Return a life as it was written down by an earlier process, its durations going on from the stored times.

    A wall clock that meanwhile went backwards counts as no time passed.
    """

    def moment(wall: float) -> Moment:
        return Moment(wall, now.monotonic - max(0.0, now.wall - wall))

    return Life(moment(active_since), fired_at, None if missing_since is None else moment(missing_since))


_SEVERITIES = {
    **{severity.value: severity for severity in Severity},
    "warning": Severity.MEDIUM,
    "warn": Severity.MEDIUM,
    "page": Severity.CRITICAL,
    "error": Severity.HIGH,
    "info": Severity.LOW,
    "none": Severity.LOW,
}


def severity_of(labels: Labels) -> Severity:
    """Return the severity that a label set's `severity` label means; medium where it is absent or of its own kind."""
    return _SEVERITIES.get(label_value(labels, "severity").lower(), Severity.MEDIUM)


@dataclass(frozen=True, slots=True)
class Alert:
    """One pending, firing or resolved instance of a rule for one label set, as others see it.

    Attributes:
        id: unique for this life of it: the same labels alerting again later are another alert.
        labels: with `alertname`.
        active_since, fired_at, resolved_at: Unix seconds.
        value: of the expression when it was last seen.
        rule: the rule's key, `GROUP/NAME{labels}`.
        reason: why it was resolved where that was not the end of its condition; empty otherwise.
        generator_url: where the one who posted it says that it comes from; empty for alerts of own rules.
        expires_at: of a posted alert: when it is resolved unless it is posted again by then; Unix seconds.
        updated_at: of a posted alert: when it was posted last; Unix seconds.
    """

    id: str
    name: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: AlertState
    severity: Severity
    active_since: float
    fired_at: float | None
    resolved_at: float | None
    value: float
    rule: str
    expr: str
    reason: str = ""
    generator_url: str = ""
    expires_at: float | None = None
    updated_at: float = 0.0

    @property
    def identity(self) -> str:
        """What it is, whatever its life: the same for every alert of the same rule with the same labels."""
        return self.id.partition("-")[0]

    @property
    def started_at(self) -> float:
        """Since when it fires, as others are told; of a pending one since when it is active."""
        return self.active_since if self.fired_at is None else self.fired_at

    @property
    def is_posted(self) -> bool:
        """Whether somebody posted it, rather than a rule of ours."""
        return not self.rule


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """Something happened to an alert, and is already durable."""

    transition: Transition
    alert: Alert


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return the 16 hexadecimal digits by which Alertmanager knows a label set.

    Source: FNV-1a, 64 bit, over name, 0xff, value, 0xff of each label in the order of names (prometheus/common,
    model.LabelSet.Fingerprint).
    """
    return _fingerprint(tuple(sorted(labels.items())))


@lru_cache(maxsize=_FINGERPRINTS_KEPT)
def _fingerprint(labels: tuple[tuple[str, str], ...]) -> str:
    digest = 0xCBF29CE484222325
    for name, value in labels:
        for byte in (*name.encode(), 0xFF, *value.encode(), 0xFF):
            digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return f"{digest:016x}"


def alert_id(rule: str, labels: Mapping[str, str], active_since: float) -> str:
    """Return the id of one life of an alert: what it is, and since which millisecond."""
    content = json.dumps([rule, sorted(labels.items())]).encode()
    return f"{blake2b(content, digest_size=8).hexdigest()}-{round(active_since * 1000):x}"
