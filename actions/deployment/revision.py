"""Revisions: the immutable, numbered, checksummed versions of a service in an environment, and which one serves."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection

from actions.operation import JSON
from actions.sql import sql
from core.clock import Clock
from core.db.database import Database
from core.errors import NotFoundError, UserError
from core.logbook import Logbook


class RevisionState(StrEnum):
    """What is known of a revision's worth."""

    CANDIDATE = "candidate"
    """Being deployed; has not taken traffic yet."""

    BAKING = "baking"
    """Takes traffic; the revision before it still runs."""

    GOOD = "good"
    """Survived its bake time, and serves or served last."""

    SUPERSEDED = "superseded"
    """Was good until a newer one was."""

    FAILED = "failed"
    """Its deployment failed, or a person rolled it back during its bake time."""

    QUARANTINED = "quarantined"
    """Rolled back automatically; it is not deployed again unless forced."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One version of a service's artifact and configuration in an environment.

    Attributes:
        artifact: where it came from; `folder`: where it is unpacked, empty once it was removed.
        settings: the service's configuration when it was deployed, which a rollback brings back.
        operation: the deployment that made it.
        promoted_at: when it survived its bake time; None where it never did.
        rolled_back_by: the automatic rollback away from it; there is one at most.
    """

    number: int
    version: str
    state: RevisionState
    artifact: str
    artifact_sha256: str
    folder: str
    settings: Mapping[str, JSON]
    operation: str
    created_at: float
    deployed_at: float | None
    promoted_at: float | None
    rolled_back_by: str | None

    @property
    def name(self) -> str:
        """How people and instance ids call it."""
        return f"r{self.number}"

    def to_json(self) -> dict[str, JSON]:
        """Return the revision as the API gives it."""
        return {
            "revision": self.number,
            "version": self.version,
            "state": self.state.value,
            "artifact_sha256": self.artifact_sha256,
            "created_at": self.created_at,
            "deployed_at": self.deployed_at,
        }


@dataclass(frozen=True, slots=True)
class History:
    """All that is recorded of a service in an environment.

    Attributes:
        revisions: oldest first.
        current: the revision that shall take all traffic.
        standby: the revision that shall run beside it at full capacity without traffic, during a bake.
        ports: by revision number, the port of each instance.
    """

    revisions: tuple[Revision, ...] = ()
    current: int | None = None
    standby: int | None = None
    baking_until: float | None = None
    ports: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def get(self, number: int) -> Revision:
        """Return a revision.

        Raises: NotFoundError: there is none of this number.
        """
        for revision in self.revisions:
            if revision.number == number:
                return revision
        raise NotFoundError(f"there is no revision {number}; {known(self)}")

    @property
    def last_good(self) -> int | None:
        """The revision to trust: the standby during a bake, else the current one once it is good."""
        if self.standby is not None:
            return self.standby
        if self.current is not None and self.get(self.current).promoted_at is not None:
            return self.current
        return None


def known(history: History) -> str:
    """Return a remark that lists the revisions a person can choose from."""
    kept = [f"{r.number} ({r.version}, {r.state.value})" for r in history.revisions[-10:] if r.folder]
    return "known are " + ", ".join(kept) if kept else "nothing has been deployed yet"


def rollback_target(history: History) -> Revision:
    """Return the revision that a rollback without further words goes back to.

    During a bake it is the standby; afterwards the newest revision below the current one that was ever good, is not
    quarantined, and whose artifact is kept.

    Raises: UserError: there is none; the message says why.
    """
    if history.current is None:
        raise UserError("nothing is deployed, so there is nothing to roll back; deploy a revision first")
    if history.standby is not None:
        return history.get(history.standby)
    for revision in reversed(history.revisions):
        fit = revision.promoted_at is not None and revision.state is not RevisionState.QUARANTINED and revision.folder
        if revision.number < history.current and fit:
            return revision
    raise UserError(
        f"revision {history.current} is the only good one, there is nothing to go back to; deploy a fixed version"
    )


