"""What the templates of a notification see: Alertmanager's data, and what we know beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from alerting.alert import Alert, AlertState, fingerprint
from alerting.template.go_time import Time
from alerting.template.value import Function, Object, StringMap

if TYPE_CHECKING:
    from alerting.notify.notice import IncidentNote, Links, Notice


@dataclass(frozen=True, slots=True)
class Pair(Object):
    """A name and its value."""

    name: str
    value: str

    template_type: ClassVar[str] = "template.Pair"
    template_fields: ClassVar[Mapping[str, Callable[[Pair], object]]] = {
        "Name": lambda pair: pair.name,
        "Value": lambda pair: pair.value,
    }


class Pairs(list[Pair]):
    """Pairs in the order of their names."""

    template_type: ClassVar[str] = "template.Pairs"
    template_methods: ClassVar[Mapping[str, Function]] = {
        "Names": Function(lambda pairs: [pair.name for pair in pairs]),
        "Values": Function(lambda pairs: [pair.value for pair in pairs]),
    }


class KV(StringMap):
    """Labels or annotations."""

    __slots__ = ()
    template_type: ClassVar[str] = "template.KV"
    template_methods: ClassVar[Mapping[str, Function]] = {
        "SortedPairs": Function(lambda kv: kv.sorted_pairs()),
        "Remove": Function(lambda kv, names: kv.remove(names), ("strings",)),
        "Names": Function(lambda kv: [pair.name for pair in kv.sorted_pairs()]),
        "Values": Function(lambda kv: [pair.value for pair in kv.sorted_pairs()]),
    }

    def sorted_pairs(self) -> Pairs:
        """Return names and values in the order of names, `alertname` first."""
        order = sorted(self, key=lambda name: (name != "alertname", name))
        return Pairs(Pair(name, self[name]) for name in order)

    def remove(self, names: Sequence[str]) -> KV:
        """Return those whose names are not among some."""
        gone = set(names)
        return KV({name: value for name, value in self.items() if name not in gone})


@dataclass(frozen=True, slots=True)
class AlertData(Object):
    """An alert as templates see it.

    Beside Alertmanager's fields: `.Name`, `.Severity`, `.Value` (a number), `.Expr`, and `.Reason` (why it was resolved
    where that was not the end of its condition).
    """

    status: str
    labels: KV
    annotations: KV
    starts_at: Time
    ends_at: Time
    generator_url: str
    fingerprint: str
    name: str = ""
    severity: str = ""
    value: float = 0.0
    expr: str = ""
    reason: str = ""

    template_type: ClassVar[str] = "template.Alert"
    template_fields: ClassVar[Mapping[str, Callable[[AlertData], object]]] = {
        "Status": lambda alert: alert.status,
        "Labels": lambda alert: alert.labels,
        "Annotations": lambda alert: alert.annotations,
        "StartsAt": lambda alert: alert.starts_at,
        "EndsAt": lambda alert: alert.ends_at,
        "GeneratorURL": lambda alert: alert.generator_url,
        "Fingerprint": lambda alert: alert.fingerprint,
    }
    template_extras: ClassVar[Mapping[str, Callable[[AlertData], object]]] = {
        "Name": lambda alert: alert.name,
        "Severity": lambda alert: alert.severity,
        "Value": lambda alert: alert.value,
        "Expr": lambda alert: alert.expr,
        "Reason": lambda alert: alert.reason,
    }


class Alerts(list[AlertData]):
    """Alerts of a notification."""

    template_type: ClassVar[str] = "template.Alerts"
    template_methods: ClassVar[Mapping[str, Function]] = {
        "Firing": Function(lambda alerts: alerts.of("firing")),
        "Resolved": Function(lambda alerts: alerts.of("resolved")),
    }

    def of(self, status: str) -> Alerts:
        """Return those of a status."""
        return Alerts(alert for alert in self if alert.status == status)


@dataclass(frozen=True, slots=True)
class LinksData(Object):
    """Addresses that a person may open; empty where there is none."""

    links: Links

    template_type: ClassVar[str] = "template.Links"
    template_fields: ClassVar[Mapping[str, Callable[[LinksData], object]]] = {
        "Console": lambda data: data.links.console,
        "Incident": lambda data: data.links.incident,
        "Acknowledge": lambda data: data.links.acknowledge,
        "Silence": lambda data: data.links.silence,
    }


@dataclass(frozen=True, slots=True)
class IncidentData(Object):
    """The incident that the alerts belong to."""

    note: IncidentNote

    template_type: ClassVar[str] = "template.Incident"
    template_fields: ClassVar[Mapping[str, Callable[[IncidentData], object]]] = {
        "ID": lambda data: data.note.id,
        "Title": lambda data: data.note.title,
        "Severity": lambda data: str(data.note.severity),
    }


@dataclass(frozen=True, slots=True)
class Data(Object):
    """What a notification's templates are rendered with.

    Beside Alertmanager's fields: `.Severity` (the worst of what fires), `.Why`, `.Suspects` (texts), `.Links` with
    `.Console .Incident .Acknowledge .Silence`, `.Incident` (nil, or `.ID .Title .Severity`) and `.TruncatedAlerts`.
    """

    receiver: str
    status: str
    alerts: Alerts
    group_labels: KV
    common_labels: KV
    common_annotations: KV
    external_url: str
    now: float = 0.0
    why: str = ""
    severity: str = ""
    suspects: tuple[str, ...] = ()
    links: LinksData | None = None
    incident: IncidentData | None = None
    truncated: int = 0

    template_type: ClassVar[str] = "template.Data"
    template_fields: ClassVar[Mapping[str, Callable[[Data], object]]] = {
        "Receiver": lambda data: data.receiver,
        "Status": lambda data: data.status,
        "Alerts": lambda data: data.alerts,
        "GroupLabels": lambda data: data.group_labels,
        "CommonLabels": lambda data: data.common_labels,
        "CommonAnnotations": lambda data: data.common_annotations,
        "ExternalURL": lambda data: data.external_url,
    }
    template_extras: ClassVar[Mapping[str, Callable[[Data], object]]] = {
        "Severity": lambda data: data.severity,
        "Why": lambda data: data.why,
        "Suspects": lambda data: list(data.suspects),
        "Links": lambda data: data.links if data.links is not None else {},
        "Incident": lambda data: data.incident,
        "TruncatedAlerts": lambda data: data.truncated,
    }


def notification_data(notice: Notice) -> Data:
    """Return what the templates of a notice see."""
    alerts = Alerts(_alert_data(alert, notice.external_url) for alert in notice.alerts)
    firing = [alert.severity for alert in notice.alerts if alert.state is AlertState.FIRING]
    worst = min(firing or [alert.severity for alert in notice.alerts], key=lambda one: one.rank, default=None)
    return Data(
        receiver=notice.receiver,
        status=notice.status,
        alerts=alerts,
        group_labels=KV(notice.group_labels),
        common_labels=_common([alert.labels for alert in alerts]),
        common_annotations=_common([alert.annotations for alert in alerts]),
        external_url=notice.external_url,
        now=notice.now,
        why=notice.why,
        severity="" if worst is None else worst.value,
        suspects=notice.suspects,
        links=LinksData(notice.links),
        incident=None if notice.incident is None else IncidentData(notice.incident),
        truncated=notice.truncated,
    )


def _alert_data(alert: Alert, external_url: str) -> AlertData:
    started = alert.fired_at if alert.fired_at is not None else alert.active_since
    return AlertData(
        status="firing" if alert.state is AlertState.FIRING else "resolved",
        labels=KV(alert.labels),
        annotations=KV(alert.annotations),
        starts_at=Time.of(started),
        ends_at=Time.of(alert.resolved_at),
        generator_url=getattr(alert, "generator_url", "") or f"{external_url}/#alert/{alert.id}",
        fingerprint=fingerprint(alert.labels),
        name=alert.name,
        severity=alert.severity.value,
        value=alert.value,
        expr=alert.expr,
        reason=alert.reason,
    )


def _common(mappings: Sequence[KV]) -> KV:
    if not mappings:
        return KV()
    first, *others = mappings
    return KV({name: value for name, value in first.items() if all(other.get(name) == value for other in others)})
