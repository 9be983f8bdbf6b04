"""Errors, exit codes and speed of the command as a whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from daemon.cli.client import Client
from tests.daemon.cli.conftest import Cli
from tests.daemon.cli.documents import alert
from tests.daemon.cli.fake_daemon import FakeDaemon

COMMANDS = (
    "run", "check", "status", "query", "alerts", "incidents", "targets", "deploy", "rollback", "operations", "logbook",
    "demo", "doctor", "healthcheck", "version",
)  # fmt: skip


def test_help_names_every_command(run: Cli) -> None:
    ran = run("--help")
    assert ran.code == 0
    for command in COMMANDS:
        assert f"\n  {command} " in ran.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_of_its_own(run: Cli, command: str) -> None:
    ran = run(command, "--help")
    assert ran.code == 0
    assert f"watchkeeper {command}" in ran.out


def test_no_arguments_show_the_help(run: Cli) -> None:
    assert run().out == run("--help").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("depoy",), "No such command 'depoy'"),
        (("deploy", "shop"), "Missing argument 'ENVIRONMENT'; see 'watchkeeper deploy --help'"),
        (("status", "--colour"), "No such option"),
        (("operations", "--limit", "many"), "Invalid value for '--limit' / '-n'"),
        (("operations", "--watch"), "--watch and --cancel need an operation"),
        (("query", "up", "--step", "5s"), "--step needs a range"),
        (("query", "up", "--range", "1 hour"), "--range: '1 hour' is no duration"),
        (("query", "up", "--range", "30d", "--step", "1s"), "more than 11000 values; make it at least 3m56s"),
        (("query", "up", "--time", "yesterday"), "--time: 'yesterday' is no time"),
        (("status", "--url", "ftp://host"), "'ftp://host' is no address of a daemon"),
        (("status", "--url", "http://host:port"), "'http://host:port' is no address of a daemon"),
        (("status", "--token-file", "/does/not/exist"), "/does/not/exist: the token cannot be read: No such file"),
        (("logbook", "verify", "--state", "/does/not/exist"), "/does/not/exist is no directory"),
    ],
)
def test_a_wrong_command_is_one_line_and_exit_code_2(run: Cli, arguments: tuple[str, ...], message: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("watchkeeper: ")
    assert message in ran.err
    assert ran.err.count("\n") == 1


def test_no_daemon_is_one_line_with_the_remedy(run: Cli, free_port: int) -> None:
    ran = run("status", "--url", f"http://127.0.0.1:{free_port}")
    assert ran.code == 2
    remedy = "start it with 'watchkeeper run', or give its address with --url"
    assert ran.err == f"watchkeeper: no daemon listens at http://127.0.0.1:{free_port}; {remedy}\n"


def test_an_answer_of_something_else_is_explained(cli: Cli, fake: FakeDaemon) -> None:
    fake.on("overview", b"<html>It works!</html>")
    ran = cli("status")
    assert ran.code == 2
    assert "answered 200 without a JSON document; check that the address is that of a Watchkeeper daemon" in ran.err


@pytest.mark.parametrize(("status", "code"), [(400, 2), (401, 2), (403, 2), (404, 2), (409, 1), (503, 1)])
def test_a_refusal_of_the_daemon_becomes_one_line(cli: Cli, fake: FakeDaemon, status: int, code: int) -> None:
    fake.on("alerts", {"error": {"message": "no such\nservice 'shp'", "remedy": "known: shop"}}, status=status)
    ran = cli("alerts")
    assert (ran.code, ran.err) == (code, "watchkeeper: no such service 'shp'; known: shop\n")


def test_the_token_is_sent(cli: Cli, fake: FakeDaemon, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("s3cret\n")
    fake.on("alerts", [])
    assert cli("alerts", "--token-file", str(file)).code == 0
    assert fake.requests[0].headers["Authorization"] == "Bearer s3cret"


def test_an_empty_token_file_is_refused(cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.touch()
    assert "its first line is no token" in cli("alerts", "--token-file", str(file)).err


def test_ctrl_c_ends_silently(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "get", interrupt)
    ran = cli("alerts")
    assert (ran.code, ran.out, ran.err) == (130, "", "")


def test_a_bug_is_one_line_without_a_traceback(cli: Cli, fake: FakeDaemon, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.on("alerts", [{"no": "alert"}])
    ran = cli("alerts")
    assert ran.code == 1
    assert ran.err.startswith("watchkeeper: unexpected KeyError: 'state'; a bug: run it again with WATCHKEEPER_DEBUG=1")
    monkeypatch.setenv("WATCHKEEPER_DEBUG", "1")
    with pytest.raises(KeyError):
        cli("alerts")


def test_a_reader_that_goes_away_is_no_error(fake: FakeDaemon) -> None:
    fake.on("alerts", [alert()])
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "daemon", "alerts", "--url", fake.url]
        ran = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(writer)
    assert (ran.returncode, ran.stderr) == (141, "")


def test_names_that_the_terminal_cannot_show_do_not_fail(fake: FakeDaemon) -> None:
    fake.on("alerts", [alert(name="Überlauf ✓")])
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "daemon", "alerts", "--url", fake.url]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert "?berlauf ?" in ran.stdout


def test_help_needs_no_heavy_module() -> None:
    # Its time is printed only: how busy a machine is must not fail a test.
    heavy = ("aiohttp", "pydantic", "numpy", "sqlalchemy", "rich", "asyncio", "http.client", "psutil", "yaml")
    script = (
        "import sys; from daemon.cli.main import execute; code = execute(['--help']);"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    started = time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    print(f"watchkeeper --help: {time.perf_counter() - started:.3f} s")
    assert ran.stderr == "[]\n"
