"""What the pipeline has decided and is to be written down as one: messages, and the memory that goes with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from alerting.alert import Alert
from alerting.notify.message import Message
from alerting.pipeline.dedup import Sent
from alerting.pipeline.group import GroupId

Lane: TypeAlias = tuple[str, str, str]
"""Receiver, integration and group key: messages of one lane are delivered in order."""


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group as it is kept.

    Attributes:
        next_at: when it is looked at next; Unix seconds.
        empty_since: since when it has no alerts; Unix seconds, None while it has some.
    """

    labels: Mapping[str, str]
    next_at: float
    has_looked: bool
    empty_since: float | None = None


@dataclass(frozen=True, slots=True)
class Summed:
    """How many messages and alerts a summary stands for, for the logbook."""

    receiver: str
    messages: int
    alerts: Mapping[str, int]


@dataclass(slots=True)
class Decision:
    """Changes that are written in one transaction, before any message of it is sent.

    Attributes:
        sent: what receivers were told last; None for a record that is not needed any more.
        groups: None for groups that are over.
        ended: by group, then by identity: ended alerts that wait to be told; None for those that wait no more.
    """

    messages: list[Message] = field(default_factory=list)
    sent: dict[Lane, Sent | None] = field(default_factory=dict)
    groups: dict[GroupId, GroupRow | None] = field(default_factory=dict)
    ended: dict[GroupId, dict[str, Alert | None]] = field(default_factory=dict)
    summed: list[Summed] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.messages or self.sent or self.groups or self.ended or self.summed)


@dataclass(frozen=True, slots=True)
class Memory:
    """What an earlier process wrote down."""

    sent: Mapping[Lane, Sent] = field(default_factory=dict)
    groups: Mapping[GroupId, GroupRow] = field(default_factory=dict)
    ended: Sequence[tuple[GroupId, Alert]] = ()
