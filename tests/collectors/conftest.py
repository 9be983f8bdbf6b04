from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from collectors.collector import CollectorPlugin
from collectors.context import CollectorContext
from core.clock import SystemClock
from core.yaml_file import parse_yaml
from tests.collectors.section import validated

Configure = Callable[[CollectorPlugin, str], Any]


@pytest.fixture
def context(tmp_path: Path) -> CollectorContext:
    return CollectorContext(SystemClock(), 15.0, 10.0, tmp_path, CollectorRegistry(), "host")


@pytest.fixture
def configure() -> Configure:
    """Return the validated section of a plugin from YAML text."""

    def configured(plugin: CollectorPlugin, text: str) -> Any:
        return validated(plugin, parse_yaml(text, "test.yml").data)

    return configured
