"""A configuration made ready: everything that can be wrong with it shows here, before anything that runs is touched."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry

from actions.action import check_parameters
from alerting.load import load_rules
from collectors.collector import Collector
from collectors.context import CollectorContext
from collectors.discovery.discovery import DiscoveringPlugin, Discovery
from core.clock import Clock, SystemClock
from core.errors import ConfigError, Problem, UserError
from daemon.config import LoadedConfig, StoreConfig, load
from daemon.query_config import external_engine
from exporters.remote_write.sender import make_clients
from metrics.external_engine import ExternalEngine
from security.secret import read_secret_file

_STORE = tuple(("store", key) for key in StoreConfig.model_fields)
NEEDS_RESTART = (
    ("web", "listen"),
    ("web", "token_file"),
    ("state", "directory"),
    ("remote_write_receiver", "max_series"),
    *_STORE,
)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A configuration that can run, with the collectors that it asks for, and who evaluates instead of us, if any."""

    loaded: LoadedConfig
    collectors: tuple[Collector, ...]
    discoveries: tuple[Discovery, ...] = ()
    external_engine: ExternalEngine | None = None

    @property
    def settle_seconds(self) -> float:
        """How long after a start until every source was read once: the longest interval with its timeout."""
        sources: list[Collector | Discovery] = [*self.collectors, *self.discoveries]
        return max((source.interval_seconds + source.timeout_seconds for source in sources), default=30.0)


def prepare(loaded: LoadedConfig, *, clock: Clock, registry: CollectorRegistry, hostname: str) -> Prepared:
    """Build and check what a configuration asks for; reads files, so it is for a thread.

    Raises: ConfigError: every mistake that only shows in context: rule files, secret files, parameters of policies.
    """
    global_ = loaded.root.global_
    context = CollectorContext(
        clock=clock,
        interval_seconds=global_.scrape_interval,
        timeout_seconds=global_.scrape_timeout or min(10.0, global_.scrape_interval),
        base=loaded.base,
        registry=registry,
        hostname=hostname,
    )
    problems: list[Problem] = []
    collectors: list[Collector] = []
    discoveries: list[Discovery] = []
    for plugin in loaded.plugins.values():
        try:
            collectors += plugin.build(loaded.section(plugin), context)
            if isinstance(plugin, DiscoveringPlugin):
                discoveries += plugin.discover(loaded.section(plugin), context)
        except UserError as error:
            problems += _problems(loaded, (plugin.config_key,), error)
    try:
        load_rules(loaded.root, loaded.base, loaded.document, loaded.group_defaults, global_)
    except UserError as error:
        problems += _problems(loaded, (), error)
    for index, policy in enumerate(loaded.root.policies):
        try:
            check_parameters(policy.do.operation, policy.do.parameters, f"policy {policy.name!r}")
        except UserError as error:
            problems += _problems(loaded, ("policies", index, "do", "parameters"), error)
    token_file = loaded.root.web.token_file
    if token_file is not None:
        try:
            read_secret_file(loaded.base / token_file)
        except UserError as error:
            problems += _problems(loaded, ("web", "token_file"), error)
    engine = None
    try:
        engine = external_engine(loaded.root.query, loaded.base)
    except UserError as error:
        problems += _problems(loaded, (), error)
    try:
        make_clients(loaded.root.remote_write, loaded.base, clock)
    except UserError as error:
        problems += _problems(loaded, (), error)
    if problems:
        raise ConfigError(problems)
    return Prepared(loaded, tuple(collectors), tuple(discoveries), engine)


def _problems(loaded: LoadedConfig, path: tuple[str | int, ...], error: UserError) -> Iterable[Problem]:
    if not isinstance(error, ConfigError):
        return [loaded.document.problem(path, str(error))]
    return [problem if problem.line else _placed(loaded, problem) for problem in error.problems]


def _placed(loaded: LoadedConfig, problem: Problem) -> Problem:
    """Return a mistake with its place: a plugin knows the path of a value, only the daemon knows the file."""
    path = tuple(int(part) if part.isdecimal() else part for part in problem.path.split("."))
    return loaded.document.problem(path, problem.message)


def refuse_what_needs_a_restart(running: LoadedConfig, new: LoadedConfig) -> None:
    """Refuse a reload that changes what only a restart can change.

    Raises: ConfigError: naming each such key.
    """
    problems = []
    for path in NEEDS_RESTART:
        before, after = (getattr(getattr(loaded.root, path[0]), path[1]) for loaded in (running, new))
        if before != after:
            message = f"changed from {before} to {after}, which needs a restart; restart, or change it back"
            problems.append(new.document.problem(path, message))
    if problems:
        raise ConfigError(problems)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a config file found.

    Attributes:
        problems: mistakes; the file cannot be used while there are any.
        notes: keys that have no effect; the file can be used.
    """

    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()


def check(file: Path) -> list[Problem]:
    """Return every mistake that can be found in a config file without running it."""
    return list(judge(file).problems)


def judge(file: Path) -> Verdict:
    """Find every mistake that can be found in a config file without running it."""
    notes: tuple[Problem, ...] = ()
    try:
        loaded = load(file)
        notes = loaded.notes
        prepared = prepare(loaded, clock=SystemClock(), registry=CollectorRegistry(), hostname="localhost")
    except ConfigError as error:
        return Verdict(error.problems, notes)
    mistakes, missing = _target_files(prepared)
    return Verdict(tuple(mistakes), (*notes, *missing))


def _target_files(prepared: Prepared) -> tuple[list[Problem], list[Problem]]:
    """Return mistakes in files of targets, and the files that are not there (yet); a running daemon bears both."""
    from collectors.discovery.file_sd import FileProvider  # noqa: PLC0415 - only `check` looks into them

    mistakes: list[Problem] = []
    missing: list[Problem] = []
    document = prepared.loaded.document
    jobs = [job.get("job_name") for job in document.data.get("scrape_configs") or []]
    for discovery in prepared.discoveries:
        for provider in discovery.providers:
            if isinstance(provider, FileProvider):
                provider.look()
                path = ("scrape_configs", jobs.index(discovery.job), "file_sd_configs")
                mistakes += [document.problem(path, message) for message in provider.mistakes]
                missing += [document.problem(path, message) for message in provider.missing]
    return mistakes, missing
