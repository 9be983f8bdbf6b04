"""Which changes are suspects: those shortly before, of the services concerned, likeliest first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from alerting.correlation import opened
from alerting.incident import Incident
from alerting.incident_change import changes_in, suspect_texts, suspects
from core.logbook import Entry
from tests.alerting.makers import alert

AUTH = "service/auth/production"


class Book:
    """Entries in the order in which they are written."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, time: float, what: str, subject: str, actor: str = "watchkeeper", /, **data: Any) -> Book:
        number = len(self.entries) + 1
        self.entries.append(Entry(number, time, what, subject, actor, data, "", ""))
        return self

    def deploy(self, time: float, service: str, version: str, operation: int, kind: str = "deploy") -> Book:
        self.add(
            time - 5, "operation.requested", f"operation/{operation}", "token:anna", kind=kind, service=service,
            environment="production", parameters={"version": version},
        )  # fmt: skip
        return self.add(time, "revision.baking", f"service/{service}/production", version=version, revision=operation,
                        operation=str(operation))  # fmt: skip


def incident(at: float = 1000.0, service: str = "auth") -> Incident:
    fired = alert("Errors", service=service, environment="production", severity="critical", at=at)
    return opened(1, fired, at + 10)


def named(book: Book, of: Incident, needed: tuple[str, ...] = (), within: float = 1800.0) -> tuple[str, ...]:
    return suspect_texts(of, suspects(of, changes_in(book.entries), needed, within_seconds=within))


def test_the_release_before_the_trouble_is_named_with_its_age() -> None:
    assert named(Book().deploy(960, "auth", "1.4.2", 3), incident()) == ("auth 1.4.2, deployed 40 s before",)


def test_the_end_of_a_bake_time_is_no_change() -> None:
    book = Book().deploy(100, "auth", "1.4.2", 3)
    book.add(990, "operation.requested", "operation/4", kind="promote", service="auth", environment="production")
    book.add(995, "revision.good", AUTH, version="1.4.2", revision=3, operation="4")
    assert named(book, incident(), within=800) == ()


def test_a_release_without_bake_time_counts_when_it_is_good() -> None:
    book = Book().add(900, "operation.requested", "operation/3", kind="deploy", service="auth", parameters={})
    book.add(940, "revision.good", AUTH, version="2.0", revision=3, operation="3")
    assert named(book, incident()) == ("auth 2.0, deployed 1 min before",)


def test_own_services_come_first_then_what_they_need_then_everything_else() -> None:
    book = Book().add(990, "config.reloaded", "config", "token:anna").deploy(980, "database", "16.2", 1)
    book.deploy(400, "auth", "1.4.2", 2).deploy(995, "mail", "9", 3)
    assert named(book, incident(), ("database",)) == (
        "auth 1.4.2, deployed 10 min before",
        "database 16.2, deployed 20 s before",
        "configuration, reloaded 10 s before",
    )


def test_what_is_too_long_ago_or_came_later_is_no_suspect() -> None:
    book = Book().deploy(899, "auth", "1", 1).deploy(1011, "auth", "2", 2)
    assert named(book, incident(), within=100) == ()


def test_what_changed_between_the_first_sign_and_the_incident_comes_last() -> None:
    book = Book().deploy(1005, "auth", "2", 2).deploy(900, "auth", "1", 1)
    assert named(book, incident()) == ("auth 1, deployed 1 min 40 s before", "auth 2, deployed 5 s before")


def test_another_environment_is_another_matter() -> None:
    of = replace(incident(), subjects=frozenset({"service/auth/staging"}))
    assert named(Book().deploy(960, "auth", "1.4.2", 3), of) == ()


def test_a_rollback_and_other_operations_are_named_as_what_they_are() -> None:
    book = Book().deploy(900, "auth", "1.4.1", 5, kind="rollback")
    book.add(950, "operation.requested", "operation/6", "token:bob", kind="scale", service="auth",
             environment="production", parameters={"instances": 4})  # fmt: skip
    book.add(960, "operation.requested", "operation/7", kind="backup", service="auth", environment="production")
    scale, rollback = "scale of auth, begun 50 s before", "auth 1.4.1, rolled back to 1 min 40 s before"
    assert named(book, incident()) == (scale, rollback)
