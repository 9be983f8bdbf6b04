"""Makes a collector of each entry in `commands`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collectors.collector import Collector
from collectors.command.collector import CommandCollector
from collectors.command.config import CommandConfig
from collectors.config_problem import build_each, config_error
from collectors.context import CollectorContext
from core.yaml_file import Path_


def build(config: Sequence[CommandConfig], context: CollectorContext) -> Sequence[Collector]:
    """Make the collectors."""
    return build_each("commands", config, lambda one, path: [_collector(one, context, path)])


def _collector(config: CommandConfig, context: CollectorContext, path: Path_) -> CommandCollector:
    interval = config.interval or context.interval_seconds
    timeout = config.timeout or min(context.timeout_seconds, interval)
    if timeout > interval:
        message = f"{timeout:g} s is longer than the interval of {interval:g} s; shorten it, or set interval"
        raise config_error((*path, "timeout"), message)
    folder = Path("/") if config.working_directory is None else context.base / config.working_directory
    return CommandCollector(
        config,
        folder,
        interval_seconds=interval,
        timeout_seconds=timeout,
        signature=(config, interval, timeout, folder),
    )