def chosen_target(history: History, number: int | None, version: str | None) -> Revision:
    """Return the revision that a person named by number or version.

    Raises:
        NotFoundError: there is none; those that exist are listed.
        UserError: it serves already, or its artifact is no longer kept.
    """
    if number is not None:
        target = history.get(number)
    else:
        fits = [revision for revision in history.revisions if revision.version == version]
        if not fits:
            raise NotFoundError(f"there is no version {version!r}; {known(history)}")
        target = next((r for r in reversed(fits) if r.folder and r.promoted_at is not None), fits[-1])
    if target.number == history.current:
        raise UserError(f"revision {target.number} ({target.version}) is the current one; choose another")
    if not target.folder:
        raise UserError(
            f"the artifact of revision {target.number} ({target.version}) is no longer kept;"
            f" deploy it anew from its archive, or choose another: {known(history)}"
        )
    return target


def prunable(history: History, keep: int) -> list[Revision]:
    """Return the revisions whose artifacts may be removed, oldest first.

    The newest `keep` stay, and whatever serves, stands by, is being deployed, or would be rolled back to.
    """
    stay = {history.current, history.standby, history.last_good}
    try:
        stay.add(rollback_target(history).number)
    except UserError:
        stay.add(None)
    kept = [revision for revision in history.revisions if revision.folder]
    newest = {revision.number for revision in kept[-keep:]}
    return [r for r in kept if r.number not in stay | newest and r.state is not RevisionState.CANDIDATE]


def quarantined(history: History, version: str, sha256: str) -> Revision | None:
    """Return the quarantined revision that this artifact is, by content where that is known, else by version."""
    for revision in reversed(history.revisions):
        same = (
            revision.artifact_sha256 == sha256 if sha256 and revision.artifact_sha256 else revision.version == version
        )
        if same and revision.state is RevisionState.QUARANTINED:
            return revision
    return None


