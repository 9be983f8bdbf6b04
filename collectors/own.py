"""The daemon's own metrics, read into the store, so that rules about its health work like all others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from prometheus_client import CollectorRegistry

from collectors.collector import Collector, Readings
from collectors.context import CollectorContext
from collectors.readings import Batch, ReadingsBuilder
from core.config import Section
from metrics.frame import Family, MetricType

_TYPES = {kind.value: kind for kind in MetricType}


class OwnConfig(Section):
    """Nothing to configure: the daemon always watches itself."""


class OwnCollector:
    """Reads the registry; not exported, because /metrics shows the registry itself."""

    honor_labels = False
    exported = False

    def __init__(self, registry: CollectorRegistry, hostname: str, interval_seconds: float, timeout_seconds: float):
        self.source = "own"
        self.interval_seconds = interval_seconds
        self.timeout_seconds = timeout_seconds
        self.target_labels: Mapping[str, str] = {"job": "watchkeeper", "instance": hostname}
        self.signature: object = (self.source, hostname, interval_seconds, timeout_seconds, id(registry))
        self._registry = registry
        self._builder = ReadingsBuilder()
        self._families: dict[str, Family] = {}

    async def collect(self) -> Readings:
        """Read every metric of the registry."""
        batch = Batch()
        for metric in self._registry.collect():
            family = self._family(metric.name, metric.type, metric.documentation)
            for sample in metric.samples:
                # When a series began is told to scrapers; in the store it would only be a second, constant series.
                if not sample.name.endswith("_created"):
                    suffix = sample.name.removeprefix(family.name)
                    batch.add(family, sample.value, tuple(sample.labels.items()), suffix=suffix)
        return self._builder.build(batch)

    async def close(self) -> None:
        """Nothing is held open."""

    def _family(self, name: str, kind: str, documentation: str) -> Family:
        """Return the same object for the same metric; a counter's name ends in `_total`, as in the text format."""
        if kind == "counter":
            name += "_total"
        family = self._families.get(name)
        if family is None:
            family = Family(name, _TYPES.get(kind, MetricType.UNTYPED), documentation)
            self._families[name] = family
        return family


class OwnPlugin:
    """Makes the one collector of the daemon's own metrics."""

    config_key: ClassVar[str] = "own"
    config_type: ClassVar[Any] = OwnConfig
    config_default: ClassVar[Any] = OwnConfig.defaults()

    def build(self, config: OwnConfig, context: CollectorContext) -> Sequence[Collector]:
        """Make the collector."""
        interval, timeout = context.interval_seconds, context.timeout_seconds
        return [OwnCollector(context.registry, context.hostname, interval, timeout)]
