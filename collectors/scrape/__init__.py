"""Prometheus targets: applications and exporters that tell their metrics over HTTP."""

from collectors.scrape.plugin import ScrapePlugin

__all__ = ["ScrapePlugin"]
