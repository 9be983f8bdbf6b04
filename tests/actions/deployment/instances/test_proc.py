from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.deployment.instances import proc

TAIL = "S 1 77 77 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 4711 1000 10"


@pytest.mark.parametrize("name", ["sleep", "my prog", "a) S 9 (b", ")", "(sd-pam)"])
def test_stat_line_is_read_whatever_the_name(name: str) -> None:
    found = proc.parse_stat(f"42 ({name}) {TAIL}")
    assert (found.pid, found.name, found.state, found.parent, found.session, found.start_ticks) == (
        42, name, "S", 1, 77, 4711,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("state", "threads", "dead"), [("S", 1, False), ("Z", 1, True), ("Z", 2, False), ("X", 0, True)]
)
def test_process_is_dead_when_its_last_thread_is(state: str, threads: int, dead: bool) -> None:
    line = f"42 (x) {TAIL}".replace(" S ", f" {state} ").replace(" 20 0 1 ", f" 20 0 {threads} ")
    assert proc.parse_stat(line).is_dead is dead


@given(st.text(max_size=15))
def test_no_name_changes_what_is_read_after_it(name: str) -> None:
    assert proc.parse_stat(f"42 ({name}) {TAIL}").start_ticks == 4711


def test_this_process_is_found_with_its_environment() -> None:
    own = proc.process(os.getpid())
    assert own is not None
    assert own in list(proc.processes()) or proc.process(own.pid) is not None
    assert not own.is_dead
    assert own.parent == os.getppid()
    assert "PATH" in proc.environment(own.pid)
    assert "PATH" in proc.environment(own.pid, containing="PATH")
    assert proc.environment(own.pid, containing="NO_SUCH_NAME_IN_IT") == {}
    assert 0 <= proc.age_seconds(own) < 86_400 * 365


def test_pid_that_nobody_has_gives_nothing() -> None:
    assert proc.process(2**22 + 1) is None
    assert proc.environment(2**22 + 1) == {}


def test_boot_id_stays_the_same() -> None:
    assert proc.boot_id() == proc.boot_id() != ""
