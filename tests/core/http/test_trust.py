"""Certificates are read late, and never left out."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys

import pytest

from core.http.trust import late_trust, read_trusted


@pytest.fixture
def late() -> ssl.SSLContext:
    with late_trust():
        return ssl.create_default_context()


def trusted(context: ssl.SSLContext) -> int:
    return context.cert_store_stats()["x509"]


def test_nothing_is_read_at_first(late: ssl.SSLContext) -> None:
    assert trusted(late) == 0
    assert (late.verify_mode, late.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_the_first_handshake_in_memory_reads_all(late: ssl.SSLContext) -> None:
    late.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="host")
    assert trusted(late) == trusted(ssl.create_default_context())
    assert type(late) is ssl.SSLContext


def test_the_first_handshake_of_a_socket_reads_all(late: ssl.SSLContext) -> None:
    with socket.socket() as plain, late.wrap_socket(plain, server_hostname="host"):
        assert trusted(late) == trusted(ssl.create_default_context())


def test_it_can_be_read_ahead(late: ssl.SSLContext) -> None:
    read_trusted()
    assert trusted(late) == trusted(ssl.create_default_context())
    read_trusted()


def test_contexts_made_later_are_as_ever(late: ssl.SSLContext) -> None:
    context = ssl.create_default_context()
    assert type(context) is ssl.SSLContext
    assert "set_default_verify_paths" not in vars(ssl.SSLContext)


SCRIPT = """
import ssl
from core.http.trust import late_trust
with late_trust():
    import aiohttp
contexts = aiohttp.connector._SSL_CONTEXT_VERIFIED, aiohttp.connector._SSL_CONTEXT_UNVERIFIED
print([context.cert_store_stats()["x509"] for context in contexts])
"""


def test_the_client_library_is_imported_without_them() -> None:
    ran = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert ran.stdout == "[0, 0]\n"
