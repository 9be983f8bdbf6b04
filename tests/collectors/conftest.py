from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from pydantic import TypeAdapter

from collectors.collector import CollectorPlugin
from collectors.context import CollectorContext
from core.clock import SystemClock
from core.yaml_file import parse_yaml

Configure = Callable[[CollectorPlugin, str], Any]


@pytest.fixture
def context(tmp_path: Path) -> CollectorContext:
    return CollectorContext(SystemClock(), 15.0, 10.0, tmp_path, CollectorRegistry(), "host")


@pytest.fixture
def configure() -> Configure:
    """Return the validated section of a plugin from YAML text."""

    def configured(plugin: CollectorPlugin, text: str) -> Any:
        return TypeAdapter(plugin.config_type).validate_python(parse_yaml(text, "test.yml").data)

    return configured
