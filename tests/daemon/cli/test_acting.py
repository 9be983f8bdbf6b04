"""Commands that change something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from daemon.cli import follow
from daemon.cli.client import Client
from daemon.cli.failure import UnreachableError
from tests.daemon.cli.conftest import Cli
from tests.daemon.cli.documents import operation, step
from tests.daemon.cli.fake_daemon import FakeDaemon


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "POLL_SECONDS", 0.0)


def running(*steps: dict[str, Any]) -> dict[str, Any]:
    return operation(state="running", ended_at=None, steps=list(steps))


def test_deploy_asks_and_shows_each_step_once(cli: Cli, fake: FakeDaemon, tmp_path: Path) -> None:
    fake.on("operations", running(), status=202, method="POST")
    fetched = step("fetch artifact")
    fake.on(
        "operations/01J",
        running(step("fetch artifact", "running")),
        running(fetched, step("start instances", "running")),
        running(fetched, step("start instances", "running")),
        operation(),
    )
    ran = cli("deploy", "shop", "production", "--artifact", str(tmp_path), "--version", "1.4.2", "--reason", "release")
    assert ran.code == 0
    assert fake.requests[0].body == {
        "kind": "deploy", "service": "shop", "environment": "production", "reason": "release",
        "parameters": {"artifact": str(tmp_path), "version": "1.4.2"},
    }  # fmt: skip
    told = [line.split(maxsplit=1)[1] for line in ran.out.splitlines()]
    assert told == [
        "… fetch artifact",
        "✓ fetch artifact  (1s)",
        "… start instances",
        "✓ start instances  2 started  (1s)",
        "of shop/production: succeeded in 2s  (operation 01J)",
    ]


def test_a_relative_artifact_is_made_absolute(cli: Cli, fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch,
                                              tmp_path: Path) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    fake.on("operations", running(), status=202, method="POST")
    assert cli("deploy", "shop", "production", "--artifact", "build/shop", "--force", "--no-wait").code == 0
    assert fake.requests[0].body["parameters"] == {"artifact": str(tmp_path / "build/shop"), "force": True}


def test_no_wait_returns_at_once(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("operations", running(), status=202, method="POST")
    ran = cli("deploy", "shop", "production", "--artifact", "/a", "--no-wait")
    assert (ran.code, ran.out) == (0, "deploy of shop/production: running  (operation 01J)\n")
    assert len(fake.requests) == 1


@pytest.mark.parametrize(("state", "code"), [("succeeded", 0), ("failed", 1), ("cancelled", 1)])
def test_the_result_is_the_exit_code(cli: Cli, fake: FakeDaemon, state: str, code: int) -> None:
    fake.on("operations", running(), status=202, method="POST")
    fake.on("operations/01J", operation(state=state, kind="rollback", error=None))
    assert cli("rollback", "shop", "production").code == code
    assert fake.requests[0].body["parameters"] == {}


@pytest.mark.parametrize(
    ("to", "parameters"),
    [("1.4.1", {"version": "1.4.1"}), ("3", {"revision": 3}), ("r3", {"revision": 3}), ("rc1", {"version": "rc1"})],
)
def test_rollback_goes_to_a_given_revision(cli: Cli, fake: FakeDaemon, to: str, parameters: dict[str, Any]) -> None:
    fake.on("operations", operation(), status=202, method="POST")
    fake.on("operations/01J", operation())
    ran = cli("rollback", "shop", "production", "--to", to, "--json")
    assert json.loads(ran.out) == operation()
    assert fake.requests[0].body["parameters"] == parameters


def test_an_unknown_service_is_one_line_with_the_known_ones(cli: Cli, fake: FakeDaemon) -> None:
    error = {"error": {"message": "no service 'shp' in 'production'", "remedy": "known: shop/production"}}
    fake.on("operations", error, status=404, method="POST")
    ran = cli("deploy", "shp", "production", "--artifact", "/a")
    assert ran.code == 2
    assert ran.err == "watchkeeper: no service 'shp' in 'production'; known: shop/production\n"


def test_an_operation_is_cancelled(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("operations/01J/cancel", running(), method="POST")
    fake.on("operations/01J", running(), operation(state="cancelled"))
    ran = cli("operations", "01J", "--cancel", "--watch")
    assert ran.code == 1
    assert fake.requests[0].path.endswith("operations/01J/cancel")
    assert "cancelled" in ran.out


class Flaky:
    """Answers, is away for a while, and answers again."""

    def __init__(self, *answers: dict[str, Any] | None) -> None:
        self._answers = list(answers)

    def get(self, path: str) -> dict[str, Any]:
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is None:
            raise UnreachableError("no daemon")
        return answer


def follow_with(client: Flaky) -> list[str]:
    seen: list[str] = []
    passed = iter(float(second) for second in range(1000))
    follow.follow(client, "01J", lambda operation: seen.append(operation["state"]),  # type: ignore[arg-type]
                  sleep=lambda _seconds: None, monotonic=lambda: next(passed))  # fmt: skip
    return seen


def test_a_daemon_that_restarts_is_waited_for() -> None:
    assert follow_with(Flaky(running(), None, None, operation())) == ["running", "succeeded"]


def test_a_daemon_that_stays_away_is_an_error() -> None:
    with pytest.raises(UnreachableError):
        follow_with(Flaky(running(), None))


def test_a_client_quotes_what_is_no_path() -> None:
    with pytest.raises(UnreachableError):
        Client("http://127.0.0.1:1").get("operations/../../-/reload?x= y")
