"""Where people work on incidents: what they do is decided at once, and durable before they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from sqlalchemy import Connection

from alerting import incident_work as work
from alerting.alert import Severity
from alerting.incident import Incident, IncidentAlert, IncidentEvent
from alerting.incident_link import Claim
from alerting.incident_links import IncidentLinks
from alerting.incident_store import claim_link, is_link_used, load_alerts, load_incident
from alerting.incident_work import Doer
from alerting.incidents import Incidents
from alerting.journal import Batch, Journal
from core.clock import Clock
from core.db.database import Database
from core.errors import ConflictError, NotFoundError, StoreUnavailableError

WRITE_SECONDS = 5.0
"""So long a person waits for the disk before being told that the change still waits for it."""


class IncidentDesk:
    """Acts on incidents for people.

    Every method raises NotFoundError for an incident that does not exist, ConflictError where something is so already
    or has to be done first, UserError for a wrong argument, and StoreUnavailableError while nothing can be written.
    """

    def __init__(
        self, incidents: Incidents, journal: Journal, database: Database, clock: Clock, links: IncidentLinks
    ) -> None:
        self._incidents = incidents
        self._links = links
        self._claimed: set[str] = set()
        self._journal = journal
        self._database = database
        self._clock = clock

    async def get(self, number: int) -> Incident:
        """Return an incident as it is now."""
        found = self._incidents.get(number)
        if found is None:
            found = await self._database.read(lambda connection: load_incident(connection, number))
            found = self._incidents.get(number) or found
        if found is None:
            raise NotFoundError(f"there is no incident {number}; 'watchkeeper incidents' lists them")
        return found

    async def alerts(self, number: int) -> list[IncidentAlert]:
        """Return an incident's alerts in the order in which they joined."""
        return await self._database.read(lambda connection: load_alerts(connection, number))

    async def acknowledge(self, number: int, by: Doer, note: str = "") -> Incident:
        """Say that somebody works on it; they own it if nobody did."""
        incident = await self.get(number)
        return await self._do(work.acknowledge(incident, by, self._clock.now(), note))

    async def mitigate(self, number: int, by: Doer, note: str = "") -> Incident:
        """Say that its effects are contained, though its cause may not be removed."""
        incident = await self.get(number)
        return await self._do(work.mitigate(incident, by, self._clock.now(), note))

    async def resolve(self, number: int, by: Doer, note: str = "") -> Incident:
        """End it, whether or not its alerts still fire."""
        incident = await self.get(number)
        return await self._do(work.resolve(incident, by, self._clock.now(), note))

    async def reopen(self, number: int, by: Doer, note: str = "") -> Incident:
        """Take it up again; only a person resolves it then."""
        incident = await self.get(number)
        return await self._do(work.reopen(incident, by, self._clock.now(), note))

    async def review(self, number: int, by: Doer, findings: dict[str, str]) -> Incident:
        """Close its review with what was found: `cause`, `impact`, `follow_ups`, `note`."""
        incident = await self.get(number)
        return await self._do(work.review(incident, by, self._clock.now(), findings))

    async def assign(self, number: int, by: Doer, owner: str, note: str = "") -> Incident:
        """Say who works on it; an empty name for nobody."""
        incident = await self.get(number)
        return await self._do(work.assign(incident, by, owner, note))

    async def set_severity(self, number: int, by: Doer, severity: Severity, note: str = "") -> Incident:
        """Say how bad it is."""
        incident = await self.get(number)
        return await self._do(work.set_severity(incident, by, severity, note))

    async def note(self, number: int, by: Doer, text: str) -> Incident:
        """Put a text on its timeline."""
        incident = await self.get(number)
        return await self._do(work.note(incident, by, text))

    async def open(
        self, by: Doer, *, title: str, service: str = "", environment: str = "", severity: Severity, note: str = ""
    ) -> Incident:
        """Begin an incident that no alert tells of."""
        number, now = self._incidents.next_id, self._clock.now()
        events = work.open_by_hand(
            number, by, now, title=title, service=service, environment=environment, severity=severity, note=note
        )
        return await self._do(events)

    async def link_state(self, token: str) -> tuple[Claim, Incident, bool]:
        """Return what a link is for, its incident as it is now, and whether the link was used.

        Raises: LinkExpiredError, ForbiddenError, NotFoundError.
        """
        claim = self._links.read(token)
        incident = await self.get(claim.incident)
        while incident.merged_into is not None:
            incident = await self.get(incident.merged_into)
        used = await self._database.read(lambda connection: is_link_used(connection, claim.nonce))
        return claim, incident, used or claim.nonce in self._claimed

    async def acknowledge_by_link(self, token: str, person: str = "") -> Incident:
        """Acknowledge what a link is for; it works once.

        Args:
            person: who says so, where the link was not sent to one person; nobody checks it.
        """
        claim, incident, used = await self.link_state(token)
        if used:
            raise ConflictError(f"this link was used before; incident {incident.id} is {incident.status}")
        name = claim.person or " ".join(person.split())[: work.MAX_NAME]
        by = Doer(f"link:{name}" if name else "link", name or "someone with the link")
        now = self._clock.now()
        events = work.acknowledge(self._incidents.get(incident.id) or incident, by, now)
        self._claimed.add(claim.nonce)
        after = await self._do(
            events, also=[lambda connection: claim_link(connection, claim.nonce, claim.expires_at, now)]
        )
        self._claimed.discard(claim.nonce)  # the database knows it now
        return after

    async def merge(self, number: int, into: int, by: Doer, note: str = "") -> Incident:
        """Put an incident's alerts and history into another, and return that one."""
        await self.get(number)
        target = await self.get(into)
        source = await self.get(number)  # neither may be older than the other
        events = work.merge(source, self._incidents.get(into) or target, by, self._clock.now(), note)
        return await self._do(events, show=1)

    async def split(self, number: int, alerts: Sequence[str], by: Doer, title: str = "", note: str = "") -> Incident:
        """Make some of an incident's alerts one of their own, and return that one."""
        known = {alert.id: alert for alert in await self.alerts(number)}
        incident = await self.get(number)
        unknown = next((alert for alert in alerts if alert not in known or alert not in incident.alerts), None)
        if unknown is not None:
            raise NotFoundError(f"incident {number} has no alert {unknown!r}; 'watchkeeper incident show' lists them")
        chosen = [known[alert] for alert in dict.fromkeys(alerts)]
        events = work.split(incident, chosen, self._incidents.next_id, by, self._clock.now(), title, note)
        return await self._do(events, show=1)

    async def _do(
        self, events: list[IncidentEvent], *, show: int = 0, also: Sequence[Callable[[Connection], object]] = ()
    ) -> Incident:
        """Follow events, and return the incident of one of them once all are durable.

        Nothing is awaited between a decision and the queue, so that everything is written in the order of decisions.
        """
        if self._journal.trouble:
            raise StoreUnavailableError(f"{self._journal.trouble}; nothing was changed, try again")
        self._incidents.apply(events)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._journal.add(Batch(incidents=events, time=self._clock.now(), entries=list(also), done=done))
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await asyncio.shield(done)
        except TimeoutError:
            reason = "the state database does not take the change now; it is kept and written as soon as it does"
            raise StoreUnavailableError(f"{reason}; look at the incident again") from None
        return events[show].incident
