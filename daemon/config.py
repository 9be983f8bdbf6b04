"""The config file as a whole: every package's section under one roof, and all mistakes at once."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, cast

from pydantic import AfterValidator, BeforeValidator, Field, create_model
from pydantic.fields import FieldInfo

from actions.config import ActionsConfig
from alerting.config import AlertingConfig
from alerting.notify.global_config import NotificationDefaults
from alerting.rule import GroupDefaults
from collectors.collector import ENTRY_POINT_GROUP, CollectorPlugin
from collectors.push.config import PushConfig
from collectors.remote_write.config import RemoteWriteReceiverConfig
from collectors.size import ByteSize
from core.config import Duration, NotUsed, Section, SparseSection, unused, validate
from core.errors import ConfigError, Problem, UserError
from core.plugin import load_plugin, plugin_names
from core.text import Text
from core.yaml_file import Document, parse_yaml, read_yaml
from daemon.alertmanager_file import include
from daemon.query_config import QueryConfig
from daemon.state_directory import default_state_directory
from exporters.remote_write.config import RemoteWriteConfig, doubled_names
from metrics.relabel import LABEL_NAME
from metrics.store_limits import StoreLimits
from security.listen import check_listen, parse_listen

DEFAULT_LISTEN = "127.0.0.1:8797"
_DAY = 86_400.0


_ENVIRONMENT = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))", re.ASCII)


def _expand(labels: dict[str, str]) -> dict[str, str]:
    """Put values of environment variables into labels as Prometheus 3 does; a variable that is not set is empty."""

    def value(match: re.Match[str]) -> str:
        return match[1] or os.environ.get(match[2] or match[3], "")

    for name in labels:
        if not LABEL_NAME.fullmatch(name) or name == "__name__":
            raise ValueError(f"{name!r} is no label name; use letters, digits and _, and no digit first")
    return {name: _ENVIRONMENT.sub(value, text) for name, text in labels.items()}


def _refusal(why: str) -> BeforeValidator:
    def refuse(value: object) -> object:
        if value is not None and value is not False:
            raise ValueError(why)
        return None

    return BeforeValidator(refuse)


PerJob = Annotated[None, _refusal("is not supported for all jobs at once; set it in each job of scrape_configs")]
Refused = Annotated[None, _refusal("is not supported; remove it, or keep a Prometheus for what needs it")]
InOneFile = Annotated[None, _refusal("is not supported; write those jobs under scrape_configs of this file")]
ExternalLabels = Annotated[dict[str, Text], AfterValidator(_expand)]


class GlobalConfig(NotificationDefaults):
    """Defaults for every source, rule and receiver, as in Prometheus' and Alertmanager's `global`."""

    scrape_interval: Annotated[Duration, Field(gt=0, description="How often a source is read.", examples=["15s"])] = (
        15.0
    )
    scrape_timeout: Annotated[
        Duration | None,
        Field(description="How long one reading may take; at most the interval.", examples=["10s"]),
    ] = None
    evaluation_interval: Annotated[
        Duration,
        Field(gt=0, description="How often rules run that depend on time or absence.", examples=["15s"]),
    ] = 15.0
    rule_query_offset: Annotated[
        Duration, Field(ge=0, description="How far in the past rules look.", examples=["30s"])
    ] = 0.0
    external_labels: Annotated[
        ExternalLabels,
        Field(
            description="Put on alerts and samples on their way to others; ${NAME} is taken from the environment.",
            examples=[{"region": "north"}],
        ),
    ] = {}  # noqa: RUF012 - pydantic copies it
    query_log_file: Annotated[
        Any, NotUsed("is not used: queries are not logged; remove it"), Field(description="Has no effect here.")
    ] = None
    scrape_failure_log_file: Annotated[
        Any,
        NotUsed("is not used: failures are in the daemon's log; remove it"),
        Field(description="Has no effect here."),
    ] = None
    metric_name_validation_scheme: Annotated[
        Any, NotUsed("is not used: names may be any UTF-8; remove it"), Field(description="Has no effect here.")
    ] = None
    metric_name_escaping_scheme: Annotated[
        Any, NotUsed("is not used: names are never escaped; remove it"), Field(description="Has no effect here.")
    ] = None
    scrape_native_histograms: Annotated[
        Any, NotUsed("is not used: native histograms are not read; remove it"), Field(description="Has no effect here.")
    ] = None
    always_scrape_classic_histograms: Annotated[
        Any,
        NotUsed("is not used: classic histograms are always read; remove it"),
        Field(description="Has no effect here."),
    ] = None
    scrape_protocols: PerJob = None
    body_size_limit: PerJob = None
    sample_limit: PerJob = None
    label_limit: PerJob = None
    label_name_length_limit: PerJob = None
    label_value_length_limit: PerJob = None
    target_limit: PerJob = None
    keep_dropped_targets: PerJob = None
    convert_classic_histograms_to_nhcb: Refused = None
    extra_scrape_metrics: Refused = None


class _Unused(SparseSection):
    """Keys of Prometheus' config file that are accepted and named, because nothing is lost without them."""

    alerting: Annotated[
        Any,
        NotUsed("is not supported: alerts are told through 'receivers' and 'route' of this file, not to Alertmanagers"),
        Field(description="Has no effect here."),
    ] = None
    storage: Annotated[
        Any,
        NotUsed("is not used: 'store.retention' says how long samples are kept"),
        Field(description="Has no effect here."),
    ] = None
    tracing: Annotated[Any, NotUsed("is not used: no traces are sent"), Field(description="Has no effect here.")] = None
    otlp: Annotated[
        Any, NotUsed("is not used: samples are not taken by OTLP"), Field(description="Has no effect here.")
    ] = None
    runtime: Annotated[
        Any, NotUsed("is not used: there is no Go runtime to set"), Field(description="Has no effect here.")
    ] = None
    remote_read: Annotated[
        Any, NotUsed("is not used: queries read the daemon's own store"), Field(description="Has no effect here.")
    ] = None
    scrape_config_files: InOneFile = None


