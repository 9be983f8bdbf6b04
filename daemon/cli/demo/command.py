"""The command: sets the scene, plays the story, cleans up whatever happens, and says whether it was all true."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from daemon.cli.failure import OK, PROBLEMS, CommandError
from daemon.cli.options import Json
from daemon.cli.output import Output

if TYPE_CHECKING:
    from daemon.cli.demo.narrator import Narrator

Keep = Annotated[bool, typer.Option("--keep", help="Keep the folder with configuration, state and logs.")]
Port = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port of the page; default any free one.")]
KillDaemon = Annotated[
    bool, typer.Option("--kill-daemon", help="Kill the daemon (-9) in the middle of the rollback, and start it again.")
]


def demo(keep: Keep = False, port: Port = None, kill_daemon: KillDaemon = False, as_json: Json = False) -> int:
    """Show it all: a bad release is noticed and rolled back.

    Starts a daemon of its own with a sample shop behind its router, deploys a good release and then one that fails a
    third of the orders, and watches. Exit code 0 only when all of it really happened.
    """
    # Here, because the story's modules are of no use to other commands.
    import tempfile  # noqa: PLC0415

    from daemon.cli.demo.narrator import Narrator  # noqa: PLC0415
    from daemon.cli.demo.performance import perform  # noqa: PLC0415
    from daemon.cli.demo.report import document, tell_report  # noqa: PLC0415
    from daemon.cli.demo.scene import set_up  # noqa: PLC0415

    output = Output()
    narrator = Narrator(output, silent=as_json)
    folder = Path(tempfile.mkdtemp(prefix="watchkeeper-demo-"))
    truth = False
    try:
        with _termination_as_interrupt():
            performance = perform(set_up(folder, port), narrator, kill_daemon=kill_daemon)
        truth = all(claim.holds for claim in performance.claims)
        tell_report(narrator, performance)
        if as_json:
            output.document(document(performance))
    except CommandError as error:
        raise CommandError(str(error), _where(folder), exit_code=error.exit_code) from error
    except KeyboardInterrupt:
        truth = True  # nothing to look into
        raise
    finally:
        _clear(folder, narrator, keep=keep or not truth)
    return OK if truth else PROBLEMS


def _clear(folder: Path, narrator: Narrator, *, keep: bool) -> None:
    if keep and any(folder.iterdir()):
        narrator.line(f"kept: {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _where(folder: Path) -> str:
    return f"see {folder}/daemon.log" if (folder / "daemon.log").exists() else ""


@contextmanager
def _termination_as_interrupt() -> Iterator[None]:
    """Let SIGTERM end the demo as Ctrl-C does: cleaning up."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
