"""Starting a process that outlives the daemon, and noticing its end while the daemon is its parent; blocking.

Under systemd the daemon's unit needs `KillMode=process`: a session of its own does not take a process out of the
unit's control group, and with the default every instance would end with the daemon.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from actions.deployment.instances import log_file
from actions.deployment.instances.user import Account
from core.errors import PermanentError

_PASSED_ON = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

# Children belong to this operating system process, whichever object started them.
_children: dict[int, subprocess.Popen[bytes]] = {}


def environment(account: Account, added: Mapping[str, str]) -> dict[str, str]:
    """Return what a started process sees: a few of the daemon's own variables, the account's, and `added`.

    Nothing else of the daemon's environment is passed on: it holds its secrets.
    """
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    of_account = {"HOME": account.home, "USER": account.name, "LOGNAME": account.name}
    return {"PATH": _DEFAULT_PATH, **passed_on, **of_account, **added}


def launch(
    argv: Sequence[str],
    *,
    working_directory: Path,
    environment: Mapping[str, str],
    account: Account,
    log: Path,
) -> int:
    """Start a program in a session of its own, its output appended to `log`, and return its pid.

    Raises: PermanentError: it cannot be started; the message names what is wrong and the remedy.
    """
    program = _program(argv, working_directory, environment)
    try:
        output = log_file.open_for_append(log)
    except OSError as error:
        raise PermanentError(
            f"log file {log} cannot be written ({error.strerror}); make its directory writable"
        ) from None
    try:
        child = subprocess.Popen(  # noqa: S603 - argv comes from the config file of whoever owns the machine
            [program, *argv[1:]],
            cwd=working_directory,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            user=account.uid,
            group=account.gid,
            extra_groups=account.groups,
        )
    except OSError as error:
        raise PermanentError(_reason(error, program, working_directory, account)) from None
    except ValueError as error:  # a NUL byte in an argument or a variable
        raise PermanentError(f"{argv[0]}: cannot be started: {error}") from None
    finally:
        os.close(output)
    _children[child.pid] = child
    return child.pid


def exit_code(pid: int) -> int | None:
    """Return how a child of this process ended (negative: by that signal), and reap it.

    None while it runs, and for a process that somebody else started.
    """
    child = _children.get(pid)
    code = child.poll() if child is not None else None
    if code is not None:
        _children.pop(pid, None)
    return code


def _program(argv: Sequence[str], working_directory: Path, environment: Mapping[str, str]) -> str:
    if not argv:
        raise PermanentError("command: is empty; give the program and its arguments")
    if not working_directory.is_dir():
        raise PermanentError(f"working directory {working_directory} does not exist; create it or name another")
    if "/" in argv[0]:
        return argv[0]
    found = shutil.which(argv[0], path=environment.get("PATH", _DEFAULT_PATH))
    if found is None:
        raise PermanentError(
            f"program {argv[0]!r} was not found in PATH ({environment.get('PATH', '')});"
            " install it, or give its whole path"
        )
    return found


def _reason(error: OSError, program: str, working_directory: Path, account: Account) -> str:
    path = working_directory / program
    if error.errno == errno.ENOENT and not path.exists():
        return f"program {path} does not exist; check the command and the artifact"
    if error.errno == errno.ENOENT:
        return f"program {path} exists, but the interpreter that its first line names does not; install it"
    if error.errno == errno.EACCES:
        return (
            f"program {path} may not be executed by user {account.name}: {error.strerror};"
            " make it executable (chmod +x) and its directories accessible to that user"
        )
    if error.errno == errno.ENOEXEC:
        return f"program {path} is not executable on this machine; a script needs a first line such as #!/bin/sh"
    return f"program {path} cannot be started: {error.strerror or error}"
