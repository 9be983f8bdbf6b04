"""The contract of everything that brings samples in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

from collectors.context import CollectorContext
from core.errors import TransientError
from metrics.frame import Family, FloatArray, Layout, TimeArray

ENTRY_POINT_GROUP = "watchkeeper.collectors"


class CollectError(TransientError):
    """A source gave no usable answer; the message says why, in one line.

    `reason` says it in a word that many failures share, for counting: `connection`, `timeout`, `status`, `parse`,
    `limit`, `query`, `error`.
    """

    def __init__(self, message: str, *, reason: str = "error") -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What a source gave, before the target's labels are added.

    Attributes:
        layout: its series; the same object as last time while the series are the same.
        values: shape (len(layout),).
        timestamps_ms: shape (len(layout),), where samples brought their own times.
        problem: what is wrong with the thing that was measured, in one line, for people who look at the source: why
            a probe failed though it could be made; empty where all is well.
    """

    layout: Layout
    values: FloatArray
    families: Mapping[str, Family] = field(default_factory=dict)
    timestamps_ms: TimeArray | None = None
    problem: str = ""


class Collector(Protocol):
    """One source that is read again and again.

    Attributes:
        source: unique in the daemon, stable over restarts: `system`, `scrape/shop/127.0.0.1:9000`.
        target_labels: `job`, `instance` and what the config adds; put on every series in the store.
        exported: whether its series are measured by the daemon itself and so belong on its own /metrics, without the
            target labels `job` and `instance`; false for what was scraped from others.
        signature: a value that is equal for two collectors exactly when replacing one by the other on a reload
            would change nothing.

    A collector may have attributes more: `selection` (collectors.selection.Selection) says which of its series are
    kept and under which labels. Shown to people are `url`, where it asks, and `discovered`, its labels before target
    labels were made of them.
    """

    source: str
    interval_seconds: float
    timeout_seconds: float
    target_labels: Mapping[str, str]
    honor_labels: bool
    exported: bool
    signature: object

    async def collect(self) -> Readings:
        """Read the source once.

        The manager bounds the call by `timeout_seconds` and cancels it then.

        Raises: CollectError: with the reason; `up` becomes 0.
        """

    async def close(self) -> None:
        """Release connections; called once, when the source is removed or the daemon stops."""


class CollectorPlugin(Protocol):
    """A kind of collector: which config section it reads, and how collectors are made from it.

    Registered as an entry point of the group `watchkeeper.collectors`, whose name is that of the plugin.
    """

    config_key: ClassVar[str]
    """The top-level key of the config file that belongs to this plugin, such as `scrape_configs`."""

    config_default: ClassVar[Any]
    """The value when the key is absent, already validated.

    An empty list says that nothing is collected then: the plugin is not asked further, and best imports what it needs
    when it is.
    """

    @property
    def config_type(self) -> Any:
        """Validates the value under that key."""

    def build(self, config: Any, context: CollectorContext) -> Sequence[Collector]:
        """Make the collectors for a validated config value.

        Raises: ConfigError: something that only shows in context is wrong (an unreadable secret file).
        """
