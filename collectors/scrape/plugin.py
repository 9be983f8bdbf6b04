"""Makes a collector of each target in `scrape_configs`."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from yarl import URL

from collectors.collector import Collector
from collectors.config_problem import build_each, config_error
from collectors.context import CollectorContext
from collectors.http.credentials import Credentials
from collectors.http.session import SharedSession
from collectors.http.tls import file_states, is_default, make_context
from collectors.scrape.collector import ScrapeClient, ScrapeCollector
from collectors.scrape.config import ScrapeConfig, ScrapeConfigs
from core.yaml_file import Path_

_PORTS = {"http": 80, "https": 443}


class ScrapePlugin:
    """Reads `scrape_configs`."""

    config_key: ClassVar[str] = "scrape_configs"
    config_type: ClassVar[Any] = ScrapeConfigs
    config_default: ClassVar[Any] = []

    def build(self, config: Sequence[ScrapeConfig], context: CollectorContext) -> Sequence[Collector]:
        """Make the collectors; those of one build share their connections."""
        session = SharedSession()
        return build_each(self.config_key, config, lambda job, path: _job(job, context, session, path))


def _job(
    config: ScrapeConfig, context: CollectorContext, session: SharedSession, path: Path_
) -> Iterator[ScrapeCollector]:
    interval = config.scrape_interval or context.interval_seconds
    timeout = config.scrape_timeout or min(context.timeout_seconds, interval)
    if timeout > interval:
        message = f"{timeout:g} s is longer than the interval of {interval:g} s; shorten it, or set scrape_interval"
        raise config_error((*path, "scrape_timeout"), message)
    credentials = Credentials(config, context.base)
    credentials.check(path)
    tls: ssl.SSLContext | bool = True
    if not is_default(config.tls_config):
        tls = make_context(config.tls_config, context.base, (*path, "tls_config"), ssl.SSLContext)
    client = ScrapeClient(config, session, credentials, tls)
    # The targets are told by source and labels; all else of the job counts for each of them.
    shared = (config.model_copy(update={"static_configs": []}), interval, timeout, context.base)
    for source, address, labels in _targets(config):
        yield ScrapeCollector(
            source,
            _url(config, address),
            client,
            interval_seconds=interval,
            timeout_seconds=timeout,
            target_labels=labels,
            signature=(*shared, labels, file_states(config.tls_config, context.base)),
        )


def _targets(config: ScrapeConfig) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield source, address and labels of each target; one that is named twice with equal labels is one target."""
    seen: dict[str, list[dict[str, str]]] = {}
    for group in config.static_configs:
        for target in group.targets:
            address = _with_port(target, config.scheme)
            labels = {"job": config.job_name, "instance": address, **group.labels}
            same_address = seen.setdefault(address, [])
            if labels not in same_address:
                same_address.append(labels)
                count = len(same_address)
                yield f"scrape/{config.job_name}/{address}" + (f"#{count}" if count > 1 else ""), address, labels


def _with_port(address: str, scheme: str) -> str:
    has_port = address.rpartition("]")[2].count(":") == 1
    return address if has_port else f"{address}:{_PORTS[scheme]}"


def _url(config: ScrapeConfig, address: str) -> URL:
    url = URL(f"{config.scheme}://{address}{config.metrics_path}")
    return url.with_query([(name, value) for name, values in config.params.items() for value in values])
