"""TLS contexts, which all our HTTP clients share: core.http.tls."""

from __future__ import annotations

from core.http.tls import file_states, is_default, make_context

__all__ = ["file_states", "is_default", "make_context"]