class WebConfig(Section):
    """The page, the API and /metrics."""

    listen: Annotated[
        str,
        Field(description="Address and port; another than loopback needs token_file.", examples=["127.0.0.1:8797"]),
    ] = DEFAULT_LISTEN
    token_file: Annotated[
        str | None,
        Field(description="File with the token that callers must send.", examples=["/etc/watchkeeper/token"]),
    ] = None
    external_url: Annotated[
        str | None,
        Field(description="How people reach the page; for links.", examples=["https://watch.example.org/"]),
    ] = None


class StateConfig(Section):
    """What must outlive the daemon."""

    directory: Annotated[
        Path | None,
        Field(description="Folder of the state database and artifacts.", examples=["/var/lib/watchkeeper"]),
    ] = None


class StoreConfig(Section):
    """The samples: how long they are kept on disk, and how many. docs/store.md tells what becomes of them."""

    retention: Annotated[
        Duration,
        Field(gt=0, description="How long samples are kept as they came, in steps of 2h.", examples=["15d"]),
    ] = 15 * _DAY
    history_5m: Annotated[
        Duration,
        Field(
            ge=0, description="How long what each five minutes came to is kept; 0s for not at all.", examples=["90d"]
        ),
    ] = 90 * _DAY
    history: Annotated[
        Duration,
        Field(ge=0, description="How long what each hour came to is kept; 0s for not at all.", examples=["1y"]),
    ] = 365 * _DAY
    max_size: Annotated[
        ByteSize | None,
        Field(
            gt=0,
            description="The most that all of it may take on disk; the oldest samples go first.",
            examples=["20GB"],
        ),
    ] = None
    max_memory: Annotated[
        ByteSize,
        Field(
            gt=0,
            description="What samples in memory may take before they go to disk earlier than usual, "
            "once they are ten minutes old; labels not counted.",
            examples=["1GB"],
        ),
    ] = ByteSize(1 << 30)
    max_series: Annotated[
        int, Field(gt=0, description="How many series may be there at a time; more are refused and counted.")
    ] = 2_000_000
    max_series_per_source: Annotated[
        int, Field(gt=0, description="How many series one source may have; more are refused and counted.")
    ] = 1_000_000

    @property
    def limits(self) -> StoreLimits:
        """The section as the store wants it."""
        return StoreLimits(
            retention_seconds=self.retention,
            five_minute_seconds=self.history_5m,
            hour_seconds=self.history,
            max_bytes=self.max_size,
            memory_bytes=self.max_memory,
            max_series=self.max_series,
            max_source_series=self.max_series_per_source,
        )


