from __future__ import annotations

import pytest

from actions.deployment.traffic.address import split_address
from core.errors import UserError


@pytest.mark.parametrize(
    ("address", "expected"),
    [("127.0.0.1:80", ("127.0.0.1", 80)), ("[::1]:8080", ("::1", 8080)), ("shop.local:65535", ("shop.local", 65535))],
)
def test_address_is_split_into_host_and_port(address: str, expected: tuple[str, int]) -> None:
    assert split_address(address) == expected


@pytest.mark.parametrize("address", ["", "80", ":80", "host:", "::1:80", "host:http", "host:-1", "[]:80", "host:٣"])
def test_text_that_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(UserError, match=r"write host:port, such as 127\.0\.0\.1:8080"):
        split_address(address)


@pytest.mark.parametrize("address", ["host:0", "host:65536"])
def test_port_out_of_range_is_refused(address: str) -> None:
    with pytest.raises(UserError, match="give one from 1 to 65535"):
        split_address(address)
