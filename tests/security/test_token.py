"""How a token is presented and compared."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from security.token import Token, presented


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def test_a_bearer_token_is_read() -> None:
    shown = presented("Bearer abc")
    assert shown is not None
    assert (shown.secret, shown.user) == ("abc", "")


def test_the_password_of_http_basic_is_the_token_and_may_contain_colons() -> None:
    shown = presented(_basic("alice", "a:b:c"))
    assert shown is not None
    assert (shown.secret, shown.user) == ("a:b:c", "alice")


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic", "Basic !!!", "Basic " + base64.b64encode(b"no colon").decode(),
               "Basic " + base64.b64encode(b"\xff:\xff").decode(), "Digest username=x", "abc"],
)  # fmt: skip
def test_anything_else_presents_nothing(header: str) -> None:
    assert presented(header) is None


@given(st.text())
def test_reading_a_header_never_fails(header: str) -> None:
    presented(header)
    presented("Basic " + header)


@given(st.text(min_size=1), st.text())
def test_only_the_token_itself_matches(secret: str, candidate: str) -> None:
    assert Token(SecretStr(secret)).matches(candidate) == (secret == candidate)


def test_a_presented_secret_does_not_print_itself() -> None:
    assert "hunter2" not in repr(presented("Bearer hunter2"))
