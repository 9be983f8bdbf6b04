"""What the daemon knows, as JSON documents: pure functions from the other packages' objects to plain data.

Times are Unix seconds. A field is never left out, null means "there is none".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from actions.deployment.status import ServiceStatus
from actions.operation import Operation
from alerting.alert import Alert
from alerting.health import Health
from alerting.incident import Incident, IncidentAlert
from alerting.incident_figures import Figures
from alerting.incident_plot import plots
from alerting.incident_record import IncidentRecord
from alerting.rule_status import RuleStatus
from alerting.silence import Silence
from collectors.manager import TargetStatus
from core.db.database import Trouble
from core.logbook import Entry, Fault
from daemon.api.state import ConfigStatus

Document = dict[str, Any]


def entry_document(entry: Entry) -> Document:
    """Return a logbook entry."""
    return {
        "number": entry.number,
        "time": entry.time,
        "kind": entry.kind,
        "subject": entry.subject,
        "actor": entry.actor,
        "data": dict(entry.data),
        "hash": entry.hash,
    }


def fault_document(fault: Fault) -> Document:
    """Return a fault of the logbook's chain."""
    return {"number": fault.number, "reason": fault.reason}


def config_document(config: ConfigStatus) -> Document:
    """Return which configuration runs."""
    return {
        "file": config.file,
        "loaded_at": config.loaded_at,
        "error": config.error,
        "notes": list(config.notes),
    }


def trouble_document(trouble: Trouble | None) -> Document | None:
    """Return why the state database cannot be written."""
    return None if trouble is None else {"reason": trouble.reason, "since": trouble.since}


def target_document(target: TargetStatus) -> Document:
    """Return the status of a source."""
    return {
        "source": target.source,
        "plugin": target.plugin,
        "job": target.job,
        "instance": target.instance,
        "labels": dict(target.labels),
        "health": target.health,
        "last_error": target.last_error,
        "last_collected": target.last_collected,
        "last_duration_seconds": target.last_duration_seconds,
        "samples": target.samples,
        "interval_seconds": target.interval_seconds,
        "exported": target.exported,
    }


def alert_document(alert: Alert, silenced_by: Sequence[str] = ()) -> Document:
    """Return an alert.

    Args:
        silenced_by: ids of the silences that keep it from being told.
    """
    return {
        "id": alert.id,
        "name": alert.name,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.state.value,
        "severity": alert.severity.value,
        "active_since": alert.active_since,
        "fired_at": alert.fired_at,
        "resolved_at": alert.resolved_at,
        "value": alert.value,
        "rule": alert.rule,
        "expr": alert.expr,
        "reason": alert.reason,
        "silenced_by": list(silenced_by),
    }


def silence_document(silence: Silence, now: float) -> Document:
    """Return a silence."""
    return {
        "id": silence.id,
        "state": silence.state(now).value,
        "matchers": [str(matcher) for matcher in silence.matchers],
        "starts_at": silence.starts_at,
        "ends_at": silence.ends_at,
        "created_by": silence.created_by,
        "comment": silence.comment,
    }


def incident_document(incident: Incident) -> Document:
    """Return an incident without its timeline."""
    return {
        "id": incident.id,
        "title": incident.title,
        "service": incident.service,
        "environment": incident.environment,
        "severity": incident.severity.value,
        "status": incident.status.value,
        "owner": incident.owner,
        "started_at": incident.started_at or incident.opened_at,
        "opened_at": incident.opened_at,
        "acknowledged_at": incident.acknowledged_at,
        "acknowledged_by": incident.acknowledged_by,
        "mitigated_at": incident.mitigated_at,
        "resolved_at": incident.resolved_at,
        "reviewed_at": incident.reviewed_at,
        "merged_into": incident.merged_into,
        "by_hand": incident.by_hand,
        "alerts": list(incident.alerts),
        "firing": len(incident.active),
    }


def record_document(record: IncidentRecord) -> Document:
    """Return an incident with its alerts and its timeline."""
    return {
        **incident_document(record.incident),
        "merged": list(record.merged),
        "suspects": list(record.suspects),
        "plots": [asdict(plot) for plot in plots(record.alerts)],
        "alert_details": [incident_alert_document(alert) for alert in record.alerts],
        "timeline": [
            {
                **entry_document(line.entry),
                "about": line.about.value,
                "text": line.text,
                "detail": line.detail,
                "is_suspect": line.is_suspect,
            }
            for line in record.timeline
        ],
    }


def incident_alert_document(alert: IncidentAlert) -> Document:
    """Return an alert as its incident remembers it."""
    return {
        "id": alert.id,
        "name": alert.name,
        "severity": alert.severity.value,
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "expr": alert.expr,
        "value": alert.value,
        "active_since": alert.active_since,
        "joined_at": alert.joined_at,
        "resolved_at": alert.resolved_at,
    }


def figures_document(figures: Figures) -> Document:
    """Return figures over incidents; lengths of time are seconds."""
    return asdict(figures)


def health_document(health: Health) -> Document:
    """Return the health of the whole system with its reasons."""
    return {
        "status": health.status.value,
        "reasons": [
            {"aspect": reason.aspect.value, "status": reason.status.value, "message": reason.message}
            for reason in health.reasons
        ],
        "aspects": {aspect.value: status.value for aspect, status in health.aspects.items()},
    }


def operation_document(operation: Operation) -> Document:
    """Return an operation with its steps."""
    return operation.to_json()


def service_document(service: ServiceStatus) -> Document:
    """Return the status of a service in an environment."""
    return service.to_json()


def rule_document(rule: RuleStatus) -> Document:
    """Return a rule and how it goes."""
    return asdict(rule)
