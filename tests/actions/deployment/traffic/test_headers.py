from __future__ import annotations

import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from actions.deployment.traffic.headers import end_to_end, to_backend, wants_websocket


def headers(*pairs: tuple[str, str]) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(pairs))


def test_headers_of_one_connection_are_dropped_and_the_rest_kept_in_order() -> None:
    passed = end_to_end(
        headers(
            ("Accept", "a"),
            ("Connection", "keep-alive, X-Private"),
            ("X-Private", "1"),
            ("Keep-Alive", "5"),
            ("TE", "trailers"),
            ("Transfer-Encoding", "chunked"),
            ("Upgrade", "h2c"),
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=2"),
            ("Proxy-Authorization", "secret"),
        )
    )  # fmt: skip
    assert list(passed.items()) == [("Accept", "a"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]


def test_bytes_that_are_not_utf_8_are_replaced_rather_than_failing() -> None:
    passed = end_to_end(headers(("X-Name", b"caf\xe9".decode(errors="surrogateescape")), ("X-Good", "café")))
    assert dict(passed) == {"X-Name": "caf\ufffd", "X-Good": "café"}


def test_forwarded_headers_are_made_for_a_stranger() -> None:
    passed = to_backend(
        headers(
            ("Host", "shop.example"), ("X-Forwarded-For", "1.1.1.1"), ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "evil.example"), ("Expect", "100-continue"),
        ),
        peer="203.0.113.9", scheme="http",
    )  # fmt: skip
    assert dict(passed) == {
        "Host": "shop.example", "X-Forwarded-For": "1.1.1.1, 203.0.113.9", "X-Forwarded-Proto": "http",
        "X-Forwarded-Host": "shop.example",
    }  # fmt: skip


@pytest.mark.parametrize("peer", ["127.0.0.1", "::1"])
def test_what_a_tls_terminator_on_this_machine_says_is_kept(peer: str) -> None:
    passed = to_backend(
        headers(("Host", "inner"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "shop.example")),
        peer=peer, scheme="http",
    )  # fmt: skip
    assert (passed["X-Forwarded-Proto"], passed["X-Forwarded-Host"]) == ("https", "shop.example")
    assert passed["X-Forwarded-For"] == peer


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        ([("Connection", "keep-alive, Upgrade"), ("Upgrade", "WebSocket")], True),
        ([("Connection", "Upgrade"), ("Upgrade", "h2c")], False),
        ([("Upgrade", "websocket")], False),
        ([], False),
    ],
)
def test_only_a_whole_handshake_asks_for_a_websocket(pairs: list[tuple[str, str]], expected: bool) -> None:
    assert wants_websocket(headers(*pairs)) is expected
