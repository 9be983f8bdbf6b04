"""Silences kept: durable, told, asked, forgotten."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from alerting.matcher import parse_matchers
from alerting.silence import Silence, SilenceState
from alerting.silence_index import SilenceIndex
from alerting.silences import KEPT_SECONDS, MIGRATIONS, Silences
from core.db.database import Database
from core.errors import NotFoundError, StoreUnavailableError, UserError
from core.logbook import MIGRATIONS as LOGBOOK_MIGRATIONS
from core.logbook import Logbook
from core.tasks import Tasks
from tests.fakes.clock import FakeClock


@dataclass
class Kept:
    """Silences on a real database."""

    silences: Silences
    clock: FakeClock
    database: Database
    logbook: Logbook
    registry: CollectorRegistry
    changes: list[int]

    def wish(
        self, matchers: str = "team=shop", *, id_: str = "", after: float = 0.0, seconds: float = 600.0
    ) -> Silence:
        start = self.clock.now() + after
        return Silence(id_, parse_matchers(matchers), start, start + seconds, created_by="ana", comment="deploying")

    def mutes(self, **labels: str) -> tuple[str, ...]:
        return self.silences.mutes(labels, self.clock.now())


@asynccontextmanager
async def kept(folder: Path, clock: FakeClock | None = None) -> AsyncIterator[Kept]:
    clock, registry = clock or FakeClock(), CollectorRegistry()
    tasks = Tasks(clock)
    database = Database(folder / "state.db", (*LOGBOOK_MIGRATIONS, *MIGRATIONS), clock=clock, tasks=tasks)
    await database.start()
    logbook, changes = Logbook(database, clock), [0]

    def changed() -> None:
        changes[0] += 1

    silences = Silences(database, logbook, clock, registry, changed)
    await silences.start()
    try:
        yield Kept(silences, clock, database, logbook, registry, changes)
    finally:
        await silences.stop()
        await database.stop()
        await tasks.stop()


async def test_a_silence_mutes_what_it_matches_while_it_lasts(tmp_path: Path) -> None:
    async with kept(tmp_path) as house:
        id_ = await house.silences.set(house.wish(after=60), "ana")
        assert house.mutes(team="shop") == ()
        assert house.silences.next_change(house.clock.now()) == house.clock.now() + 60
        await house.clock.advance(60)
        assert house.mutes(team="shop", alertname="A") == (id_,)
        assert house.mutes(team="cart") == ()
        assert house.silences.next_change(house.clock.now()) == house.clock.now() + 600
        await house.clock.advance(600)
        assert house.mutes(team="shop") == ()
        assert house.silences.next_change(house.clock.now()) is None
        assert house.changes == [1]


async def test_silences_are_there_after_a_restart_and_each_change_is_in_the_logbook(tmp_path: Path) -> None:
    clock = FakeClock()
    async with kept(tmp_path, clock) as house:
        matchers = '"my label"=~"a|\\"b\\"",team!=shop,x="",y!~"z.*"'
        first = await house.silences.set(house.wish(matchers), "ana")
        longer = replace(house.silences.get(first), ends_at=clock.now() + 9000)
        assert await house.silences.set(longer, "ben") == first
        other = await house.silences.set(house.wish("a=b"), "ana")
        second = await house.silences.set(replace(house.silences.get(other), matchers=parse_matchers("a=c")), "ben")
        await house.silences.expire(second, "cleo")
        before = house.silences.all()
    async with kept(tmp_path, clock) as house:
        assert house.silences.all() == before
        assert house.silences.get(first).matchers == parse_matchers(matchers)
        entries = await house.logbook.read(kind="silence.")
        assert [(entry.kind, entry.subject.partition("/")[2], entry.actor) for entry in entries] == [
            ("silence.created", first, "ana"),
            ("silence.updated", first, "ben"),
            ("silence.created", other, "ana"),
            ("silence.expired", other, "ben"),
            ("silence.created", second, "ben"),
            ("silence.expired", second, "cleo"),
        ]
        assert entries[0].data["comment"] == "deploying"
        assert entries[3].data["replaced_by"] == second
        assert await house.logbook.verify() == []


async def test_a_silence_that_cannot_be_made_durable_is_none(tmp_path: Path) -> None:
    async with kept(tmp_path) as house:
        await house.database.stop()
        with pytest.raises(StoreUnavailableError):
            await house.silences.set(house.wish(), "ana")
        assert (house.silences.all(), house.mutes(team="shop"), house.changes) == ([], (), [0])


async def test_an_unknown_or_wrong_silence_is_refused(tmp_path: Path) -> None:
    async with kept(tmp_path) as house:
        with pytest.raises(NotFoundError, match="'gone' is not known"):
            await house.silences.set(house.wish(id_="gone"), "ana")
        with pytest.raises(NotFoundError):
            await house.silences.expire("gone", "ana")
        with pytest.raises(UserError, match="start time"):
            await house.silences.set(house.wish(seconds=-1), "ana")


async def test_expiring_is_safe_to_repeat_and_ends_a_pending_silence_too(tmp_path: Path) -> None:
    async with kept(tmp_path) as house:
        id_ = await house.silences.set(house.wish(after=60), "ana")
        for _ in range(2):
            await house.silences.expire(id_, "ana")
        assert house.silences.get(id_).state(house.clock.now()) is SilenceState.EXPIRED
        assert len(await house.logbook.read(kind="silence.expired")) == 1
        await house.clock.advance(120)
        assert house.mutes(team="shop") == ()


async def test_a_silence_is_forgotten_after_five_days(tmp_path: Path) -> None:
    clock = FakeClock()
    async with kept(tmp_path, clock) as house:
        old = await house.silences.set(house.wish(), "ana")
        clock.jump(600 + KEPT_SECONDS - 1)
        assert [silence.id for silence in house.silences.all()] == [old]
        clock.jump(1)
        assert house.silences.all() == []
        new = await house.silences.set(house.wish("a=b"), "ana")
        stored = await house.database.read(
            lambda connection: [row[0] for row in connection.exec_driver_sql("SELECT id FROM silence")]
        )
        assert stored == [new]
        assert house.mutes(a="b") == (new,)


async def test_states_are_counted(tmp_path: Path) -> None:
    async with kept(tmp_path) as house:
        await house.silences.set(house.wish(after=60), "ana")
        await house.silences.set(house.wish(), "ana")
        await house.silences.expire(await house.silences.set(house.wish("a=b"), "ana"), "ana")
        found = {
            state.value: house.registry.get_sample_value("watchkeeper_silences", {"state": state.value})
            for state in SilenceState
        }
        assert found == {"pending": 1, "active": 1, "expired": 1}


NAMES = st.sampled_from(["alertname", "team", "x"])
VALUES = st.sampled_from(["", "a", "b", "ab"])
PATTERNS = st.sampled_from(["", "a", "b.*", "ab", "a|b", "ab|a", "(?i)A", "(a)b?", "^a.$", "a{0}b", "[ab]"])
TEXTS = st.lists(
    st.builds("{}{}{}".format, NAMES, st.sampled_from(["=", "!=", "=~", "!~"]), PATTERNS), min_size=1, max_size=3
).map(",".join)


@given(texts=st.lists(TEXTS, max_size=8), split=st.integers(0, 8), labels=st.dictionaries(NAMES, VALUES))
def test_the_index_finds_what_asking_every_silence_finds(texts: list[str], split: int, labels: dict[str, str]) -> None:
    silences = [Silence(str(number), parse_matchers(text), 1.0, 2.0) for number, text in enumerate(texts)]
    index = SilenceIndex()
    for part in (silences[:split], silences[split:]):
        for silence in part:
            index.put(silence)
        index.active(labels, 1.5)
    assert index.active(labels, 1.5) == tuple(s.id for s in silences if s.matches(labels))
    assert index.active(labels, 2.0) == ()
