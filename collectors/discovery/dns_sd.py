"""dns_sd: targets that a name server knows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from collectors.discovery.config import DnsSdConfig
from collectors.discovery.discovery import Discovered
from collectors.discovery.group import ADDRESS, DiscoveryError, TargetGroup

if TYPE_CHECKING:
    from dns.asyncresolver import Resolver

MAX_SECONDS = 10.0

MakeResolver = Callable[[], "Resolver"]


def system_resolver() -> Resolver:
    """Return a resolver that asks the servers of /etc/resolv.conf as it is now; reads that file."""
    from dns.asyncresolver import Resolver  # noqa: PLC0415 - most configs need no DNS client

    return Resolver()


class DnsProvider:
    """Looks up the names of one entry.

    Args:
        make_resolver: called in a thread, before each look.
    """

    def __init__(self, name: str, config: DnsSdConfig, make_resolver: MakeResolver = system_resolver) -> None:
        self.name = name
        self.signature: object = ("dns_sd", config, make_resolver)
        self.refresh_seconds = config.refresh_interval
        self._config = config
        self._make_resolver = make_resolver
        self._known: dict[str, TargetGroup] = {}

    async def refresh(self) -> Discovered:
        """Look up all names; one that cannot be looked up keeps its last targets."""
        try:
            resolver = await asyncio.to_thread(self._make_resolver)
        except Exception as error:
            raise DiscoveryError(f"cannot ask a name server: {error}") from error
        found = await asyncio.gather(*(self._look_up(resolver, name) for name in self._config.names))
        problems = "; ".join(problem for problem in found if problem)
        return Discovered(tuple(self._known.values()), problems)

    async def close(self) -> None:
        """Nothing is held open."""

    async def _look_up(self, resolver: Resolver, name: str) -> str:
        """Look up one name and return what was wrong."""
        from dns.exception import DNSException  # noqa: PLC0415
        from dns.resolver import NXDOMAIN  # noqa: PLC0415

        try:
            answer = await resolver.resolve(
                name, self._config.type, search=True, raise_on_no_answer=False, lifetime=MAX_SECONDS
            )
        except NXDOMAIN:
            self._known[name] = TargetGroup(())
            return ""
        except (DNSException, OSError, UnicodeError) as error:
            return f"{name}: {' '.join(str(error).split())[:300] or type(error).__name__}"
        records = answer.rrset if answer.rrset is not None else ()
        self._known[name] = TargetGroup(tuple(self._target(name, record) for record in records))
        return ""

    def _target(self, name: str, record: Any) -> dict[str, str]:
        labels = {"__meta_dns_name": name}
        kind, port = self._config.type, self._config.port
        if kind in ("A", "AAAA"):
            host = str(record.address)
        elif kind == "SRV":
            host, port = str(record.target), int(record.port)
            labels |= {"__meta_dns_srv_record_target": host, "__meta_dns_srv_record_port": str(port)}
        elif kind == "MX":
            host = str(record.exchange)
            labels["__meta_dns_mx_record_target"] = host
        else:
            host = str(record.target)
            labels["__meta_dns_ns_record_target"] = host
        host = host.rstrip(".")
        return {ADDRESS: f"[{host}]:{port}" if ":" in host else f"{host}:{port}", **labels}