class RevisionStore:
    """The history of one service in one environment; every change is committed with its logbook entry."""

    def __init__(self, database: Database, logbook: Logbook, clock: Clock, service: str, environment: str) -> None:
        self._database = database
        self._logbook = logbook
        self._clock = clock
        self._key = {"service": service, "environment": environment}
        self._subject = f"service/{service}/{environment}"

    async def history(self) -> History:
        """Return everything that is recorded."""
        return await self._database.read(self._history)

    async def add(
        self, *, operation: str, version: str, artifact: str, folder_of: str, settings: Mapping[str, JSON]
    ) -> Revision:
        """Number a new candidate; the same operation gets the same revision however often it asks.

        Args:
            folder_of: where it will be unpacked, with `{number}` for its number.
        """

        def work(connection: Connection) -> Revision:
            history = self._history(connection)
            for revision in history.revisions:
                if revision.operation == operation:
                    return revision
            number = max((revision.number for revision in history.revisions), default=0) + 1
            insert = (
                "INSERT INTO revision (service, environment, number, version, state, artifact, artifact_sha256, folder,"
                " settings, operation, created_at) VALUES (:service, :environment, :number, :version, 'candidate',"
                " :artifact, '', :folder, :settings, :operation, :now)"
            )
            values = {
                "number": number, "version": version, "artifact": artifact, "operation": operation,
                "folder": folder_of.replace("{number}", str(number)), "settings": json.dumps(dict(settings)),
                "now": self._clock.now(),
            }  # fmt: skip
            connection.execute(sql(insert), {**self._key, **values})
            self._log(connection, "candidate", number, version, operation)
            return self._history(connection).get(number)

        return await self._database.write(work)

    async def set_sha256(self, number: int, sha256: str) -> None:
        """Record the checksum that was verified."""
        await self._update(number, "artifact_sha256 = :sha256", {"sha256": sha256})

    async def artifact_removed(self, number: int) -> None:
        """Record that the unpacked artifact is gone."""
        await self._update(number, "folder = ''", {})

    async def assign_ports(self, number: int, ports: Sequence[int]) -> None:
        """Record the ports of a revision's instances, in their order."""

        def work(connection: Connection) -> None:
            insert = (
                "INSERT INTO revision_port (service, environment, revision, instance, port)"
                " VALUES (:service, :environment, :number, :instance, :port)"
            )
            for instance, port in enumerate(ports):
                values = {"number": number, "instance": instance, "port": port}
                connection.execute(sql(insert), {**self._key, **values})

        await self._database.write(work)

    async def release_ports(self, number: int) -> None:
        """Record that a revision has no instances any more."""
        delete = "DELETE FROM revision_port WHERE service = :service AND environment = :environment"
        await self._database.write(
            lambda connection: connection.execute(sql(delete + " AND revision = :n"), {**self._key, "n": number})
        )

    async def serve(
        self,
        *,
        current: int | None,
        standby: int | None,
        baking_until: float | None,
        states: Mapping[int, RevisionState],
        operation: str,
        rolled_back: int | None = None,
    ) -> None:
        """Record which revision serves and which stands by, and the states that follow from it, at once.

        Args:
            rolled_back: the revision that an automatic operation leaves, which counts once.
        """

        def work(connection: Connection) -> None:
            now = self._clock.now()
            upsert = (
                "INSERT INTO serving (service, environment, current, standby, baking_until)"
                " VALUES (:service, :environment, :current, :standby, :until) ON CONFLICT (service, environment)"
                " DO UPDATE SET current = :current, standby = :standby, baking_until = :until"
            )
            values = {"current": current, "standby": standby, "until": baking_until}
            connection.execute(sql(upsert), {**self._key, **values})
            before = {revision.number: revision for revision in self._history(connection).revisions}
            for number, state in states.items():
                if before[number].state is not state:
                    self._set_state(connection, number, state, now)
                    self._log(connection, state.value, number, before[number].version, operation)
            if rolled_back is not None:
                mark = "UPDATE revision SET rolled_back_by = :by" + _WHERE_REVISION
                connection.execute(sql(mark), {**self._key, "by": operation, "number": rolled_back})

        await self._database.write(work)

    async def mark_rollback_begun(self, number: int, operation: str) -> None:
        """Count the one automatic rollback of a revision, before anything of it is done."""
        await self._update(number, "rolled_back_by = coalesce(rolled_back_by, :by)", {"by": operation})

    def _set_state(self, connection: Connection, number: int, state: RevisionState, now: float) -> None:
        deployed = state in (RevisionState.BAKING, RevisionState.GOOD)
        update = (
            "UPDATE revision SET state = :state,"
            " deployed_at = CASE WHEN :deployed THEN coalesce(deployed_at, :now) ELSE deployed_at END,"
            " promoted_at = CASE WHEN :good THEN coalesce(promoted_at, :now) ELSE promoted_at END" + _WHERE_REVISION
        )
        values = {
            "state": state.value, "deployed": deployed, "good": state is RevisionState.GOOD, "now": now,
            "number": number,
        }  # fmt: skip
        connection.execute(sql(update), {**self._key, **values})

    async def _update(self, number: int, change: str, values: Mapping[str, Any]) -> None:
        update = f"UPDATE revision SET {change}" + _WHERE_REVISION
        await self._database.write(
            lambda connection: connection.execute(sql(update), {**self._key, **values, "number": number})
        )

    def _log(self, connection: Connection, state: str, number: int, version: str, operation: str) -> None:
        data = {"revision": number, "version": version, "state": state, "operation": operation}
        self._logbook.appending("revision." + state, self._subject, data)(connection)

    def _history(self, connection: Connection) -> History:
        where = " WHERE service = :service AND environment = :environment"
        query = (
            "SELECT number, version, state, artifact, artifact_sha256, folder, settings, operation, created_at,"
            " deployed_at, promoted_at, rolled_back_by FROM revision" + where + " ORDER BY number"
        )
        revisions = tuple(_revision(row) for row in connection.execute(sql(query), self._key))
        query = "SELECT current, standby, baking_until FROM serving" + where
        serving = connection.execute(sql(query), self._key).one_or_none()
        current, standby, baking_until = serving or (None, None, None)
        ports: dict[int, tuple[int, ...]] = {}
        query = "SELECT revision, port FROM revision_port" + where + " ORDER BY revision, instance"
        for number, port in connection.execute(sql(query), self._key):
            ports[number] = (*ports.get(number, ()), port)
        return History(revisions, current, standby, baking_until, ports)


_WHERE_REVISION = " WHERE service = :service AND environment = :environment AND number = :number"


def _revision(row: Any) -> Revision:
    return Revision(
        number=row.number,
        version=row.version,
        state=RevisionState(row.state),
        artifact=row.artifact,
        artifact_sha256=row.artifact_sha256,
        folder=row.folder,
        settings=json.loads(row.settings),
        operation=row.operation,
        created_at=row.created_at,
        deployed_at=row.deployed_at,
        promoted_at=row.promoted_at,
        rolled_back_by=row.rolled_back_by,
    )
