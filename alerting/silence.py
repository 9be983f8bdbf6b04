"""A silence: alerts that satisfy its matchers are not told between its start and its end. Pure.

What may be changed of one is what Alertmanager allows: nothing that would make it untrue what was silenced when. A
change that is more than that ends the silence and makes a new one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from alerting.matcher import Matcher, format_matchers, matches, new_matcher, sorted_matchers
from core.errors import UserError

MAX_TEXT = 10_000
"""So many characters a comment or an author may have."""

MAX_MATCHERS = 100


class SilenceState(StrEnum):
    """Where a silence is in its life."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"


@dataclass(frozen=True)
class Silence:
    """One silence.

    Attributes:
        id: empty for one that is not kept yet.
        matchers: an alert must satisfy all.
        starts_at, ends_at, updated_at: Unix seconds; a start of 0 means at once.
        created_by: who wants it.
        comment: why.
    """

    id: str
    matchers: tuple[Matcher, ...]
    starts_at: float
    ends_at: float
    updated_at: float = 0.0
    created_by: str = ""
    comment: str = ""

    def state(self, now: float) -> SilenceState:
        """Return whether it is pending, active or expired."""
        if now < self.starts_at:
            return SilenceState.PENDING
        return SilenceState.ACTIVE if now < self.ends_at else SilenceState.EXPIRED

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Tell whether an alert with these labels is among those that it silences while it is active."""
        return matches(self.matchers, labels)


@dataclass(frozen=True, slots=True)
class SilenceChange:
    """What becomes of silences: one is kept as it is here, and perhaps another one ends now.

    Attributes:
        saved: new, or a known one with other contents.
        is_new: whether its id is new.
        ended: the silence that the new one replaces, as it is then.
    """

    saved: Silence
    is_new: bool
    ended: Silence | None = None


def validate(silence: Silence, now: float) -> None:
    """Check that a silence can be kept.

    Raises: UserError: with the first mistake.
    """
    if not silence.matchers:
        raise UserError('invalid silence: at least one matcher required; name the alerts, such as alertname="Disk"')
    if len(silence.matchers) > MAX_MATCHERS:
        raise UserError(f"invalid silence: it has {len(silence.matchers)} matchers; {MAX_MATCHERS} are allowed")
    for matcher in silence.matchers:
        new_matcher(matcher.name, matcher.op, matcher.value)
    if all(matcher.is_equal and matcher.matches("") for matcher in silence.matchers):
        raise UserError(
            "invalid silence: at least one matcher must not match the empty string; this one would silence everything"
        )
    for what, text in (("author", silence.created_by), ("comment", silence.comment)):
        if not text.strip():
            raise UserError(f"invalid silence: it has no {what}; say {'who wants it' if what == 'author' else 'why'}")
        if len(text) > MAX_TEXT:
            raise UserError(f"invalid silence: its {what} has {len(text)} characters; {MAX_TEXT} are allowed")
    if silence.ends_at <= (silence.starts_at or now):
        raise UserError("start time must be before end time; end the silence later")
    if silence.ends_at < now:
        raise UserError("end time can't be in the past; end the silence later")


def decide(previous: Silence | None, wanted: Silence, now: float, new_id: str) -> SilenceChange:
    """Return what a wish for a valid silence comes to.

    Args:
        previous: the silence of the same id; None for a new one.
        new_id: the id of a new silence, where this comes to one.
    """
    wanted = replace(wanted, starts_at=wanted.starts_at or now, updated_at=now)
    if previous is not None and _can_update(previous, wanted, now):
        return SilenceChange(wanted, is_new=False)
    saved = replace(wanted, id=new_id, starts_at=max(wanted.starts_at, now))
    is_over = previous is None or previous.state(now) is SilenceState.EXPIRED
    return SilenceChange(saved, is_new=True, ended=None if previous is None or is_over else ended(previous, now))


def ended(silence: Silence, now: float) -> Silence:
    """Return a silence as it is when it is ended now; one that is over already is returned unchanged."""
    state = silence.state(now)
    if state is SilenceState.EXPIRED:
        return silence
    starts_at = now if state is SilenceState.PENDING else silence.starts_at
    return replace(silence, starts_at=starts_at, ends_at=now, updated_at=now)


def describe(silence: Silence) -> str:
    """Return what a silence is about, for people: `{alertname="Disk"}`."""
    return format_matchers(silence.matchers)


def _can_update(previous: Silence, wanted: Silence, now: float) -> bool:
    """Tell whether a change leaves the past of a silence as it was."""
    if sorted_matchers(previous.matchers) != sorted_matchers(wanted.matchers):
        return False
    state = previous.state(now)
    if state is SilenceState.ACTIVE:
        return int(wanted.starts_at) == int(previous.starts_at) and wanted.ends_at >= now
    return state is SilenceState.PENDING and wanted.starts_at >= now
