"""Switching to the system user that an instance runs as."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError


@dataclass(frozen=True, slots=True)
class Account:
    """Whom an instance runs as; `uid` is None where nothing is switched."""

    name: str
    home: str
    uid: int | None = None
    gid: int | None = None
    groups: tuple[int, ...] | None = None


def account(user: str | None) -> Account:
    """Return the account of a configured user; the daemon's own for None.

    Raises: UserError: there is no such user, or the daemon may not become it.
    """
    if user is None:
        return _own()
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise UserError(f"user: there is no user {user!r} on this machine; create it or name another") from None
    if entry.pw_uid == os.geteuid():
        return Account(user, entry.pw_dir)
    if os.geteuid() != 0:
        raise UserError(
            f"user: Watchkeeper runs as {_own().name} and may not start a process as {user!r};"
            " remove 'user', or run Watchkeeper as root"
        )
    groups = tuple(os.getgrouplist(user, entry.pw_gid))
    return Account(user, entry.pw_dir, entry.pw_uid, entry.pw_gid, groups)


def _own() -> Account:
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError:  # a container may run under a number that has no name
        return Account(str(os.geteuid()), str(Path("/")))
    return Account(entry.pw_name, entry.pw_dir)
