"""Which alerts, groups and silences a request asks for. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alerting.matcher import Matcher, parse_matcher
from alerting.pipeline.stage import AlertStatus
from core.errors import UserError
from daemon.api.alertmanager.answer import SchemaError
from daemon.api.prometheus.parameter import Fields
from metrics.pattern import Pattern, compile_pattern
from metrics.promql.regex import translate
from metrics.storage import MatchOp

_TRUE, _FALSE = ("1", "t", "T", "TRUE", "true", "True"), ("0", "f", "F", "FALSE", "false", "False")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is wanted of the alerts.

    Attributes:
        receiver: a pattern that one of an alert's receivers must match whole; None for any.
    """

    matchers: tuple[Matcher, ...] = ()
    active: bool = True
    silenced: bool = True
    inhibited: bool = True
    unprocessed: bool = True
    receiver: Pattern | None = None

    def wants(self, labels: Mapping[str, str], status: AlertStatus) -> bool:
        """Tell whether an alert is asked for."""
        return (
            (self.active or status.state != "active")
            and (self.silenced or not status.silenced_by)
            and (self.inhibited or not status.inhibited_by)
            and (self.unprocessed or status.state != "unprocessed")
            and (self.receiver is None or any(map(self.wants_receiver, status.receivers)))
            and agree(self.matchers, labels)
        )

    def wants_receiver(self, name: str) -> bool:
        """Tell whether what goes to a receiver is asked for."""
        return self.receiver is None or self.receiver.fullmatch(name) is not None


def choice_of(query: Fields) -> Choice:
    """Return what a request asks for.

    Raises: UserError: a matcher or the receiver cannot be read. SchemaError: a truth value is none.
    """
    return Choice(
        filter_of(query),
        active=_flag(query, "active"),
        silenced=_flag(query, "silenced"),
        inhibited=_flag(query, "inhibited"),
        unprocessed=_flag(query, "unprocessed"),
        receiver=_receiver(query),
    )


def filter_of(query: Fields) -> tuple[Matcher, ...]:
    """Return the matchers that a request gives as `filter`.

    Raises: UserError: one cannot be read.
    """
    return tuple(parse_matcher(text) for text in query.getall("filter", []))


def agree(wanted: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """Tell whether labels agree with a filter; `name=""` asks for their absence, `name!=""` for their presence.

    Source: Alertmanager's api/v2, matchFilterLabels: an empty value agrees at once where the label is absent (or, for
    a negative matcher, present).
    """
    for matcher in wanted:
        is_present = matcher.name in labels
        if matcher.value == "" and is_present != matcher.is_equal:
            continue
        if not matcher.matches(labels.get(matcher.name, "")):
            return False
    return True


def _flag(query: Fields, name: str) -> bool:
    text = next(iter(query.getall(name, [])), "")
    if text and text not in _TRUE + _FALSE:
        raise SchemaError(f'{name} in query must be of type boolean: "{text[:100]}"', 601)
    return text not in _FALSE


def _receiver(query: Fields) -> Pattern | None:
    text = next(iter(query.getall("receiver", [])), "")
    if not text:
        return None
    try:
        return compile_pattern(translate(text))
    except (ValueError, re.error) as error:
        raise UserError(f"failed to parse receiver param: {error}") from None


OPERATORS = {
    MatchOp.EQUAL: (False, True), MatchOp.NOT_EQUAL: (False, False),
    MatchOp.REGEX: (True, True), MatchOp.NOT_REGEX: (True, False),
}  # fmt: skip
"""Whether a matcher is a regular expression, and whether it wants its label to be like its value."""
