"""The addresses that stand in notifications."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import quote

from alerting.incident import Incident, IncidentStatus
from alerting.incident_link import PATH, Claim, LinkKeyError, LinkSigner, load_or_make_key
from alerting.notify.notice import Links
from core.clock import Clock
from core.errors import ForbiddenError
from metrics.label import escape_value

_log = logging.getLogger(__name__)

ACKNOWLEDGE = "acknowledge"


class IncidentLinks:
    """Makes links, and reads the signed ones.

    Args:
        url: where people reach the daemon, asked anew each time; empty for "nobody knows", and then there are no links.
        key_file: holds the key that signs; None for no links that act.
    """

    def __init__(self, url: Callable[[], str], key_file: Path | None, clock: Clock) -> None:
        self._url = url
        self._key_file = key_file
        self._clock = clock
        self._signer: LinkSigner | None = None
        self.lifetime_seconds = 86_400.0

    def load_key(self) -> None:
        """Read the key, or make one; for a thread. Without one, notifications have no links that act."""
        if self._key_file is None:
            return
        try:
            self._signer = LinkSigner(load_or_make_key(self._key_file))
        except LinkKeyError as error:
            _log.error("notifications cannot have links that acknowledge: %s", error)

    def links(self, incident: Incident | None, labels: Mapping[str, str], person: str = "") -> Links:
        """Return the links for a notification.

        Args:
            labels: those that all its alerts have in common; what a silence is made of.
            person: whom it goes to, where that is one person; stands in the logbook when the link is used.
        """
        base = self._url().rstrip("/")
        if not base:
            return Links()
        matchers = ",".join(f'{name}="{escape_value(value)}"' for name, value in sorted(labels.items()))
        return Links(
            console=f"{base}/#alerts",
            incident="" if incident is None else f"{base}/#incident/{incident.id}",
            acknowledge=self._acknowledge(base, incident, person),
            silence=f"{base}/#silence/new?filter={quote('{' + matchers + '}', safe='')}" if labels else "",
        )

    def read(self, token: str) -> Claim:
        """Return what a token lets its holder do.

        Raises: LinkExpiredError, ForbiddenError.
        """
        if self._signer is None:
            raise ForbiddenError("links do not work now; see the daemon's log")
        return self._signer.read(token, self._clock.now())

    def _acknowledge(self, base: str, incident: Incident | None, person: str) -> str:
        if self._signer is None or incident is None or incident.status is not IncidentStatus.OPEN:
            return ""
        expires_at = self._clock.now() + self.lifetime_seconds
        return base + PATH + self._signer.token(ACKNOWLEDGE, incident.id, person, expires_at)
