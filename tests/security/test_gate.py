"""Who may pass."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from security.attempts import Attempts, network_of
from security.gate import Decision, Gate, SignIn, Visit
from security.listen import ListenAddress
from security.token import Token
from tests.fakes.clock import FakeClock

READ = Visit("GET", "/api/watchkeeper/v1/overview", "127.0.0.1", host="127.0.0.1:8797")
ACT = Visit(
    "POST", "/api/watchkeeper/v1/operations", "127.0.0.1", host="127.0.0.1:8797",
    content_type="application/json", has_body=True,
)  # fmt: skip


def _gate(token: str = "", clock: FakeClock | None = None, registry: CollectorRegistry | None = None) -> Gate:
    return Gate(
        ListenAddress("127.0.0.1", 8797),
        Token(SecretStr(token)) if token else None,
        clock=clock or FakeClock(),
        registry=registry or CollectorRegistry(),
    )


def _status(decision: Decision) -> int:
    return decision.refusal.status if decision.refusal else 200


@pytest.mark.parametrize("host", ["127.0.0.1:8797", "localhost:8797", "[::1]:8797", "localhost", "a.localhost", ""])
def test_a_name_of_this_machine_passes_without_a_token(host: str) -> None:
    assert _gate().decide(replace(READ, host=host)) == Decision(None, "local")


FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("host", ["evil.example:8797", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1"])
def test_a_rebound_name_is_kept_out(host: str) -> None:
    assert _status(_gate().decide(replace(READ, host=host))) == 403
    assert _status(_gate().decide(replace(READ, host=host, path="/-/healthy"))) == 403


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8797"}, 200),
        ({"origin": "http://127.0.0.1:8797", "fetch_site": "same-origin"}, 200),
        ({"fetch_site": "none"}, 200),
        ({"origin": "https://watch.example", "fetch_site": "same-origin"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"origin": "http://127.0.0.1:8797", "fetch_site": "cross-site"}, 403),
        ({"fetch_site": "same-site"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": FORM}, 415),
        ({"content_type": "application/json; charset=utf-8"}, 200),
        ({"content_type": "", "has_body": False, "path": "/-/reload"}, 200),
        ({"content_type": FORM, "path": "/api/watchkeeper/v1/query"}, 200),
        ({"content_type": FORM, "path": "/api/v1/query"}, 200),
        ({"content_type": FORM, "path": "/api/v1/labels"}, 200),
        ({"content_type": FORM, "path": "/api/v1/query/"}, 415),
        ({"content_type": FORM, "path": "/api/v1/label/job/values"}, 415),
        ({"content_type": FORM, "path": "/api/v1/query", "origin": "http://evil.example"}, 403),
        ({"content_type": FORM, "path": "/api/v1/query", "fetch_site": "cross-site"}, 403),
    ],
)
@pytest.mark.parametrize("token", ["", "hunter2"])
def test_only_the_same_origin_or_no_browser_may_act(token: str, change: dict[str, str], status: int) -> None:
    visit = replace(ACT, authorization=f"Bearer {token}", **change)  # type: ignore[arg-type]
    assert _status(_gate(token).decide(visit)) == status


def test_with_a_token_only_the_token_opens() -> None:
    gate = _gate("hunter2")
    assert _status(gate.decide(READ)) == 401
    assert _status(gate.decide(replace(READ, authorization="Bearer hunter3"))) == 401
    assert _status(gate.decide(replace(READ, authorization="Bearer hunter2", host="watch.example"))) == 200


def test_a_browser_is_asked_to_sign_in() -> None:
    refusal = _gate("hunter2").decide(READ).refusal
    assert refusal is not None
    assert dict(refusal.headers)["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("path", ["/-/healthy", "/-/ready"])
def test_health_checks_need_no_token(path: str) -> None:
    assert _status(_gate("hunter2").decide(replace(READ, path=path))) == 200


def test_reloading_needs_the_token() -> None:
    assert _status(_gate("hunter2").decide(replace(READ, method="POST", path="/-/reload"))) == 401


def test_the_sixth_wrong_token_in_a_minute_must_wait_and_so_must_the_right_one() -> None:
    clock, registry = FakeClock(), CollectorRegistry()
    gate = _gate("hunter2", clock, registry)
    wrong, right = replace(READ, authorization="Bearer x"), replace(READ, authorization="Bearer hunter2")
    assert [_status(gate.decide(wrong)) for _ in range(6)] == [401] * 5 + [429]
    assert _status(gate.decide(right)) == 429
    assert _status(gate.decide(replace(right, address="192.0.2.7"))) == 200
    assert registry.get_sample_value("watchkeeper_sign_in_failures_total") == 5


async def test_after_a_minute_the_right_token_opens_again() -> None:
    clock = FakeClock()
    gate = _gate("hunter2", clock)
    for _ in range(6):
        gate.decide(replace(READ, authorization="Bearer x"))
    await clock.advance(60.0)
    assert _status(gate.decide(replace(READ, authorization="Bearer hunter2"))) == 200


def test_asking_without_a_token_is_no_failed_sign_in() -> None:
    gate = _gate("hunter2")
    assert [_status(gate.decide(READ)) for _ in range(20)] == [401] * 20


async def test_a_sign_in_is_recorded_once_an_hour_per_address() -> None:
    clock = FakeClock()
    gate = _gate("hunter2", clock)
    visit = replace(READ, authorization="Basic YWxpY2U6aHVudGVyMg==")
    assert gate.decide(visit) == Decision(None, "token:alice", SignIn.SUCCEEDED)
    assert gate.decide(visit).sign_in is None
    assert gate.decide(replace(visit, address="192.0.2.7")).sign_in is SignIn.SUCCEEDED
    await clock.advance(3600.0)
    assert gate.decide(visit).sign_in is SignIn.SUCCEEDED


def test_failed_sign_ins_of_a_crowd_do_not_fill_the_logbook() -> None:
    gate = _gate("hunter2")
    visits = [replace(READ, authorization="Bearer x", address=f"192.0.2.{host}") for host in range(100)]
    assert sum(gate.decide(visit).sign_in is SignIn.FAILED for visit in visits) == 30


def test_a_visit_does_not_print_its_token() -> None:
    assert "hunter2" not in repr(replace(READ, authorization="Bearer hunter2"))


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unix", "unix"),
    ],
)
def test_one_ipv6_host_counts_as_one_client(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_crowd_of_addresses_takes_bounded_memory() -> None:
    attempts = Attempts(FakeClock(), limit=1, window_seconds=60.0, max_keys=3)
    for key in "abcd":
        attempts.add(key)
    assert [attempts.wait_seconds(key) > 0 for key in "abcd"] == [False, True, True, True]
