"""One performance of the story, from an empty stage to an empty stage."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from daemon.cli.demo.narrator import Narrator
from daemon.cli.demo.processes import DaemonProcess, end_leftovers
from daemon.cli.demo.scene import Scene
from daemon.cli.demo.story import Evidence, Story
from daemon.cli.demo.traffic import Traffic
from daemon.cli.demo.verdict import Claim, judge


@dataclass(frozen=True, slots=True)
class Performance:
    """What was seen, and what is true of it."""

    evidence: Evidence
    claims: list[Claim]
    seconds: float


def perform(scene: Scene, narrator: Narrator, *, kill_daemon: bool) -> Performance:
    """Play the story and leave no process behind, whatever happens.

    Raises: CommandError: something did not happen in time.
    """
    began = time.monotonic()
    daemon, traffic = DaemonProcess(scene), Traffic(scene.router_port)
    stopped_in_order = False
    try:
        evidence = Story(scene, daemon, traffic, narrator).play(kill_daemon=kill_daemon)
    finally:
        with _undisturbed():
            # The daemon first: it would start again what it finds missing.
            traffic.stop()
            stopped_in_order = daemon.stop()
            ended = end_leftovers(scene.state)
    narrator.tell(f"all stopped: the daemon, and {ended} processes that outlive it by design")
    claims = judge(evidence, killed=kill_daemon, stopped_in_order=stopped_in_order)
    return Performance(evidence, claims, time.monotonic() - began)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let an impatient second Ctrl-C not leave processes behind; cleaning up takes seconds at most."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
