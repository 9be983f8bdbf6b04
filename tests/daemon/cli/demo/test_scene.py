"""Where the demo happens."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from core.errors import WatchkeeperError
from daemon.cli.demo.scene import BAD, GOOD, configure, examples, free_ports, set_up
from daemon.preparation import check


def test_the_scene_is_a_valid_configuration_with_two_releases(tmp_path: Path) -> None:
    scene = set_up(tmp_path, None)
    assert check(scene.config) == []
    text = scene.config.read_text(encoding="utf-8")
    for used in (scene.web_port, scene.router_port, *scene.instance_ports):
        assert str(used) in text
    assert str(scene.state) in text
    assert "127.0.0.1:8080" not in text
    ratios = [json.loads((scene.release(v) / "release.json").read_text())["failure_ratio"] for v in (GOOD, BAD)]
    assert ratios == [0.0, pytest.approx(1 / 3)]
    assert (scene.release(BAD) / "shop.py").read_bytes() == (examples() / "shop/shop.py").read_bytes()


def test_free_ports_are_distinct() -> None:
    assert len(set(free_ports(6, None))) == 6


def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(WatchkeeperError, match=f"port {port} cannot be used: Address already in use"):
            set_up(tmp_path, port)


def test_an_example_that_was_changed_too_far_is_refused(tmp_path: Path) -> None:
    scene = set_up(tmp_path, None)
    with pytest.raises(WatchkeeperError, match=r"shop\.yml of the examples lacks"):
        configure("global: {}\n", scene)
