"""`rules` and `alerts`: what is evaluated, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from alerting.alert import Alert, AlertState
from alerting.rule_status import GroupStatus, RuleStatus
from core.errors import UserError, WatchkeeperError
from daemon.api.prometheus.answer import failure, threaded_answer
from daemon.api.prometheus.number import format_moment, format_scientific
from daemon.api.prometheus.parameter import Parameters
from daemon.api.state import DaemonView
from metrics.storage import Matcher

_KINDS = {"": ("alerting", "recording"), "alert": ("alerting",), "record": ("recording",)}

Wanted = Callable[[RuleStatus], bool]


class Rules:
    """Answers rules by their groups, and alerts."""

    def __init__(self, view: DaemonView) -> None:
        self._view = view

    async def rules(self, request: web.Request) -> web.StreamResponse:
        """Answer groups of rules; only those that are asked for."""
        try:
            given = Parameters(request.query)
            wanted, with_alerts = _wanted(given), not given.flag("exclude_alerts")
        except WatchkeeperError as error:
            return failure(request, error)
        files, names = given.all("file[]"), given.all("rule_group[]")
        filtered = any(given.text(name) for name in ("type", "rule_name[]", "match[]"))
        chosen = [
            group for group in self._view.alerting.groups() if _among(group.file, files) and _among(group.name, names)
        ]

        def tell() -> dict[str, Any]:
            groups = [_group(group, wanted, with_alerts=with_alerts) for group in chosen]
            return {"groups": [group for group in groups if group["rules"] or not filtered]}

        return await threaded_answer(request, tell)

    async def alerts(self, request: web.Request) -> web.StreamResponse:
        """Answer pending and firing alerts of rules; those that others posted are at Alertmanager's address."""
        alerts = [alert for alert in self._view.alerting.alerts() if not alert.is_posted]
        return await threaded_answer(request, lambda: {"alerts": [alert_document(alert) for alert in alerts]})


def alert_document(alert: Alert) -> dict[str, Any]:
    """Return an alert as Prometheus shows it."""
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "activeAt": format_moment(alert.active_since),
        "value": format_scientific(alert.value),
    }


def _wanted(given: Parameters) -> Wanted:
    kind = given.text("type").lower()
    if kind not in _KINDS:
        raise UserError(f'invalid parameter "type": not supported value "{kind[:40]}"; give alert or record')
    names, selectors = given.all("rule_name[]"), given.selectors()

    def wanted(rule: RuleStatus) -> bool:
        fits = not selectors or any(_matches(rule, matchers) for matchers in selectors)
        return fits and rule.kind in _KINDS[kind] and _among(rule.name, names)

    return wanted


def _matches(rule: RuleStatus, matchers: Iterable[Matcher]) -> bool:
    return all(matcher.matches(rule.labels.get(matcher.name, "")) for matcher in matchers)


def _among(name: str, names: list[str]) -> bool:
    return not names or name in names


def _group(group: GroupStatus, wanted: Wanted, *, with_alerts: bool) -> dict[str, Any]:
    evaluated = [rule.last_evaluation for rule, _, _ in group.rules if rule.last_evaluation is not None]
    return {
        "name": group.name,
        "file": group.file,
        "rules": [
            _rule(rule, query, alerts, with_alerts=with_alerts) for rule, query, alerts in group.rules if wanted(rule)
        ],
        "interval": group.interval_seconds,
        "limit": group.limit,
        "evaluationTime": sum(rule.evaluation_seconds for rule, _, _ in group.rules),
        "lastEvaluation": format_moment(max(evaluated, default=None)),
    }


def _rule(rule: RuleStatus, query: str, alerts: tuple[Alert, ...], *, with_alerts: bool) -> dict[str, Any]:
    alerting: dict[str, Any] = {}
    if rule.kind == "alerting":
        alerting = {
            "state": _state(alerts),
            "duration": rule.for_seconds,
            "keepFiringFor": rule.keep_firing_for_seconds,
            "annotations": rule.annotations,
            "alerts": [alert_document(alert) for alert in alerts] if with_alerts else [],
        }
    error = {"lastError": rule.last_error} if rule.last_error else {}
    return {
        "name": rule.name,
        "query": query,
        "labels": rule.labels,
        **alerting,
        "health": {"error": "err"}.get(rule.health, rule.health),
        **error,
        "evaluationTime": rule.evaluation_seconds,
        "lastEvaluation": format_moment(rule.last_evaluation),
        "type": rule.kind,
    }


def _state(alerts: tuple[Alert, ...]) -> str:
    states = {alert.state for alert in alerts}
    return next((state.value for state in (AlertState.FIRING, AlertState.PENDING) if state in states), "inactive")
