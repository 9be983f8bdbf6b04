"""The daemon: its parts, wired, with one life from start to stop."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from actions.operations import Actions
from alerting.alerting import Alerting
from alerting.health import Health
from collectors.manager import CollectorManager
from collectors.push.door import PushDoor
from collectors.remote_write.receiver import Receiver
from core.clock import SystemClock
from core.db.database import Database, Trouble
from core.duration import format_duration
from core.errors import ConfigError, StoreUnavailableError, WatchkeeperError
from core.http.trust import read_trusted
from core.lifecycle import Lifecycle
from core.logbook import Logbook
from core.tasks import Tasks
from core.version import __version__
from daemon.api.server import WebServer
from daemon.api.state import ConfigStatus
from daemon.config import LoadedConfig, load
from daemon.intake import Intake
from daemon.log import set_up_logging
from daemon.migrations import MIGRATIONS
from daemon.preparation import Prepared, prepare, refuse_what_needs_a_restart
from daemon.state_directory import StateDirectory
from daemon.systemd import Notifier
from daemon.telemetry import Telemetry
from daemon.watchdog import Progress, Watchdog
from daemon.wiring import Wiring, own_reasons
from exporters.remote_write.log import reader_name
from exporters.remote_write.sender import RemoteWrite
from metrics.external_engine import ExternalEngine
from metrics.frame import Frame
from metrics.metadata import Metadata
from metrics.promql.engine import Engine
from metrics.store import Store

_log = logging.getLogger(__name__)

STOP_SECONDS = 9.0
"""The most that a stop may take: a service manager that waits ten seconds never has to kill us."""

RESTORE_SECONDS = 2.0
"""The most that becoming ready waits for what the last process wrote down of alerts."""

LAG_SECONDS = 1.0


class Daemon:
    """All parts of Watchkeeper for one configuration; implements daemon.api.state.DaemonView."""

    def __init__(self, loaded: LoadedConfig) -> None:
        self.version = __version__
        self.hostname = socket.gethostname()
        self.clock = SystemClock()
        self.started_at = self.clock.now()
        self.ready = False
        self.registry = CollectorRegistry()
        self.telemetry = Telemetry(self.registry, self.clock)
        self.config = config_status(loaded, self.started_at)
        self._loaded = loaded
        self._stop_requested = asyncio.Event()
        self._reloading = asyncio.Lock()
        self._failure: str | None = None
        self._stalled: str | None = None
        self._notifier = Notifier()
        self._add_process_metrics()

    def _add_process_metrics(self) -> None:
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def _build(self, prepared: Prepared) -> None:
        loaded, clock, registry = self._loaded, self.clock, self.registry
        directory = loaded.state_directory
        self.state = StateDirectory(directory)
        self.tasks = tasks = Tasks(clock, on_crash=self._task_crashed, on_fatal=self._task_was_vital)
        self.database = Database(
            directory / "state.db", MIGRATIONS, clock=clock, tasks=tasks, on_trouble=self.telemetry.database_trouble
        )
        self.logbook = Logbook(self.database, clock)
        self.metadata = Metadata()
        self.store = Store(
            directory / "metrics", clock, tasks, registry, limits=loaded.root.store.limits,
            readers=[reader_name(receiver.key) for receiver in loaded.root.remote_write],
        )  # fmt: skip
        self._own_engine = Engine(self.store)
        self.engine: Engine | ExternalEngine = self._own_engine
        self._wiring = Wiring(
            alerting=lambda: self.alerting, actions=lambda: self.actions, clock=clock, tasks=tasks,
            changed=self._changed,
        )  # fmt: skip
        self.alerting = Alerting(
            self.store, self.engine, self.database, self.logbook, clock, tasks, registry,
            self._wiring.on_alerting_event, external_url=loaded.root.web.external_url or "",
            settle_seconds=prepared.settle_seconds, link_key_file=directory / "incident-link.key",
            page_url=lambda: self.web.url,
        )  # fmt: skip
        self.actions = Actions(
            self.database, self.logbook, clock, tasks, registry, directory,
            self._wiring.on_actions_event, self._wiring.is_service_alerting, base=loaded.base,
        )  # fmt: skip
        self.collectors = CollectorManager(clock, tasks, registry, self._on_frame, self._on_end)
        self.remote_write = RemoteWrite(self.store, self.database, clock=clock, tasks=tasks, registry=registry)
        self._receiver = Receiver(loaded.root.remote_write_receiver, self.store.append, clock=clock, registry=registry)
        self.intake = Intake(self._receiver, arrived=self.alerting.on_frame)
        self.push = PushDoor(
            loaded.root.push, self.database, interval_seconds=loaded.root.global_.scrape_interval, clock=clock,
            tasks=tasks, registry=registry, on_frame=self._on_frame, on_end=self._on_end,
        )  # fmt: skip
        self.web = WebServer(self, loaded.root.web, base=loaded.base)
        self._lifecycle = Lifecycle(
            [
                self.database,
                self.store,
                self.remote_write,
                self.alerting,
                self.actions,
                self.collectors,
                self.push,
                self.web,
                self._watchdog(),
            ]
        )

    def _watchdog(self) -> Watchdog:
        parts = [
            Progress("collection", lambda: self.collectors.progress, self._allowed_seconds),
            Progress("evaluation", lambda: self.alerting.progress, self._allowed_seconds),
        ]
        return Watchdog(parts, self._notifier, clock=self.clock, tasks=self.tasks, on_stall=self._note_stall)

    def _allowed_seconds(self) -> float:
        """Three rounds, and never less than half a minute, for both collection and evaluation."""
        config = self._loaded.root.global_
        return max(30.0, 3 * max(config.scrape_interval, config.evaluation_interval))

    @property
    def database_trouble(self) -> Trouble | None:
        """Why the state database cannot be written now."""
        return self.database.trouble

    def health(self) -> Health:
        """Return the health of the whole system, the daemon's own troubles included."""
        return self.alerting.health(
            own_reasons(
                self.database.trouble,
                self.config.error,
                self._stalled,
                self.store.trouble,
                self.remote_write.troubles,
            )
        )

    def request_stop(self) -> None:
        """End `run` soon; safe to call from a signal handler, and more than once."""
        self._stop_requested.set()

    async def reload(self, *, actor: str) -> None:
        """Load the config file anew and let it run.

        Raises: ConfigError: the new file has mistakes; the old configuration keeps running, and says so.
        """
        async with self._reloading:
            self._notifier.reloading()
            try:
                await self._reload(actor)
            finally:
                self._notifier.ready(self._status_line())
                self.web.changed()

    async def _reload(self, actor: str) -> None:
        try:
            loaded = await asyncio.to_thread(load, self._loaded.file)
            refuse_what_needs_a_restart(self._loaded, loaded)
            prepared = await self._prepare(loaded)
        except ConfigError as error:
            self.config = replace(self.config, error=str(error))
            self.telemetry.config_loaded(good=False)
            _log.error("config refused, the old one keeps running:\n%s", error)
            await self._record("config.refused", "config", {"mistakes": str(error).splitlines()}, actor)
            raise
        await self._apply(prepared)
        await self._record("config.reloaded", "config", {"file": self.config.file}, actor)
        self.alerting.room.changes.look()

    async def _prepare(self, loaded: LoadedConfig) -> Prepared:
        make = partial(prepare, loaded, clock=self.clock, registry=self.registry, hostname=self.hostname)
        prepared = await asyncio.to_thread(make)
        if "https" in repr(loaded.document.data):
            await asyncio.to_thread(read_trusted)  # or the first connection would hold up everything for 50 ms
        return prepared

    async def _apply(self, prepared: Prepared) -> None:
        root, base = prepared.loaded.root, prepared.loaded.base
        if isinstance(self.engine, ExternalEngine):
            self.engine.close()
        self.engine = prepared.external_engine or self._own_engine
        self.alerting.use_engine(self.engine)
        await self.alerting.apply(
            root,
            base=base,
            document=prepared.loaded.document,
            defaults=prepared.loaded.group_defaults,
            external_labels=root.global_.external_labels,
            notification=root.global_,
        )
        await self.actions.apply(root)
        await self.remote_write.apply(root.remote_write, root.global_.external_labels, base)
        self.push.apply(root.push, root.global_.scrape_interval)
        self._receiver.config = root.remote_write_receiver
        self.collectors.apply([*prepared.collectors, *self.actions.collectors()], prepared.discoveries)
        await asyncio.to_thread(self.web.read_token)
        self._loaded = prepared.loaded
        self.config = config_status(prepared.loaded, self.clock.now())
        self.telemetry.config_loaded(good=True)
        for note in prepared.loaded.notes:
            _log.warning("%s", note)
        _log.info("config %s is running", self.config.file or "of built-in defaults")

    async def run(self) -> int:
        """Run until a stop is asked for, and return the exit status."""
        prepared = await self._prepare(self._loaded)
        self._build(prepared)
        self.state.open()
        try:
            await self._start(prepared)
            await self._stop_requested.wait()
        finally:
            await self._stop()
            self.state.close()
        if self._failure:
            _log.critical("stopped: %s", self._failure)
        return 1 if self._failure else 0

    async def _start(self, prepared: Prepared) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.request_stop)
        loop.add_signal_handler(signal.SIGHUP, self._reload_by_signal)
        await self._apply(prepared)
        await self._lifecycle.start()
        await self._remember()
        self.tasks.spawn(self._measure_lag, name="loop-lag")
        await self._record("daemon.started", "daemon", {"version": __version__, "config": self.config.file})
        if self.store.losses:
            await self._record("store.lost", "daemon", {"losses": [str(loss) for loss in self.store.losses]})
        self.ready = True
        self._notifier.ready(self._status_line())
        _log.info("ready: %s", self.web.url)
        _settle_memory()

    async def _remember(self) -> None:
        """Wait for the alerts and silences of the last process, so that who posts or asks once it is ready is answered.

        A broken database holds this up for a moment only: watching goes on without it.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(RESTORE_SECONDS):
                await self.alerting.until_restored()

    async def _stop(self) -> None:
        self.ready = False
        self._notifier.stopping()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await self._record("daemon.stopped", "daemon", {"failure": self._failure})
                await self._lifecycle.stop()
                await self.tasks.stop(2.0)
        except TimeoutError:
            _log.error("not everything stopped within %g s", STOP_SECONDS)

    def _status_line(self) -> str:
        return f"watching {len(self.collectors.targets())} sources; page at {self.web.url}"

    def _reload_by_signal(self) -> None:
        self.tasks.spawn(self._reload_and_log, name="reload")

    async def _reload_and_log(self) -> None:
        try:
            await self.reload(actor="signal")
        except ConfigError:
            _log.debug("the refusal was logged where it was decided")

    async def _record(self, kind: str, subject: str, data: dict[str, object], actor: str = "watchkeeper") -> None:
        """Write a logbook entry about the daemon itself, which must run even where that fails."""
        try:
            await self.logbook.append(kind, subject, data, actor=actor)
        except StoreUnavailableError as error:
            _log.warning("not in the logbook: %s (%s)", kind, error)

    def _changed(self) -> None:
        self.web.changed()

    def _on_frame(self, frame: Frame) -> None:
        self.store.append(frame)
        self.metadata.note(frame)
        self.alerting.on_frame(frame)

    def _on_end(self, source: str, timestamp_ms: int) -> None:
        self.store.end_source(source, timestamp_ms)
        self.metadata.end(source)
        self.alerting.on_end(source)

    async def _measure_lag(self) -> None:
        while True:
            due = self.clock.monotonic() + LAG_SECONDS
            await self.clock.sleep(LAG_SECONDS)
            self.telemetry.loop_lag(self.clock.monotonic() - due)

    def _note_stall(self, reason: str | None) -> None:
        if reason != self._stalled:
            _log.log(logging.ERROR if reason else logging.INFO, "watchdog: %s", reason or "progress again")
        self._stalled = reason
        self.telemetry.stalled(stalled=reason is not None)

    def _task_crashed(self, name: str, _error: BaseException) -> None:
        self.telemetry.task_crashed(name)

    def _task_was_vital(self, name: str, error: BaseException) -> None:
        self._failure = f"task {name}, which nothing works without, crashed: {error!r}"
        self.request_stop()


def config_status(loaded: LoadedConfig, at: float) -> ConfigStatus:
    """Return what there is to tell about a configuration that runs since `at`."""
    root = loaded.root
    flags = {
        "log.level": root.log.level,
        "log.format": root.log.format,
        "storage.tsdb.path": str(loaded.state_directory),
        "storage.tsdb.retention.time": format_duration(root.store.retention),
        "web.external-url": root.web.external_url or "",
        "web.listen-address": root.web.listen,
    }
    return ConfigStatus(
        str(loaded.file or ""),
        at,
        data=loaded.document.data,
        flags=flags,
        notes=[str(note) for note in loaded.notes],
        external_labels=root.global_.external_labels,
    )


def _settle_memory() -> None:
    """Drop what only the start needed; what is left stays for ever, and collections need not look at it again.

    The modules and the models of the config were frozen before: to look at them took longer than all of the start
    but the imports (110 ms, in the event loop) and freed 0.4 MiB.
    """
    gc.collect()
    gc.freeze()
    gc.enable()


def run(config: Path | None) -> int:
    """Run the daemon in the foreground and return its exit status; mistakes go to standard error, one a line."""
    try:
        refuse_foreign_package()
        loaded = load(config)
        gc.freeze()
        set_up_logging(level=loaded.root.log.level, form=loaded.root.log.format)
        return asyncio.run(_run(loaded))
    except WatchkeeperError as error:
        for line in str(error).splitlines():
            print(f"watchkeeper: {line}", file=sys.stderr)  # noqa: T201 - it is for the person at the terminal
        return 1


async def _run(loaded: LoadedConfig) -> int:
    return await Daemon(loaded).run()


def refuse_foreign_package() -> None:
    """Refuse to run beside `python-daemon`, whose module has our name.

    Raises: WatchkeeperError: it is installed in this environment.
    """
    try:
        distribution("python-daemon")
    except PackageNotFoundError:
        return
    remedy = "install Watchkeeper into an environment of its own"
    raise WatchkeeperError(f"the package python-daemon owns the module name 'daemon' too; {remedy}")