class LogConfig(Section):
    """The daemon's own log."""

    level: Annotated[Literal["debug", "info", "warning", "error"], Field(description="What is logged.")] = "info"
    format: Annotated[Literal["text", "json"], Field(description="How a line looks.")] = "text"


class RootConfig(AlertingConfig, ActionsConfig, _Unused):
    """Everything but the collectors' sections, which come from the installed plugins."""

    global_: Annotated[GlobalConfig, Field(alias="global", description="Defaults.")] = GlobalConfig.defaults()
    web: Annotated[WebConfig, Field(description="The page, the API and /metrics.")] = WebConfig.defaults()
    state: Annotated[StateConfig, Field(description="What must outlive the daemon.")] = StateConfig.defaults()
    store: Annotated[StoreConfig, Field(description="The samples that are kept.")] = StoreConfig.defaults()
    remote_write_receiver: Annotated[
        RemoteWriteReceiverConfig, Field(description="What others may send to /api/v1/write.")
    ] = RemoteWriteReceiverConfig.defaults()
    remote_write: list[RemoteWriteConfig] = Field(default_factory=list, description="Where all samples are sent on to.")
    query: Annotated[QueryConfig, Field(description="Who evaluates rules and queries.")] = QueryConfig.defaults()
    push: Annotated[PushConfig, Field(description="What short jobs may push.")] = PushConfig.defaults()
    log: Annotated[LogConfig, Field(description="The daemon's own log.")] = LogConfig.defaults()


@dataclass(frozen=True, slots=True)
class LoadedConfig:
    """A valid configuration and where it came from.

    Attributes:
        document: the file as it was read, for the places of mistakes that show later.
        file: None for the built-in defaults.
        plugins: the collector plugins by name that have something to collect.
        notes: keys of the file that have no effect, each with its place.
    """

    root: RootConfig
    document: Document
    file: Path | None
    plugins: Mapping[str, CollectorPlugin]
    notes: tuple[Problem, ...] = ()

    @property
    def base(self) -> Path:
        """The folder that relative paths start from."""
        return self.file.parent if self.file else Path.cwd()

    @property
    def group_defaults(self) -> GroupDefaults:
        """What counts for groups of rules that do not say it themselves."""
        return GroupDefaults(self.root.global_.evaluation_interval, self.root.global_.rule_query_offset)

    @property
    def state_directory(self) -> Path:
        """Where state is kept."""
        return self.root.state.directory or default_state_directory()

    def section(self, plugin: CollectorPlugin) -> Any:
        """Return the validated section of a collector plugin."""
        return getattr(self.root, plugin.config_key, plugin.config_default)


@cache
def collector_plugins() -> dict[str, CollectorPlugin]:
    """Return an instance of every installed collector plugin, by name."""
    return {
        name: cast("type[CollectorPlugin]", load_plugin(ENTRY_POINT_GROUP, name))()
        for name in plugin_names(ENTRY_POINT_GROUP)
    }


def config_model() -> type[RootConfig]:
    """Return the model of a whole config file, with the sections of all installed plugins."""
    return _model(None)


