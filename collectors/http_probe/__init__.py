"""Probes: does an address answer, how fast, how long is its certificate still good."""

from collectors.http_probe.plugin import HttpProbePlugin

__all__ = ["HttpProbePlugin"]
