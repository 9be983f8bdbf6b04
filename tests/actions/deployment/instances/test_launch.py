from __future__ import annotations

from pathlib import Path

import pytest

from actions.deployment.instances import launch
from actions.deployment.instances.user import Account
from core.errors import PermanentError

ACCOUNT = Account("shop", "/home/shop")


def start(directory: Path, *argv: str, log: Path | None = None) -> int:
    return launch.launch(
        argv, working_directory=directory, environment={"PATH": "/usr/bin:/bin"}, account=ACCOUNT,
        log=log or directory / "log",
    )  # fmt: skip


def test_instances_see_no_secret_of_the_daemon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "s3cret")
    monkeypatch.setenv("NOTIFY_SOCKET", "/run/systemd/notify")
    monkeypatch.setenv("TZ", "UTC")
    seen = launch.environment(ACCOUNT, {"MODE": "fast", "HOME": "/other"})
    assert seen.keys() <= {"PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "HOME", "USER", "LOGNAME", "MODE",
                           "SSL_CERT_FILE", "SSL_CERT_DIR"}  # fmt: skip
    assert (seen["TZ"], seen["USER"], seen["MODE"], seen["HOME"]) == ("UTC", "shop", "fast", "/other")


def test_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"program 'no-such-program' was not found in PATH \(/usr/bin:/bin\)"):
        start(tmp_path, "no-such-program")
    with pytest.raises(PermanentError, match=r"/bin/serve does not exist; check the command and the artifact"):
        start(tmp_path, "./bin/serve")


def test_empty_command_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="command: is empty"):
        start(tmp_path)


def test_missing_working_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match=r"working directory .*/gone does not exist; create it"):
        start(tmp_path / "gone", "true")


def test_program_without_execute_permission_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "serve").write_text("#!/bin/sh\n")
    with pytest.raises(PermanentError, match=r"serve may not be executed by user shop.*chmod \+x"):
        start(tmp_path, "./serve")


def test_missing_interpreter_is_told_from_a_missing_program(tmp_path: Path) -> None:
    (tmp_path / "serve").write_text("#!/no/such/interpreter\n")
    (tmp_path / "serve").chmod(0o755)
    with pytest.raises(PermanentError, match="the interpreter that its first line names does not"):
        start(tmp_path, "./serve")


def test_script_without_a_first_line_is_explained(tmp_path: Path) -> None:
    (tmp_path / "serve").write_text("echo hello\n")
    (tmp_path / "serve").chmod(0o755)
    with pytest.raises(PermanentError, match="a script needs a first line such as #!/bin/sh"):
        start(tmp_path, "./serve")


def test_zero_byte_in_an_argument_is_an_error_and_not_a_crash(tmp_path: Path) -> None:
    with pytest.raises(PermanentError, match="null byte"):
        start(tmp_path, "true", "a\0b")


def test_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(PermanentError, match=r"log file .*/folder cannot be written"):
        start(tmp_path, "true", log=tmp_path / "folder")


def test_process_of_somebody_else_has_no_exit_code() -> None:
    assert launch.exit_code(1) is None