@lru_cache(maxsize=4)
def _model(keys: frozenset[str] | None) -> type[RootConfig]:
    """Return the model of files with these keys; None for all there are.

    A section without a key in the file is its default and nothing is validated of it: to build all validators takes
    90 ms and 5 MiB, and most files have few of the sections.
    """
    fields: dict[str, Any] = {}
    if keys is not None:
        absent = {name: field for name, field in RootConfig.model_fields.items() if not {name, field.alias} & keys}
        fields = {name: (Any, _unvalidated(field)) for name, field in absent.items()}
    for plugin in collector_plugins().values():
        if keys is None or plugin.config_key in keys:
            fields[plugin.config_key] = (plugin.config_type, plugin.config_default)
    return create_model("ConfigFile", __base__=RootConfig, __doc__=RootConfig.__doc__, **fields)


def _unvalidated(field: FieldInfo) -> Any:
    if field.default_factory is not None:
        return Field(default_factory=field.default_factory, alias=field.alias)
    return Field(default=field.default, alias=field.alias)


def _model_for(keys: Collection[object]) -> type[RootConfig]:
    """Return a model that finds the same in a file with these keys as the whole model does."""
    known = set(RootConfig.model_fields)
    known |= {field.alias for field in RootConfig.model_fields.values() if field.alias}
    known |= {plugin.config_key for plugin in collector_plugins().values()}
    present = frozenset(key for key in keys if isinstance(key, str))
    if len(present) < len(keys) or not present <= known:
        return config_model()  # its mistakes name all keys there are
    return _model(present)


def _used(keys: Collection[object]) -> dict[str, CollectorPlugin]:
    """Return the plugins that have something to collect where a file has these keys."""
    installed = collector_plugins()
    return {name: one for name, one in installed.items() if one.config_key in keys or one.config_default != []}


def load(file: Path | None) -> LoadedConfig:
    """Read and validate a config file, or give the built-in defaults for None.

    Raises: ConfigError: every mistake, with its place.
    """
    document, included = _read(file)
    try:
        root = validate(document, _model_for(document.data.keys()))
    except ConfigError as error:
        raise ConfigError([*included, *error.problems]) from None
    if included:
        raise ConfigError(included)
    notes = tuple(unused(document, root))
    loaded = LoadedConfig(root, document, file.absolute() if file else None, _used(document.data.keys()), notes)
    problems = list(_cross_check(loaded))
    if problems:
        raise ConfigError(problems)
    return loaded


def read_document(file: Path | None) -> Document:
    """Read a config file, with what it takes from an Alertmanager's, without validating it.

    Raises: ConfigError: it cannot be read, or is no mapping; the place is named.
    """
    document, problems = _read(file)
    if problems:
        raise ConfigError(problems)
    return document


def _read(file: Path | None) -> tuple[Document, list[Problem]]:
    document = read_yaml(file) if file else parse_yaml("", "built-in defaults")
    if not isinstance(document.data, dict):
        message = "must be a mapping of sections, such as 'scrape_configs:'"
        raise ConfigError([Problem(document.file, 1, 1, "", message)])
    return document, include(document)


def _cross_check(loaded: LoadedConfig) -> list[Problem]:
    """Return the mistakes that show only between sections."""
    problems = []
    root = loaded.root
    try:
        check_listen(parse_listen(root.web.listen), token_configured=root.web.token_file is not None)
    except UserError as error:
        problems.append(loaded.document.problem(("web", "listen"), str(error).removeprefix("web.listen: ")))
    for index in doubled_names(root.remote_write):
        message = f"{root.remote_write[index].key!r} is the name of an earlier receiver too; give each its own name"
        problems.append(loaded.document.problem(("remote_write", index, "name"), message))
    timeout, interval = root.global_.scrape_timeout, root.global_.scrape_interval
    if timeout is not None and timeout > interval:
        path = ("global", "scrape_timeout")
        problems.append(loaded.document.problem(path, "is longer than scrape_interval; make it shorter"))
    return problems
