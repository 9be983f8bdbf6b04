"""`watchkeeper status`: how things are, on one screen."""

from __future__ import annotations

from typing import Any

from daemon.cli.failure import OK, PROBLEMS
from daemon.cli.options import DEFAULT_URL, Client, Json, TokenFile, Url
from daemon.cli.output import Cell, Output, Piece
from daemon.cli.wording import between, date_time, plural, state

Document = dict[str, Any]


def status(url: Url = DEFAULT_URL, token_file: TokenFile = None, as_json: Json = False) -> int:
    """Show how everything is, on one screen.

    Exit code 1 when the whole is unhealthy.
    """
    overview: Document = Client(url, token_file).get("overview")
    output = Output()
    if as_json:
        output.document(overview)
    else:
        print_status(output, overview)
    return PROBLEMS if overview["health"]["status"] == "unhealthy" else OK


def print_status(output: Output, overview: Document) -> None:
    """Write the overview document for a person."""
    _print_health(output, overview)
    _print_targets(output, overview["targets"])
    _print_alerts(output, overview["alerts"], overview["now"])
    _print_incidents(output, overview["incidents"], overview["now"])
    _print_services(output, overview["services"])
    _print_operations(output, overview["operations"], overview["now"])


def _print_health(output: Output, overview: Document) -> None:
    health, config = overview["health"], overview["config"]
    running = between(overview["started_at"], overview["now"])
    starting = "" if overview.get("ready", True) else ", still starting"
    output.line(
        Cell(f"Watchkeeper {overview['version']}", "strong"), f" on {overview['hostname']}: ",
        state(health["status"]), Cell(f"  (up {running}{starting})", "dim"),
    )  # fmt: skip
    for reason in health["reasons"]:
        output.line("  ", state(reason["status"]), f"  {reason['aspect']}: {reason['message']}")
    if config["error"]:
        output.line("Config: ", Cell(str(config["error"]), "bad"), "; the configuration from before is in use")
    else:
        loaded = date_time(config["loaded_at"])
        output.line(f"Config: {config['file'] or 'built-in defaults'}", Cell(f"  (loaded {loaded})", "dim"))


def _print_targets(output: Output, targets: list[Document]) -> None:
    up = sum(target["health"] == "up" for target in targets)
    _heading(output, "Targets", f"{up} of {len(targets)} up")
    lost = [target for target in targets if target["health"] != "up"]
    if lost:
        output.table(["health", "target", "reason"], [target_row(target) for target in lost], indent=2)


def target_row(target: Document) -> list[Piece]:
    """Return health, name and last error of one target."""
    return [state(target["health"]), target["source"], target.get("last_error") or "not collected yet"]


def _print_alerts(output: Output, alerts: list[Document], now: float) -> None:
    firing = [alert for alert in alerts if alert["state"] == "firing"]
    pending = sum(alert["state"] == "pending" for alert in alerts)
    _heading(output, "Alerts", f"{len(firing)} firing" + (f", {pending} pending" if pending else ""))
    if firing:
        output.table(ALERT_COLUMNS, [alert_row(alert, now) for alert in firing], indent=2)


ALERT_COLUMNS = ("severity", "state", "alert", "of", "for", "summary")


def alert_row(alert: Document, now: float) -> list[Piece]:
    """Return the cells of one alert, as ALERT_COLUMNS names them."""
    annotations = alert.get("annotations") or {}
    summary = annotations.get("summary") or annotations.get("description") or alert.get("expr") or ""
    since = alert.get("resolved_at") or alert.get("fired_at") or alert.get("active_since")
    return [state(alert["severity"]), state(alert["state"]), alert["name"], _subject(alert["labels"]),
            between(since, now), summary]  # fmt: skip


def _subject(labels: Document) -> str:
    if labels.get("service"):
        return service_name(labels)
    return str(labels.get("instance") or labels.get("job") or "-")


def service_name(named: Document) -> str:
    """Return `shop/production`, from anything that has service and environment."""
    return "/".join(str(named[key]) for key in ("service", "environment") if named.get(key)) or "-"


def _print_incidents(output: Output, incidents: list[Document], now: float) -> None:
    still_open = [incident for incident in incidents if incident["status"] not in ("resolved", "reviewed")]
    _heading(output, "Incidents", f"{len(still_open)} open")
    if still_open:
        output.table(INCIDENT_COLUMNS, [incident_row(incident, now) for incident in still_open], indent=2)


INCIDENT_COLUMNS = ("id", "severity", "status", "of", "opened", "lasted", "title")


def incident_row(incident: Document, now: float) -> list[Piece]:
    """Return the cells of one incident, as INCIDENT_COLUMNS names them."""
    lasted = between(incident["opened_at"], incident.get("resolved_at") or now)
    return [str(incident["id"]), state(incident["severity"]), state(incident["status"]), service_name(incident),
            date_time(incident["opened_at"]), lasted, incident["title"]]  # fmt: skip


def _print_services(output: Output, services: list[Document]) -> None:
    if not services:
        return
    _heading(output, "Services", str(len(services)))
    columns = ("service", "current", "last good", "healthy", "address", "note")
    output.table(columns, [_service_row(service) for service in services], indent=2)


def _service_row(service: Document) -> list[Piece]:
    serving = [instance for instance in service["instances"] if instance["weight"]]
    healthy = sum(bool(instance["healthy"]) for instance in serving)
    problem = service.get("problem")
    note = Cell(problem, "bad") if problem else Cell("baking", "warn") if service.get("baking_until") else Cell("")
    return [service_name(service), _revision(service, service["current"]), _revision(service, service["last_good"]),
            f"{healthy} of {len(serving)}", service["address"] or "-", note]  # fmt: skip


def _revision(service: Document, wanted: Any) -> str:
    for revision in service["revisions"]:
        if revision["revision"] == wanted:
            return f"{revision['version']} (r{str(wanted).removeprefix('r')})"
    return "-" if wanted is None else f"r{str(wanted).removeprefix('r')}"


def _print_operations(output: Output, operations: list[Document], now: float) -> None:
    running = [operation for operation in operations if operation["state"] in ("pending", "running")]
    if running:
        _heading(output, "Operations", plural(len(running), "operation") + " under way")
        output.table(OPERATION_COLUMNS, [operation_row(operation, now) for operation in running], indent=2)


OPERATION_COLUMNS = ("id", "kind", "service", "state", "started", "took", "by", "note")


def operation_row(operation: Document, now: float) -> list[Piece]:
    """Return the cells of one operation, as OPERATION_COLUMNS names them."""
    took = between(operation["started_at"], operation["ended_at"] or now)
    running = [step["name"] for step in operation.get("steps", []) if step["state"] == "running"]
    note = operation["error"] or (running[0] if running else operation["reason"]) or ""
    return [str(operation["id"]), operation["kind"], service_name(operation), state(operation["state"]),
            date_time(operation["started_at"] or operation["created_at"]), took, operation["requested_by"],
            note]  # fmt: skip


def _heading(output: Output, title: str, summary: str) -> None:
    output.line()
    output.line(Cell(title, "strong"), f": {summary}")
