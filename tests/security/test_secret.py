"""Secrets from files and credentials."""

import logging
from pathlib import Path

import pytest

from core.errors import UserError
from security.secret import MAX_BYTES, read_credential, read_secret_file


def _file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "secret"
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "secret"),
    [
        (b"hunter2", "hunter2"),
        (b"hunter2\n", "hunter2"),
        (b"hunter2\r\n", "hunter2"),
        (b"two\n\n", "two\n"),
        (b" spaces stay ", " spaces stay "),
        ("schlüssel\n".encode(), "schlüssel"),
    ],
)
def test_one_line_break_at_the_end_is_no_part_of_the_secret(tmp_path: Path, content: bytes, secret: str) -> None:
    assert read_secret_file(_file(tmp_path, content)).get_secret_value() == secret


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"   \n", "is empty"),
        (b"\xff\xfe", "no UTF-8"),
        (b"x" * (MAX_BYTES + 1), "larger than 64 KiB"),
    ],
)
def test_an_unusable_secret_is_refused_with_its_place(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(UserError, match=reason) as caught:
        read_secret_file(_file(tmp_path, content), field="web.token_file")
    assert str(caught.value).startswith(f"web.token_file: {tmp_path}/secret")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="No such file or directory; check the path"):
        read_secret_file(tmp_path / "absent")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Is a directory"):
        read_secret_file(tmp_path)


def test_a_secret_never_prints_itself(tmp_path: Path) -> None:
    secret = read_secret_file(_file(tmp_path, b"hunter2"))
    assert "hunter2" not in f"{secret} {secret!r}"


def test_a_file_that_everybody_may_read_is_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read_secret_file(_file(tmp_path, b"hunter2", 0o644))
    assert "chmod 600" in caplog.text
    assert "hunter2" not in caplog.text


def test_a_private_file_is_not_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        read_secret_file(_file(tmp_path, b"hunter2", 0o640))
    assert caplog.text == ""


def test_a_credential_is_read_from_the_directory_that_systemd_names(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hunter2\n")
    (tmp_path / "token").chmod(0o400)
    secret = read_credential("token", environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert secret.get_secret_value() == "hunter2"


def test_a_credential_without_systemd_says_how_to_hand_it_over() -> None:
    with pytest.raises(UserError, match="add LoadCredential=token:"):
        read_credential("token", environment={})


@pytest.mark.parametrize("name", ["", ".", "..", "../etc/passwd", "a/b", "a\0b"])
def test_the_name_of_a_credential_never_leaves_its_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match="no name of a credential"):
        read_credential(name, environment={"CREDENTIALS_DIRECTORY": str(tmp_path)})
