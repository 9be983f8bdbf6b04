import os
from pathlib import Path

import pytest

from core.errors import UserError
from daemon.state_directory import StateDirectory, default_state_directory


def test_second_daemon_is_kept_out_by_name(tmp_path: Path) -> None:
    first = StateDirectory(tmp_path / "state")
    first.open()
    with pytest.raises(UserError, match=f"in use by the daemon with pid {os.getpid()}; stop it"):
        StateDirectory(tmp_path / "state").open()
    first.close()
    second = StateDirectory(tmp_path / "state")
    second.open()
    second.close()


def test_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"state directory .*: Not a directory; set state\.directory"):
        StateDirectory(tmp_path / "file" / "state").open()


def test_default_follows_systemd_then_xdg() -> None:
    assert default_state_directory({"STATE_DIRECTORY": "/var/lib/watchkeeper"}) == Path("/var/lib/watchkeeper")
    assert default_state_directory({"XDG_STATE_HOME": "/x"}) == Path("/x/watchkeeper")
