"""The system's trusted certificates, read when the first connection needs them rather than at import.

aiohttp makes its two shared TLS contexts while it is imported, and each reads every certificate of the system: 100 ms
and 3 MiB, which a daemon that only watches its own machine never uses.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from weakref import WeakSet

_waiting: WeakSet[ssl.SSLContext] = WeakSet()


class _LateContext(ssl.SSLContext):
    """A context that trusts nobody yet; its first handshake makes it an ordinary one, which trusts the system's."""

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        _read(self)
        return self.wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        _read(self)
        return self.wrap_socket(*arguments, **options)


@contextmanager
def late_trust() -> Iterator[None]:
    """While this is entered, contexts that ask for the system's certificates get them at their first handshake.

    For the import of libraries, in the main thread, before any other is started.
    """

    def postpone(context: ssl.SSLContext) -> None:
        context.__class__ = _LateContext
        _waiting.add(context)

    # The method is inherited from the C type: the attribute hides it, and removing the attribute shows it again.
    ssl.SSLContext.set_default_verify_paths = postpone  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        del ssl.SSLContext.set_default_verify_paths


def read_trusted() -> None:
    """Read the certificates now, for contexts that will be used: 50 ms each, so it is for a thread."""
    for context in tuple(_waiting):
        if context.verify_mode != ssl.CERT_NONE:
            _read(context)


def _read(context: ssl.SSLContext) -> None:
    # In this order: a handshake in another thread meanwhile reads them too, which does no harm, and never goes without.
    ssl.SSLContext.set_default_verify_paths(context)
    context.__class__ = ssl.SSLContext
    _waiting.discard(context)
