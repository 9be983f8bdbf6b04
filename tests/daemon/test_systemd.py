import os
import socket
from pathlib import Path

import pytest

from daemon.systemd import Notifier


def _listen(path: str) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(path)
    channel.settimeout(5)
    return channel


def test_states_arrive_at_the_notify_socket(tmp_path: Path) -> None:
    with _listen(str(tmp_path / "notify")) as channel:
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        notifier.ready("watching 3 sources")
        assert channel.recv(1000) == b"READY=1\nSTATUS=watching 3 sources"
        notifier.reloading()
        assert channel.recv(1000).startswith(b"RELOADING=1\nMONOTONIC_USEC=")
        notifier.watchdog()
        assert channel.recv(1000) == b"WATCHDOG=1"
        notifier.stopping()
        assert channel.recv(1000) == b"STOPPING=1"


def test_abstract_socket_is_reached() -> None:
    name = f"watchkeeper-test-{os.getpid()}"
    with _listen("\0" + name) as channel:
        Notifier({"NOTIFY_SOCKET": "@" + name}).status("here")
        assert channel.recv(1000) == b"STATUS=here"


def test_without_a_service_manager_nothing_happens() -> None:
    Notifier({}).ready("nobody listens")


def test_missing_socket_is_a_warning_and_no_crash(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "gone")}).watchdog()
    assert "cannot notify the service manager" in caplog.text


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "often"}, None),
    ],
)
def test_watchdog_period_is_ours_only_if_it_names_us(environment: dict[str, str], seconds: float | None) -> None:
    assert Notifier(environment).watchdog_seconds == seconds
