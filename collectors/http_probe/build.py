"""Makes a collector of each entry in `http_probes`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from collectors.collector import Collector
from collectors.config_problem import build_each, config_error
from collectors.context import CollectorContext
from collectors.http.config import TlsConfig
from collectors.http.credentials import Credentials
from collectors.http.tls import file_states, is_default, make_context
from collectors.http_probe.config import HttpProbeConfig
from collectors.http_probe.probe import HttpProbe, Request
from collectors.http_probe.timing import TimedContext
from core.yaml_file import Path_


def build(config: Sequence[HttpProbeConfig], context: CollectorContext) -> Sequence[Collector]:
    """Make the collectors."""
    return build_each("http_probes", config, lambda probe, path: [_probe(probe, context, path)])


def _probe(config: HttpProbeConfig, context: CollectorContext, path: Path_) -> HttpProbe:
    interval = config.interval or context.interval_seconds
    timeout = config.timeout or min(context.timeout_seconds, interval)
    if timeout > interval:
        message = f"{timeout:g} s is longer than the interval of {interval:g} s; shorten it, or set interval"
        raise config_error((*path, "timeout"), message)
    credentials = Credentials(config, context.base)
    credentials.check(path)
    expressions = (config.expect.body, config.expect.body_not)
    first, second = (None if text is None else re.compile(text.encode()) for text in expressions)
    request = Request(config, credentials, context.base, _tls(config, context, path), (first, second))
    labels = {"job": "http_probe", "instance": config.url, "probe": config.name, **config.labels}
    return HttpProbe(
        request,
        context.clock,
        interval_seconds=interval,
        timeout_seconds=timeout,
        target_labels=labels,
        signature=(config, interval, timeout, context.base, file_states(config.tls_config, context.base)),
    )


def _tls(config: HttpProbeConfig, context: CollectorContext, path: Path_) -> TimedContext:
    if is_default(config.tls_config):
        return _default_tls()
    return make_context(config.tls_config, context.base, (*path, "tls_config"), TimedContext)


@cache
def _default_tls() -> TimedContext:
    """Return the context that all probes share which want nothing special: it takes 1 MB and 50 ms."""
    return make_context(TlsConfig(), Path(), (), TimedContext)
