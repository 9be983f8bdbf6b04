"""Makes a collector of each target in `scrape_configs`."""

from __future__ import annotations

from collections.abc import Sequence

from collectors.collector import Collector
from collectors.config_problem import build_each, config_error
from collectors.context import CollectorContext
from collectors.discovery.discovery import Discovery
from collectors.http.session import SharedSession
from collectors.scrape.config import ScrapeConfig
from collectors.scrape.job import ScrapeJob
from core.yaml_file import Path_


def build(config: Sequence[ScrapeConfig], context: CollectorContext) -> Sequence[Collector]:
    """Make the collectors of jobs whose targets are all known; those of one build share their connections."""
    session = SharedSession()

    def collectors(job: ScrapeConfig, path: Path_) -> Sequence[Collector]:
        return () if _changes(job) else _fixed(ScrapeJob(job, context, session, path), path)

    return build_each("scrape_configs", config, collectors)


def discover(config: Sequence[ScrapeConfig], context: CollectorContext) -> Sequence[Discovery]:
    """Make the jobs whose targets come and go, or go through rules that may drop them."""
    session = SharedSession()

    def discoveries(job: ScrapeConfig, path: Path_) -> Sequence[Discovery]:
        return [ScrapeJob(job, context, session, path)] if _changes(job) else ()

    return build_each("scrape_configs", config, discoveries)


def _changes(job: ScrapeConfig) -> bool:
    return bool(job.relabel_configs or job.file_sd_configs or job.http_sd_configs or job.dns_sd_configs)


def _fixed(job: ScrapeJob, path: Path_) -> Sequence[Collector]:
    offer = job.offer()
    if offer.faults:
        raise config_error((*path, "static_configs"), offer.faults[0])
    return offer.collectors
