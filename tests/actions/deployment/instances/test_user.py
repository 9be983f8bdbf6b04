from __future__ import annotations

import os
import pwd

import pytest

from actions.deployment.instances import user
from core.errors import UserError


def test_without_a_configured_user_nothing_is_switched() -> None:
    account = user.account(None)
    assert (account.uid, account.gid, account.groups) == (None, None, None)
    assert account.name


def test_naming_the_own_user_switches_nothing() -> None:
    own = pwd.getpwuid(os.geteuid()).pw_name
    assert user.account(own).uid is None


def test_unknown_user_is_refused_with_the_remedy() -> None:
    with pytest.raises(UserError, match="no user 'nobody-of-that-name' on this machine; create it"):
        user.account("nobody-of-that-name")


def test_switching_needs_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    with pytest.raises(UserError, match="may not start a process as 'root'; remove 'user', or run Watchkeeper as root"):
        user.account("root")


def test_root_switches_with_all_groups_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    entry = pwd.getpwnam("nobody")
    account = user.account("nobody")
    assert (account.uid, account.gid) == (entry.pw_uid, entry.pw_gid)
    assert account.groups is not None
    assert entry.pw_gid in account.groups
