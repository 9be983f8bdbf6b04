"""Rules as the evaluator uses them: parsed, checked, in the order of their group."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from alerting.alert import Timing
from alerting.template.rule import Template
from metrics.label import Labels, format_labels, labels_of
from metrics.promql.parse import Expression

DEFAULT_INTERVAL_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class AlertingRule:
    """Every series that `expr` yields is an alert.

    Attributes:
        key: what the rule is called in the database: `GROUP/NAME{labels}`, unique among all rules.
        hold: a firing alert stays while this yields its series, though `expr` no longer does (hysteresis).
        labels: put on the alert, over those of the series.
        place: `file:line`, for people.
    """

    key: str
    name: str
    expr: Expression
    timing: Timing
    labels: Mapping[str, Template] = field(default_factory=dict)
    annotations: Mapping[str, Template] = field(default_factory=dict)
    hold: Expression | None = None
    place: str = ""
    asks: bool = field(init=False)
    """Whether a template of it looks at other series or at the time."""

    def __post_init__(self) -> None:
        asks = any(template.asks for part in (self.labels, self.annotations) for template in part.values())
        object.__setattr__(self, "asks", asks)

    def template_queries(self) -> Iterator[str]:
        """Yield the expressions that its templates are sure to ask."""
        for part in (self.labels, self.annotations):
            for template in part.values():
                yield from template.queries


@dataclass(frozen=True, slots=True)
class RecordingRule:
    """What `expr` yields is remembered under a new name."""

    key: str
    name: str
    expr: Expression
    labels: Mapping[str, str] = field(default_factory=dict)
    place: str = ""


Rule = AlertingRule | RecordingRule


@dataclass(frozen=True, slots=True)
class GroupDefaults:
    """What counts for groups that do not say it themselves: the config's `global`, in seconds."""

    interval_seconds: float = DEFAULT_INTERVAL_SECONDS
    offset_seconds: float = 0.0


NO_DEFAULTS = GroupDefaults()


@dataclass(frozen=True, slots=True)
class Group:
    """Rules that are evaluated in order, so that later ones see what earlier ones record.

    Attributes:
        interval_seconds: how often rules are evaluated though none of their data arrived.
        limit: the most series a rule may yield, 0 for any number.
        offset_seconds: how far in the past the rules look, for data that arrives late.
    """

    name: str
    rules: tuple[Rule, ...]
    interval_seconds: float = DEFAULT_INTERVAL_SECONDS
    limit: int = 0
    offset_seconds: float = 0.0
    file: str = ""


def base_key(group: str, name: str, labels: Mapping[str, str]) -> str:
    """Return a rule's key, before rules that share one are told apart."""
    plain: Labels = labels_of(labels)
    return f"{group}/{name}" + (format_labels(plain) if plain else "")
