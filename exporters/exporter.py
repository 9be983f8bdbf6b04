"""The contract of everything that gives what is known to other tools, in the formats that they read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol

from prometheus_client import CollectorRegistry

from metrics.frame import Family, FloatArray, Layout, TimeArray

ENTRY_POINT_GROUP = "watchkeeper.exporters"


class Exportable(Protocol):
    """Series and their last values: a metrics.frame.Frame, or the readings of a collector."""

    @property
    def layout(self) -> Layout:
        """The series; the same object as last time while they are the same."""

    @property
    def values(self) -> FloatArray:
        """Shape (len(layout),)."""

    @property
    def timestamps_ms(self) -> TimeArray | None:
        """Shape (len(layout),), for samples that brought their own times, else NO_TIMESTAMP; None if none did."""

    @property
    def families(self) -> Mapping[str, Family]:
        """By metric family name."""


class PushingExporter(Protocol):
    """Brings samples to others by itself. Registered as an entry point of the same group; a core.lifecycle.Component.

    It reads what was stored (metrics.store.Store.read_wal) rather than being told, so that nothing is lost while
    others do not listen or the daemon is down.
    """

    @property
    def name(self) -> str:
        """What it is called in logs."""

    async def start(self) -> None:
        """Begin to send."""

    async def stop(self) -> None:
        """End; the next start goes on where this one stopped."""

    @property
    def troubles(self) -> Mapping[str, str]:
        """Why nothing can be sent, by receiver; without those where all is well."""


class Exporter(Protocol):
    """Shows series on request. Registered as an entry point of the group `watchkeeper.exporters`.

    May be called from several threads at once.
    """

    def render(self, frames: Iterable[Exportable], own: CollectorRegistry, accept: str) -> tuple[str, bytes]:
        """Return a document with all series of the frames and of the daemon's own registry.

        Args:
            accept: the header of the request, by which the format is chosen; may be empty.
        Returns: the content type and the body, not compressed.
        """
