"""Documents as the daemon's API gives them, for tests of the command line."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

NOW = 1_700_000_000.0


def operation(**changed: Any) -> Document:
    """A deploy that has succeeded."""
    return {
        "id": "01J", "kind": "deploy", "service": "shop", "environment": "production", "state": "succeeded",
        "parameters": {"artifact": "/srv/shop"}, "requested_by": "anna", "reason": "", "created_at": NOW,
        "started_at": NOW + 0.1, "ended_at": NOW + 2.1, "error": None, "result": {},
        "steps": [step("fetch artifact"), step("start instances", detail="2 started")], **changed,
    }  # fmt: skip


def step(name: str, state: str = "succeeded", detail: str = "") -> Document:
    """One step; without an end while it runs."""
    ended = None if state == "running" else NOW + 1.5
    return {"name": name, "state": state, "started_at": NOW + 0.5, "ended_at": ended, "detail": detail}


def alert(**changed: Any) -> Document:
    """A firing alert."""
    return {
        "id": "a1", "name": "ShopErrors", "labels": {"service": "shop", "environment": "production"},
        "annotations": {"summary": "33 % of requests fail"}, "state": "firing", "severity": "critical",
        "active_since": NOW - 62, "fired_at": NOW - 60, "resolved_at": None, "value": 0.33, "rule": "shop",
        "expr": "ratio > 0.1", **changed,
    }  # fmt: skip


def incident(**changed: Any) -> Document:
    """An open incident."""
    return {
        "id": 7, "title": "ShopErrors: shop/production", "service": "shop", "environment": "production",
        "severity": "critical", "status": "open", "opened_at": NOW - 60, "resolved_at": None, "alerts": ["a1"],
        "owner": "",
        **changed,
    }  # fmt: skip


def target(**changed: Any) -> Document:
    """A target that answers."""
    return {
        "source": "scrape/shop/127.0.0.1:9000", "job": "shop", "instance": "127.0.0.1:9000", "labels": {},
        "health": "up", "last_error": None, "last_collected": NOW - 1, "last_duration_seconds": 0.0123,
        "samples": 321, "interval_seconds": 15.0, "exported": False, **changed,
    }  # fmt: skip


def service(**changed: Any) -> Document:
    """A service with a good and a current revision."""
    return {
        "service": "shop", "environment": "production", "strategy": "blue-green", "current": 2, "last_good": 1,
        "baking_until": NOW + 60, "address": "127.0.0.1:8080",
        "revisions": [
            {"revision": 2, "version": "1.4.2", "state": "baking", "artifact_sha256": "b" * 64, "created_at": NOW,
             "deployed_at": NOW},
            {"revision": 1, "version": "1.4.1", "state": "good", "artifact_sha256": "a" * 64, "created_at": NOW,
             "deployed_at": NOW},
        ],
        "instances": [
            {"id": "shop/production/r2/0", "revision": 2, "pid": 1, "port": 9001, "alive": True, "healthy": True,
             "weight": 1},
            {"id": "shop/production/r1/0", "revision": 1, "pid": 2, "port": 9002, "alive": True, "healthy": True,
             "weight": 0},
        ],
        "problem": None, **changed,
    }  # fmt: skip


def entry(number: int = 1, **changed: Any) -> Document:
    """One logbook entry."""
    return {
        "number": number, "time": NOW + number, "kind": "alert.firing", "subject": "alert/a1",
        "actor": "watchkeeper", "data": {"name": "ShopErrors", "value": 0.33, "labels": {"a": "b"}, "note": "a b"},
        "previous": "0" * 64, "hash": "1" * 64, **changed,
    }  # fmt: skip


def overview(status: str = "healthy", **changed: Any) -> Document:
    """Everything at once."""
    return {
        "version": "0.1.0", "now": NOW, "started_at": NOW - 192, "hostname": "host", "ready": True,
        "health": {"status": status, "reasons": [], "aspects": {}},
        "config": {"file": "/etc/watchkeeper.yml", "loaded_at": NOW - 192, "error": None},
        "targets": [target()], "alerts": [], "incidents": [], "services": [], "operations": [], "logbook": [],
        **changed,
    }  # fmt: skip


def vector(*values: tuple[dict[str, str], str]) -> Document:
    """A Prometheus answer with one value for each series."""
    result = [{"metric": labels, "value": [NOW, value]} for labels, value in values]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


def matrix(*series: tuple[dict[str, str], list[tuple[float, str]]]) -> Document:
    """A Prometheus answer with many values for each series."""
    result = [{"metric": labels, "values": [list(point) for point in points]} for labels, points in series]
    return {"status": "success", "data": {"resultType": "matrix", "result": result}}
