"""A message to one address, as it is stored, sent and sent again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Message:
    """One notification to one address, as it is sent and sent again.

    Attributes:
        key: the same for every attempt to deliver it, whatever happens in between; sent as Idempotency-Key.
        integration: which of the receiver's addresses: `webhook/0`.
        status: firing or resolved, of the group.
        number: order in the queue; 0 before it is stored.
    """

    key: str
    receiver: str
    integration: str
    group_key: str
    status: str
    body: str
    created_at: float
    number: int = 0

    @property
    def lane(self) -> tuple[str, str, str]:
        """Messages of one lane are delivered in order."""
        return self.receiver, self.integration, self.group_key


def message_key(receiver: str, integration: str, body: str, created_at: float) -> str:
    """Return the idempotency key of a message."""
    content = "\0".join((receiver, integration, repr(created_at), body))
    return hashlib.sha256(content.encode()).hexdigest()[:32]
