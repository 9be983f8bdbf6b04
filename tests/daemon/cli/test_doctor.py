"""What the doctor finds."""

from __future__ import annotations

import io
import socket
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from daemon.cli.doctor import checks
from daemon.cli.doctor.command import print_findings
from daemon.cli.doctor.finding import Finding
from daemon.cli.output import Output
from tests.daemon.cli.fake_daemon import FakeDaemon


def test_an_old_python_fails() -> None:
    assert checks.python_version((3, 10, 4)).level == "fail"
    assert checks.python_version().level == "ok"


def test_a_foreign_daemon_package_fails_with_both_remedies() -> None:
    finding = checks.foreign_daemon(lambda name: name)
    assert finding.level == "fail"
    assert "pip uninstall python-daemon" in finding.remedy
    assert "venv" in finding.remedy


def test_an_environment_of_its_own_is_ok() -> None:
    def missing(name: str) -> object:
        raise PackageNotFoundError(name)

    assert checks.foreign_daemon(missing).level == "ok"


def test_a_state_directory_that_can_be_made_is_ok(tmp_path: Path) -> None:
    finding = checks.state_directory(tmp_path / "a/b", least_free_bytes=0)
    assert finding.level == "ok"
    assert "can be made" in finding.message
    assert not (tmp_path / "a").exists()


def test_a_state_directory_that_is_a_file_fails(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert checks.state_directory(tmp_path / "file").level == "fail"
    assert checks.state_directory(tmp_path / "file" / "below").level == "fail"


def test_a_full_disk_is_a_warning(tmp_path: Path) -> None:
    assert checks.state_directory(tmp_path, least_free_bytes=2**70).level == "warn"


def test_a_free_address_is_ok(free_port: int) -> None:
    assert "is free" in checks.address(f"127.0.0.1:{free_port}").message


def test_our_daemon_at_the_address_is_ok(fake: FakeDaemon) -> None:
    fake.on("/-/healthy", {"status": "healthy", "reasons": []})
    finding = checks.address(fake.url.removeprefix("http://"))
    assert (finding.level, "a Watchkeeper daemon answers" in finding.message) == ("ok", True)


def test_something_else_at_the_address_fails() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        finding = checks.address(f"127.0.0.1:{port}", timeout_seconds=0.05)
    assert finding.level == "fail"
    assert f"sport = :{port}" in finding.remedy


@pytest.mark.parametrize(("state", "level"), [(0, "ok"), (5, "warn"), (None, "ok")])
def test_the_kernel_says_whether_the_clock_is_right(state: int | None, level: str) -> None:
    if state is not None:
        assert checks.clock_synchronised(state).level == level
    assert checks.clock_synchronised().level in ("ok", "warn")


def test_few_open_files_are_a_warning() -> None:
    assert checks.open_files(256).level == "warn"
    assert checks.open_files(65536).level == "ok"
    assert checks.open_files(-1).level == "ok"


def test_a_missing_optional_program_is_no_problem() -> None:
    findings = checks.optional_programs(lambda _name: None)
    assert {finding.level for finding in findings} == {"ok"}
    assert all("not installed; only needed" in finding.message for finding in findings)


def test_findings_are_one_line_each() -> None:
    stream = io.StringIO()
    findings = [Finding("ok", "python", "3.11"), Finding("fail", "address", "in use", "stop it")]
    print_findings(Output(stream), findings)
    assert stream.getvalue() == (
        "ok    python    3.11\nfail  address   in use; stop it\n\n2 checks: 1 failed, 0 warnings\n"
    )
