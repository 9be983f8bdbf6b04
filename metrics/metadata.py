"""What sources tell about their metrics besides samples: type, help and unit, as last told."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from metrics.frame import Family, Frame


class Metadata:
    """The families of each source's last frame; keeps a reference to what the frame has, and copies nothing.

    Everything may be called from any thread.
    """

    def __init__(self) -> None:
        self._families: dict[str, Mapping[str, Family]] = {}
        self._lock = threading.Lock()

    def note(self, frame: Frame) -> None:
        """Take note of what a frame tells; cheap. A frame that tells nothing leaves what was told before."""
        if frame.families and self._families.get(frame.source) is not frame.families:
            with self._lock:
                self._families[frame.source] = frame.families

    def end(self, source: str) -> None:
        """Forget a source."""
        with self._lock:
            self._families.pop(source, None)

    def of_source(self, source: str) -> Mapping[str, Family]:
        """Return the families of a source's last frame, by name."""
        return self._families.get(source, {})

    def by_name(self) -> Mapping[str, Sequence[Family]]:
        """Return what sources tell about each metric, no telling twice."""
        with self._lock:
            sources = [self._families[name] for name in sorted(self._families)]
        found: dict[str, dict[Family, None]] = {}
        for families in sources:
            for name, family in families.items():
                found.setdefault(name, {})[family] = None
        return {name: tuple(tellings) for name, tellings in found.items()}
