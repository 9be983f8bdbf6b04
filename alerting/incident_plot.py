"""Which metrics to draw for an incident: what its alerts' conditions compare, and with which number. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from alerting.incident import IncidentAlert
from core.errors import WatchkeeperError
from metrics.promql.ast import COMPARISON, SET_OPERATORS, Binary, Node, Number, Unary, unwrap
from metrics.promql.format import format_node
from metrics.promql.parse import parse

MOST_PLOTS = 4


@dataclass(frozen=True, slots=True)
class Plot:
    """One thing to draw.

    Attributes:
        title: the alert's name.
        query: yields the values that the condition looks at, whether or not it holds.
        threshold: what they are compared with; None where that is no number.
        labels: of the alert: a series belongs to it when none of its labels contradicts these.
    """

    title: str
    query: str
    threshold: float | None
    labels: Mapping[str, str]

    def shows(self, series: Mapping[str, str]) -> bool:
        """Tell whether a series of the query is the alert's."""
        return all(self.labels.get(name, value) == value for name, value in series.items() if name != "__name__")


def plots(alerts: Iterable[IncidentAlert]) -> list[Plot]:
    """Return what to draw for an incident's alerts, worst first, each condition and label set once."""
    found: dict[tuple[str, tuple[tuple[str, str], ...]], Plot] = {}
    for alert in sorted(alerts, key=lambda alert: (alert.severity.rank, alert.joined_at)):
        if len(found) == MOST_PLOTS:
            break
        plot = plot_of(alert)
        if plot is not None:
            place = tuple(sorted(item for item in alert.labels.items() if item[0] not in ("alertname", "severity")))
            found.setdefault((plot.query, place), plot)
    return list(found.values())


def plot_of(alert: IncidentAlert) -> Plot | None:
    """Return what to draw for an alert; None where its condition is not known or cannot be read."""
    if not alert.expr:
        return None
    try:
        node, threshold = _compared(unwrap(parse(alert.expr).root))
        return Plot(alert.name, format_node(node), threshold, alert.labels)
    except WatchkeeperError:
        return None


def _compared(node: Node) -> tuple[Node, float | None]:
    """Return what a condition looks at and the number that it is compared with."""
    if not isinstance(node, Binary):
        return node, None
    left, right = unwrap(node.left), unwrap(node.right)
    if node.operator in SET_OPERATORS:
        return _compared(left)
    if node.operator not in COMPARISON:
        return node, None
    number = _number(right)
    if number is not None:
        return left, number
    number = _number(left)
    return (right, number) if number is not None else (left, None)


def _number(node: Node) -> float | None:
    if isinstance(node, Unary):
        inner = _number(unwrap(node.operand))
        return None if inner is None else -inner
    return node.value if isinstance(node, Number) else None
