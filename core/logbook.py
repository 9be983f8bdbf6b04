"""The logbook: an append-only, hash-chained record of everything that happened.

Each entry carries the SHA-256 of its own content and of the entry before, so that a changed, removed or inserted
entry is found and named by `verify`. The head (count and last hash) is kept beside the entries, which is what shows
that entries were cut off at the end. This proves that something was tampered with by whoever does not rewrite the
whole chain and the head; it is no signature.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, text

from core.clock import Clock
from core.db.database import Database
from core.db.migration import Migration

MIGRATIONS = (
    Migration(
        "logbook",
        1,
        (
            "CREATE TABLE logbook_entry ("
            " number INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL,"
            " actor TEXT NOT NULL, data TEXT NOT NULL, previous TEXT NOT NULL, hash TEXT NOT NULL)",
            "CREATE INDEX logbook_entry_subject ON logbook_entry (subject, number)",
            "CREATE TABLE logbook_head ("
            " id INTEGER PRIMARY KEY CHECK (id = 1), number INTEGER NOT NULL, hash TEXT NOT NULL)",
        ),
    ),
)

GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that happened.

    `kind` is a dotted word (`alert.firing`, `operation.step`), `subject` what it happened to (`incident/7`,
    `service/shop/production`), `actor` who did it, `time` Unix seconds.
    """

    number: int
    time: float
    kind: str
    subject: str
    actor: str
    data: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Fault:
    """A place where the chain does not hold; `number` is the entry's."""

    number: int
    reason: str


