"""The addresses of Prometheus' API and what answers at each."""

from __future__ import annotations

from aiohttp import web

from daemon.api.connections import Limits
from daemon.api.prometheus.answer import ROOT
from daemon.api.prometheus.federation import Federation
from daemon.api.prometheus.query import Queries
from daemon.api.prometheus.rule import Rules
from daemon.api.prometheus.series import Listings
from daemon.api.prometheus.status import Status
from daemon.api.prometheus.target import Targets
from daemon.api.prometheus.work import Worker
from daemon.api.state import DaemonView

OURS = "/api/watchkeeper/v1"


def prometheus_routes(view: DaemonView, limits: Limits) -> list[web.RouteDef]:
    """Return all routes; questions in PromQL are answered under our own root too."""
    worker = Worker(view.clock)
    queries = Queries(view, limits, worker)
    listings = Listings(view, limits.body_seconds, worker)
    targets, rules, status = Targets(view), Rules(view), Status(view, worker)
    asked = {
        ROOT + "/query": queries.instant,
        ROOT + "/query_range": queries.range,
        OURS + "/query": queries.instant,
        OURS + "/query_range": queries.range,
        ROOT + "/query_exemplars": queries.exemplars,
        ROOT + "/format_query": queries.format,
        ROOT + "/parse_query": queries.parse,
        ROOT + "/series": listings.series,
        ROOT + "/labels": listings.labels,
    }
    read = {
        ROOT + "/label/{name}/values": listings.values,
        ROOT + "/metadata": targets.metadata,
        ROOT + "/targets": targets.targets,
        ROOT + "/targets/metadata": targets.of_targets,
        ROOT + "/rules": rules.rules,
        ROOT + "/alerts": rules.alerts,
        ROOT + "/status/config": status.config,
        ROOT + "/status/flags": status.flags,
        ROOT + "/status/buildinfo": status.build,
        ROOT + "/status/runtimeinfo": status.runtime,
        ROOT + "/status/tsdb": status.store,
        "/federate": Federation(view, worker).federate,
    }
    return [
        *(web.get(path, handler) for path, handler in (asked | read).items()),
        *(web.post(path, handler) for path, handler in asked.items()),
    ]
