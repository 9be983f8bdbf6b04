"""Where the daemon may listen."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import UserError
from security.listen import ListenAddress, check_listen, host_of, is_loopback, parse_listen


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:8797", "127.0.0.1", 8797),
        ("localhost:0", "localhost", 0),
        ("[::1]:8797", "::1", 8797),
        (":8797", "0.0.0.0", 8797),
        ("watch-1.example.org:80", "watch-1.example.org", 80),
    ],
)
def test_an_address_is_host_and_port(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == ListenAddress(host, port)


@pytest.mark.parametrize(
    "text", ["", "8797", "127.0.0.1", "127.0.0.1:", "127.0.0.1:99999", "::1:8797", "[::1:8797", "[x]:1", "a b:1", "h:²"]
)
def test_anything_else_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UserError, match=r"127\.0\.0\.1:8797|\[::1\]:8797"):
        parse_listen(text)


@given(st.text())
def test_a_refused_address_is_a_user_error(text: str) -> None:
    try:
        address = parse_listen(text)
    except UserError:
        return
    assert parse_listen(str(address)) == address


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost", "LOCALHOST.", "shop.localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    assert is_loopback(host)
    check_listen(ListenAddress(host, 8797), token_configured=False)


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "192.0.2.1", "example.org", "localhost.example.org", "127.0.0.1.nip.io"]
)
def test_any_other_address_needs_a_token(host: str) -> None:
    with pytest.raises(UserError, match=r"set web\.token_file"):
        check_listen(ListenAddress(host, 8797), token_configured=False)
    check_listen(ListenAddress(host, 8797), token_configured=True)


@pytest.mark.parametrize(
    ("authority", "host"), [("localhost:8797", "localhost"), ("[::1]:80", "::1"), ("[::1]", "::1"), ("A.b", "a.b")]
)
def test_the_host_of_an_authority_stands_alone(authority: str, host: str) -> None:
    assert host_of(authority) == host
