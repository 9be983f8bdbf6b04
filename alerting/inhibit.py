"""Inhibition: which alerts need not be told because another one fires that explains them. Pure but for memory.

As in Alertmanager, an alert that is on both sides of a rule is not inhibited by alerts of which the same is true, so
never by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from alerting.alert import Alert, AlertState, fingerprint
from alerting.matcher import Matcher, matches

MAX_NAMED = 20
"""So many of the alerts that inhibit another one are named; 10,000 that inhibit 10,000 are not all listed."""


@dataclass(frozen=True, slots=True)
class InhibitRule:
    """While an alert that satisfies `source` fires, those that satisfy `target` are not told.

    Attributes:
        equal: names of labels in which both must agree; one that both lack is equal.
        name: for people; may be empty.
    """

    source: tuple[Matcher, ...]
    target: tuple[Matcher, ...]
    equal: tuple[str, ...] = ()
    name: str = ""


@dataclass(slots=True)
class _Sources:
    """The firing alerts of a rule's source side by the values of its `equal` labels; whether each is a target too."""

    rule: InhibitRule
    by_values: dict[tuple[str, ...], dict[str, bool]] = field(default_factory=dict)

    def values(self, labels: Mapping[str, str]) -> tuple[str, ...]:
        return tuple(labels.get(name, "") for name in self.rule.equal)

    def put(self, identity: str, labels: Mapping[str, str]) -> None:
        self.by_values.setdefault(self.values(labels), {})[identity] = matches(self.rule.target, labels)

    def drop(self, identity: str, labels: Mapping[str, str]) -> None:
        values = self.values(labels)
        found = self.by_values.get(values)
        if found is not None and found.pop(identity, None) is not None and not found:
            del self.by_values[values]

    def inhibiting(self, identity: str, labels: Mapping[str, str]) -> Iterable[str]:
        found = self.by_values.get(self.values(labels))
        if not found or not matches(self.rule.target, labels):
            return ()
        is_source = matches(self.rule.source, labels)
        return (other for other, is_both in found.items() if other != identity and not (is_source and is_both))


class Inhibitor:
    """Knows which alerts fire and answers which others they inhibit."""

    def __init__(self, rules: Iterable[InhibitRule] = ()) -> None:
        self._sources = [_Sources(rule) for rule in rules]

    def update(self, alerts: Iterable[Alert]) -> None:
        """Take note of how these alerts are now; what is known of others stays."""
        for alert in alerts:
            concerned = [sources for sources in self._sources if matches(sources.rule.source, alert.labels)]
            identity = fingerprint(alert.labels) if concerned else ""
            for sources in concerned:
                change = sources.put if alert.state is AlertState.FIRING else sources.drop
                change(identity, alert.labels)

    def inhibited_by(self, labels: Mapping[str, str], identity: str = "") -> tuple[str, ...]:
        """Return the fingerprints of alerts that inhibit one with these labels, at most 20 a rule; empty for none.

        Args:
            identity: the fingerprint of the labels, where it is known.
        """
        found: dict[str, None] = {}
        for sources in self._sources:
            found |= dict.fromkeys(islice(sources.inhibiting(identity, labels), MAX_NAMED))
        return tuple(found)
