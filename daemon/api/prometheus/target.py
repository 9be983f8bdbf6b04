"""`targets`, `targets/metadata` and `metadata`: where samples come from, and what is told about them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from collectors.manager import TargetStatus
from core.duration import format_duration
from core.errors import UserError, WatchkeeperError
from daemon.api.prometheus.answer import failure, threaded_answer
from daemon.api.prometheus.number import format_moment
from daemon.api.prometheus.parameter import Parameters
from daemon.api.state import DaemonView
from metrics.frame import Family
from metrics.storage import Matcher
from security.listen import is_loopback


class Targets:
    """Answers what is known about sources and their metrics."""

    def __init__(self, view: DaemonView) -> None:
        self._view = view

    async def targets(self, request: web.Request) -> web.StreamResponse:
        """Answer the sources and how they go, and the targets that rules dropped."""
        given = Parameters(request.query)
        state, pool = given.text("state").lower(), given.text("scrapePool")
        shown = self._view.collectors.targets() if state in ("", "any", "active") else []
        # A way of finding targets is listed among them for people; it is none.
        found = [target for target in shown if pool in ("", target.job) and target.plugin != "discovery"]
        found.sort(key=lambda target: (target.job, target.instance))
        offers = self._view.collectors.offers() if state in ("", "any", "dropped") else {}
        offered = {job: offer for job, offer in sorted(offers.items()) if pool in ("", job)}
        hostname = self._view.hostname

        def tell() -> dict[str, Any]:
            return {
                "activeTargets": [target_document(target, hostname) for target in found],
                "droppedTargets": [
                    {"discoveredLabels": dict(labels), "scrapePool": job}
                    for job, offer in offered.items()
                    for labels in offer.dropped
                ],
                "droppedTargetCounts": {job: offer.dropped_count for job, offer in offered.items()},
            }

        return await threaded_answer(request, tell)

    async def of_targets(self, request: web.Request) -> web.StreamResponse:
        """Answer what each source tells about its metrics."""
        try:
            given = Parameters(request.query)
            limit, wanted = _limit(given, "limit"), _matchers(given)
        except WatchkeeperError as error:
            return failure(request, error)
        tellings = self._tellings(self._view.collectors.targets(), given.text("metric"), wanted)
        return await threaded_answer(request, lambda: list(islice(tellings, limit)))

    async def metadata(self, request: web.Request) -> web.StreamResponse:
        """Answer what is told about each metric, whichever source tells it."""
        try:
            given = Parameters(request.query)
            limit, each = _limit(given, "limit"), _limit(given, "limit_per_metric")
            metric = given.text("metric")
        except WatchkeeperError as error:
            return failure(request, error)

        def tell() -> dict[str, Any]:
            names = self._view.metadata.by_name()
            chosen = {metric: names[metric]} if metric in names else {} if metric else names
            return {
                name: [_family_document(family) for family in islice(families, each)]
                for name, families in islice(chosen.items(), limit)
            }

        return await threaded_answer(request, tell)

    def _tellings(
        self, targets: Sequence[TargetStatus], metric: str, matchers: tuple[Matcher, ...]
    ) -> Iterator[dict[str, Any]]:
        for target in targets:
            labels = _labels(target)
            if not all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers):
                continue
            for name, family in self._view.metadata.of_source(target.source).items():
                if metric in ("", name):
                    named = {} if metric else {"metric": name}
                    yield {"target": labels, **named, **_family_document(family)}


def target_document(target: TargetStatus, hostname: str) -> dict[str, Any]:
    """Return a source as one of Prometheus' active targets."""
    return {
        "discoveredLabels": dict(target.discovered) or _discovered(target),
        "labels": _labels(target),
        "scrapePool": target.job,
        "scrapeUrl": target.url,
        "globalUrl": _global_url(target.url, hostname),
        "lastError": target.last_error if target.health != "up" else "",
        "lastScrape": format_moment(target.last_collected),
        "lastScrapeDuration": target.last_duration_seconds,
        "health": target.health,
        "scrapeInterval": format_duration(target.interval_seconds),
        "scrapeTimeout": format_duration(target.timeout_seconds),
    }


def _labels(target: TargetStatus) -> dict[str, str]:
    return {"job": target.job, "instance": target.instance, **target.labels}


def _discovered(target: TargetStatus) -> dict[str, str]:
    """Return what Prometheus would know of a target before relabeling."""
    parts = urlsplit(target.url)
    own = {
        "__address__": target.instance,
        "__metrics_path__": parts.path,
        "__scheme__": parts.scheme,
        "__scrape_interval__": format_duration(target.interval_seconds),
        "__scrape_timeout__": format_duration(target.timeout_seconds),
    }
    configured = {name: value for name, value in _labels(target).items() if name != "instance"}
    return {name: value for name, value in own.items() if value} | configured


def _global_url(url: str, hostname: str) -> str:
    """Return a URL with this machine's name where it names loopback, so that it means the same elsewhere."""
    parts = urlsplit(url)
    if not parts.hostname or not is_loopback(parts.hostname):
        return url
    port = f":{parts.port}" if parts.port else ""
    return parts._replace(netloc=hostname + port).geturl()


def _family_document(family: Family) -> dict[str, str]:
    return {"type": family.type.value, "help": family.help, "unit": family.unit}


def _limit(given: Parameters, name: str) -> int | None:
    try:
        limit = given.limit(name)
    except UserError as error:
        raise UserError(f"{name} must be a number of 0 or more: {error}") from None
    return limit or None


def _matchers(given: Parameters) -> tuple[Matcher, ...]:
    selectors = given.selectors("match_target") if given.text("match_target") else []
    return selectors[0] if selectors else ()