class Logbook:
    """Writes and reads entries in the state database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def append(self, kind: str, subject: str, data: Mapping[str, Any], *, actor: str = "watchkeeper") -> Entry:
        """Write one entry and return it once it is on the disk.

        Raises: StoreUnavailableError: it could not be written; then what it records must not be done either.
        """
        return await self._database.write(self.appending(kind, subject, data, actor=actor))

    def appending(
        self, kind: str, subject: str, data: Mapping[str, Any], *, actor: str = "watchkeeper"
    ) -> Callable[[Connection], Entry]:
        """Return the write of one entry, for callers that commit it together with the change it records."""
        return _Appending(self._clock.now(), kind, subject, actor, data)

    async def read(
        self, *, after: int = 0, limit: int = 1000, kind: str = "", subject: str = "", newest: bool = False
    ) -> list[Entry]:
        """Return entries in order of their numbers.

        Args:
            after: only entries with a greater number.
            kind: only this kind, or the kinds below it where it ends with a dot (`alert.`); empty for all.
            subject: only what happened to this; empty for all.
            newest: the last `limit` entries rather than the first.
        """
        order = "DESC" if newest else "ASC"
        query = (
            "SELECT number, time, kind, subject, actor, data, previous, hash FROM logbook_entry"
            " WHERE number > :after AND (:subject = '' OR subject = :subject)"
            " AND (:kind = '' OR kind = :kind OR (:prefix AND substr(kind, 1, length(:kind)) = :kind))"
            " ORDER BY number " + order + " LIMIT :limit"
        )
        values = {
            "after": after, "limit": limit, "kind": kind, "subject": subject, "prefix": kind.endswith(".")
        }  # fmt: skip

        def work(connection: Connection) -> list[Entry]:
            return [_entry(row) for row in connection.execute(text(query), values)]

        entries = await self._database.read(work)
        return entries[::-1] if newest else entries

    async def between(self, start: float, end: float, *, limit: int = 10_000) -> list[Entry]:
        """Return the entries of a span of time, in order; both ends are Unix seconds and belong to it.

        Entries are found by halving, so that a long logbook costs no more than a short one; where the wall clock was
        set back inside the span, some of them may be left out.
        """

        def work(connection: Connection) -> list[Entry]:
            first, after = _first_since(connection, start), _first_since(connection, math.nextafter(end, math.inf))
            query = (
                "SELECT number, time, kind, subject, actor, data, previous, hash FROM logbook_entry"
                " WHERE number >= :first AND number < :after ORDER BY number LIMIT :limit"
            )
            values = {"first": first, "after": after, "limit": limit}
            return [_entry(row) for row in connection.execute(text(query), values)]

        return await self._database.read(work)

    async def verify(self) -> list[Fault]:
        """Return every fault of the chain, in order; an empty list means that nothing was touched."""
        return await self._database.read(lambda connection: list(find_faults(connection)))


def _first_since(connection: Connection, moment: float) -> int:
    """Return the number of the first entry at or after a time; one more than the last where there is none."""
    low, high = 1, int(connection.execute(text("SELECT max(number) FROM logbook_entry")).scalar() or 0) + 1
    query = text("SELECT time FROM logbook_entry WHERE number = :number")
    while low < high:
        middle = (low + high) // 2
        time = connection.execute(query, {"number": middle}).scalar()
        if time is not None and time < moment:
            low = middle + 1
        else:
            high = middle
    return low


@dataclass(frozen=True, slots=True)
class _Appending:
    """The write of one entry."""

    time: float
    kind: str
    subject: str
    actor: str
    data: Mapping[str, Any]

    def __call__(self, connection: Connection) -> Entry:
        row = _append(connection, [self])[0]
        return Entry(**{**row, "data": json.loads(row["data"])})


def write_all(connection: Connection, writes: Iterable[Callable[[Connection], object]]) -> None:
    """Make writes in their order; entries of the logbook that follow each other are written as one."""
    for is_entry, some in groupby(writes, lambda write: isinstance(write, _Appending)):
        if is_entry:
            _append(connection, [write for write in some if isinstance(write, _Appending)])
        else:
            for write in some:
                write(connection)


_HEAD = text("SELECT number, hash FROM logbook_head WHERE id = 1")
_INSERT = text(
    "INSERT INTO logbook_entry (number, time, kind, subject, actor, data, previous, hash)"
    " VALUES (:number, :time, :kind, :subject, :actor, :data, :previous, :hash)"
)
_SET_HEAD = text(
    "INSERT INTO logbook_head (id, number, hash) VALUES (1, :number, :hash)"
    " ON CONFLICT (id) DO UPDATE SET number = excluded.number, hash = excluded.hash"
)


def _append(connection: Connection, entries: Sequence[_Appending]) -> list[dict[str, Any]]:
    """Write entries and return their rows."""
    head = connection.execute(_HEAD).one_or_none()
    number, previous = (int(head[0]), str(head[1])) if head else (0, GENESIS)
    rows = []
    for entry in entries:
        number += 1
        body = json.dumps(entry.data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
        digest = _digest(number, entry.time, entry.kind, entry.subject, entry.actor, body, previous)
        rows.append(
            {
                "number": number, "time": entry.time, "kind": entry.kind, "subject": entry.subject,
                "actor": entry.actor, "data": body, "previous": previous, "hash": digest,
            }
        )  # fmt: skip
        previous = digest
    connection.execute(_INSERT, rows)
    connection.execute(_SET_HEAD, {"number": number, "hash": previous})
    return rows


def _digest(number: int, time: float, kind: str, subject: str, actor: str, body: str, previous: str) -> str:
    # A JSON array keeps the fields apart: no two different entries have the same text.
    content = json.dumps([number, repr(time), kind, subject, actor, body, previous], ensure_ascii=False)
    return hashlib.sha256(content.encode()).hexdigest()


def _entry(row: Any) -> Entry:
    number, time, kind, subject, actor, body, previous, digest = row
    return Entry(number, time, kind, subject, actor, json.loads(body), previous, digest)


def find_faults(connection: Connection) -> Iterator[Fault]:
    """Walk the chain and yield each fault: changed, removed and inserted entries, and a head that does not fit."""
    query = "SELECT number, time, kind, subject, actor, data, previous, hash FROM logbook_entry ORDER BY number"
    expected_number, expected_previous = 1, GENESIS
    for number, time, kind, subject, actor, body, previous, stored in connection.execute(text(query)):
        if number > expected_number:
            only = number == expected_number + 1
            gone = f"entry {expected_number} is" if only else f"entries {expected_number} to {number - 1} are"
            yield Fault(expected_number, f"removed: {gone} missing")
        elif previous != expected_previous:
            yield Fault(number, "inserted or out of order: it does not follow from the entry before")
        if _digest(number, time, kind, subject, actor, body, previous) != stored:
            yield Fault(number, "changed: its content does not match its hash")
        expected_number, expected_previous = number + 1, stored
    head = connection.execute(text("SELECT number, hash FROM logbook_head WHERE id = 1")).one_or_none()
    head_number, head_hash = (int(head[0]), str(head[1])) if head else (0, GENESIS)
    if head_number >= expected_number:
        yield Fault(expected_number, f"removed: the last entry was {head_number}, the end is missing")
    elif head_number < expected_number - 1:
        yield Fault(head_number + 1, "inserted: it is newer than the head of the chain")
    elif head_hash != expected_previous:
        yield Fault(head_number, "changed: the head of the chain has another hash")
