from __future__ import annotations

import json
from pathlib import Path

import pytest

from actions.deployment.traffic import backends_file
from actions.deployment.traffic.router import Backend
from core.errors import UserError

GOOD = {"id": "a", "address": "127.0.0.1:1", "weight": 1, "revision": "r1"}


def test_saved_backends_are_loaded_again(tmp_path: Path) -> None:
    backends = (Backend("a", "127.0.0.1:1", 5, "r1"), Backend("b", "[::1]:2", 0, "r2"))
    backends_file.save(tmp_path / "shop.json", backends)
    assert backends_file.load(tmp_path / "shop.json") == backends


def test_missing_file_means_no_backends(tmp_path: Path) -> None:
    assert backends_file.load(tmp_path / "none.json") == ()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"backends": 3}', b'{"backends": [1]}', b'{"backends": [{}]}']
)
def test_other_documents_are_refused(body: bytes) -> None:
    with pytest.raises(UserError, match="backends: expected"):
        backends_file.parse(body)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weight": -1}, "weight of 'a' is -1; give 0 to"),
        ({"weight": True}, "weight of 'a' is True"),
        ({"weight": 1.5}, "weight of 'a' is 1.5"),
        ({"id": 7}, "id is 7; give text"),
        ({"address": "nowhere"}, "'nowhere' is no address"),
    ],
)
def test_wrong_fields_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(UserError, match=message):
        backends_file.parse(json.dumps({"backends": [{**GOOD, **change}]}).encode())


def test_ids_must_differ() -> None:
    with pytest.raises(UserError, match="id 'a' is given twice"):
        backends_file.parse(json.dumps({"backends": [GOOD, GOOD]}).encode())
