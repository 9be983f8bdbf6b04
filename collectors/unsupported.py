"""Keys that Prometheus knows and we do not yet: core.unsupported."""

from __future__ import annotations

from core.unsupported import Unsupported

__all__ = ["Unsupported"]
