"""One job: what its targets share, and the collectors of the targets that it has now."""

from __future__ import annotations

import ssl
from collections.abc import Sequence

from collectors.collector import Collector
from collectors.config_problem import config_error
from collectors.context import CollectorContext
from collectors.discovery.discovery import Offer, Provider
from collectors.discovery.dns_sd import DnsProvider
from collectors.discovery.file_sd import FileProvider
from collectors.discovery.group import TargetGroup, group_of
from collectors.discovery.http_sd import HttpProvider
from collectors.http.credentials import Credentials
from collectors.http.session import SharedSession
from collectors.http.tls import file_states, is_default, make_context
from collectors.scrape.collector import ScrapeClient, ScrapeCollector
from collectors.scrape.config import ScrapeConfig, check_address
from collectors.scrape.target import Job, find_targets, sources_of
from collectors.selection import Selection
from core.yaml_file import Path_
from metrics.relabel_config import rules_of

_SHOWN_BY_TARGETS: dict[str, object] = {
    "static_configs": [],
    "file_sd_configs": [],
    "http_sd_configs": [],
    "dns_sd_configs": [],
    "relabel_configs": [],
}
"""Settings whose whole effect is which targets there are, and with which labels."""


class ScrapeJob:
    """Makes collectors of targets; a Discovery, whose providers are those of the config.

    Args:
        path: leads to the job in the config file.
    Raises: ConfigError: something that only shows in context is wrong.
    """

    def __init__(self, config: ScrapeConfig, context: CollectorContext, session: SharedSession, path: Path_) -> None:
        self.job = config.job_name
        self.interval_seconds = config.scrape_interval or context.interval_seconds
        self.timeout_seconds = config.scrape_timeout or min(context.timeout_seconds, self.interval_seconds)
        if self.timeout_seconds > self.interval_seconds:
            message = (
                f"{self.timeout_seconds:g} s is longer than the interval of {self.interval_seconds:g} s; "
                "shorten it, or set scrape_interval"
            )
            raise config_error((*path, "scrape_timeout"), message)
        if not config.relabel_configs:
            _check_addresses(config, path)
        self._config = config
        self._client = _client(config, context, session, path)
        self.providers: Sequence[Provider] = _providers(config, context, session, path)
        self._job = Job(
            config.job_name,
            self.interval_seconds,
            self.timeout_seconds,
            config.scheme,
            config.metrics_path,
            config.params,
            rules_of(config.relabel_configs),
        )
        files = file_states(config.tls_config, context.base)
        self._shared = (config.model_copy(update=_SHOWN_BY_TARGETS), context.base, files)
        signatures = tuple(provider.signature for provider in self.providers)
        self.signature: object = (config, self.interval_seconds, self.timeout_seconds, context.base, files, signatures)
        self._static = tuple(group_of(one.targets, one.labels) for one in config.static_configs)
        self._collectors: dict[str, ScrapeCollector] = {}

    def offer(self, groups: Sequence[TargetGroup] = ()) -> Offer:
        """Return the collectors for the targets of the config and those of the groups."""
        found = find_targets(self._job, [*self._static, *groups])
        refusal, limit = "", self._config.target_limit
        if 0 < limit < len(found.targets):
            refusal = f"there are {len(found.targets)} targets, more than the target_limit of {limit}; none is asked"
        collectors: dict[str, ScrapeCollector] = {}
        for source, target in sources_of(self.job, found.targets):
            signature = (*self._shared, target.internal, refusal)
            before = self._collectors.get(source)
            if before is None or before.signature != signature:
                before = ScrapeCollector(source, target, self._client, signature=signature, refusal=refusal)
            collectors[source] = before
        self._collectors = collectors
        kept = self._config.keep_dropped_targets or len(found.dropped)
        offered: tuple[Collector, ...] = tuple(collectors.values())
        return Offer(offered, tuple(found.dropped[:kept]), len(found.dropped), tuple(found.faults))


def _check_addresses(config: ScrapeConfig, path: Path_) -> None:
    for number, group in enumerate(config.static_configs):
        for index, address in enumerate(group.targets):
            try:
                check_address(address)
            except ValueError as error:
                raise config_error((*path, "static_configs", number, "targets", index), str(error)) from None


def _client(config: ScrapeConfig, context: CollectorContext, session: SharedSession, path: Path_) -> ScrapeClient:
    credentials = Credentials(config, context.base)
    credentials.check(path)
    tls: ssl.SSLContext | bool = True
    if not is_default(config.tls_config):
        tls = make_context(config.tls_config, context.base, (*path, "tls_config"), ssl.SSLContext)
    selection = Selection(
        rules_of(config.metric_relabel_configs),
        samples=config.sample_limit,
        labels=config.label_limit,
        label_name_length=config.label_name_length_limit,
        label_value_length=config.label_value_length_limit,
    )
    return ScrapeClient(config, selection, session, credentials, tls)


def _providers(
    config: ScrapeConfig, context: CollectorContext, session: SharedSession, path: Path_
) -> tuple[Provider, ...]:
    files = [FileProvider(f"file_sd/{n}", one, context.base) for n, one in enumerate(config.file_sd_configs)]
    servers = [
        HttpProvider(f"http_sd/{n}", one, context.base, session, (*path, "http_sd_configs", n))
        for n, one in enumerate(config.http_sd_configs)
    ]
    names = [DnsProvider(f"dns_sd/{n}", one) for n, one in enumerate(config.dns_sd_configs)]
    return (*files, *servers, *names)
