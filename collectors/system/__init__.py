"""Metrics of the machine that the daemon runs on, under node_exporter's names."""

from collectors.system.plugin import SystemPlugin

__all__ = ["SystemPlugin"]
