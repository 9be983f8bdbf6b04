"""The on-call schedules that are configured, with the overrides that people added while the daemon runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from alerting.escalation_store import add_override, remove_override
from alerting.local_time import Zone
from alerting.schedule import Override, Schedule, Shift, next_shift, on_call, shifts
from core.clock import Clock
from core.db.database import Database
from core.errors import NotFoundError, UserError
from core.logbook import Logbook

LONGEST_OVERRIDE_SECONDS = 366 * 86_400.0
MAX_COMMENT = 500


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who is on call by a schedule at a moment, who is next, and who stands in for whom; for people.

    Attributes:
        now: the shift at the moment, as far as it was looked for.
        next: None where nobody takes over within a year.
        overrides: those that are not over at the moment.
        shifts: from the moment on, as far as was asked for.
    """

    schedule: str
    time_zone: str
    now: Shift
    next: Shift | None
    overrides: tuple[Override, ...]
    shifts: tuple[Shift, ...]


class Schedules:
    """Answers who is on call."""

    def __init__(self, database: Database, logbook: Logbook, clock: Clock) -> None:
        self._database = database
        self._logbook = logbook
        self._clock = clock
        self._schedules: dict[str, Schedule] = {}
        self._people: dict[str, str] = {}
        self._added: list[Override] = []

    def configure(self, schedules: Iterable[Schedule], people: Mapping[str, str]) -> None:
        """Follow a config.

        Args:
            people: the receiver of each person.
        """
        self._schedules = {schedule.name: schedule for schedule in schedules}
        self._people = dict(people)

    def restore(self, overrides: Iterable[Override]) -> None:
        """Take back the overrides that people added to an earlier process."""
        self._added = list(overrides)

    @property
    def names(self) -> list[str]:
        """The schedules of the config, in its order."""
        return list(self._schedules)

    def receiver_of(self, person: str) -> str | None:
        """Return the receiver that reaches a person; None for one whom the config does not have."""
        return self._people.get(person)

    def on_call(self, name: str, moment: float, copy: Schedule | None = None) -> tuple[str, ...]:
        """Return who is on call by a schedule of the config; by a copy of it where the config has it no more."""
        schedule = self._schedules.get(name, copy)
        return () if schedule is None else on_call(self._with_added(schedule), moment)

    def zone_of(self, name: str) -> Zone:
        """Return the time zone of a schedule.

        Raises: NotFoundError: there is no such schedule.
        """
        return self._found(name).zone

    def status(self, moment: float, *, name: str = "", horizon_seconds: float = 0.0) -> list[OnCall]:
        """Return who is on call, by every schedule or one; looks up much, so it is for a thread.

        Args:
            horizon_seconds: how far the list of shifts goes.
        Raises: NotFoundError: there is no such schedule.
        """
        found = [self._found(name)] if name else list(self._schedules.values())
        return [self._status(self._with_added(schedule), moment, horizon_seconds) for schedule in found]

    async def add(self, override: Override, *, actor: str) -> Override:
        """Let somebody stand in, durably, and return it with its id.

        Raises: UserError, NotFoundError: it makes no sense; StoreUnavailableError.
        """
        self._check(override)
        asked = replace(override, created_by=actor)

        def write(connection: Connection) -> Override:
            added = replace(asked, id=add_override(connection, asked, self._clock.now()))
            self._logbook.appending("schedule.override_added", _subject(added), _entry(added), actor=actor)(connection)
            return added

        added = await self._database.write(write)
        self._added.append(added)
        return added

    async def remove(self, number: int, *, actor: str) -> Override:
        """Take back an override that somebody added, durably, and return it.

        Raises: NotFoundError: there is none of that id; StoreUnavailableError.
        """
        found = next((one for one in self._added if one.id == number), None)
        if found is None:
            raise NotFoundError(f"there is no override {number} that could be removed; 'watchkeeper oncall' lists them")
        entry = self._logbook.appending("schedule.override_removed", _subject(found), _entry(found), actor=actor)

        def write(connection: Connection) -> None:
            remove_override(connection, number)
            entry(connection)

        await self._database.write(write)
        self._added = [one for one in self._added if one.id != number]
        return found

    def _found(self, name: str) -> Schedule:
        schedule = self._schedules.get(name)
        if schedule is None:
            known = ", ".join(self._schedules) or "none; add it under 'schedules' of the config file"
            raise NotFoundError(f"there is no schedule {name!r}; known are: {known}")
        return schedule

    def _check(self, override: Override) -> None:
        self._found(override.schedule)
        for person in (override.person, override.instead_of):
            if person and person not in self._people:
                raise NotFoundError(f"there is no person {person!r}; known are: {', '.join(self._people) or 'none'}")
        length = override.ends_at - override.starts_at
        if not 0 < length <= LONGEST_OVERRIDE_SECONDS:
            raise UserError("an override must end after it begins, within a year; correct its times")
        if override.ends_at <= self._clock.now():
            raise UserError("the override is over already; give an end that is still to come")
        if len(override.comment) > MAX_COMMENT:
            raise UserError(f"the comment is longer than {MAX_COMMENT} characters; shorten it")

    def _with_added(self, schedule: Schedule) -> Schedule:
        added = tuple(one for one in self._added if one.schedule == schedule.name)
        return replace(schedule, overrides=(*schedule.overrides, *added)) if added else schedule

    def _status(self, schedule: Schedule, moment: float, horizon_seconds: float) -> OnCall:
        coming = next_shift(schedule, moment)
        until = coming.starts_at if coming is not None else moment + 366 * 86_400
        listed = shifts(schedule, moment, moment + horizon_seconds) if horizon_seconds > 0 else []
        return OnCall(
            schedule=schedule.name,
            time_zone=str(schedule.zone or "Local"),
            now=Shift(moment, until, on_call(schedule, moment)),
            next=coming,
            overrides=tuple(one for one in schedule.overrides if one.ends_at > moment),
            shifts=tuple(listed),
        )


def _subject(override: Override) -> str:
    return f"schedule/{override.schedule}"


def _entry(override: Override) -> dict[str, object]:
    return {
        "id": override.id,
        "person": override.person,
        "instead_of": override.instead_of,
        "starts_at": override.starts_at,
        "ends_at": override.ends_at,
        "comment": override.comment,
    }
