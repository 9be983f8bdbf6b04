"""The config section `query`, and the engine that it asks for."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from core.config import Duration
from core.http.config import HttpClientConfig
from core.http.credentials import Credentials
from core.http.tls import make_context
from metrics.external_engine import ExternalEngine


class QueryConfig(HttpClientConfig):
    """Who evaluates rules and queries: the daemon itself over its own store, or another server."""

    url: str | None = Field(
        None,
        description="A server with Prometheus' API that evaluates all rules and queries instead of the daemon.",
        examples=["http://127.0.0.1:8428"],
    )
    timeout: Duration = Field(10.0, gt=0, description="How long its answer may take.", examples=["10s"])
    headers: dict[str, str] = Field(
        {}, description="Further headers of each question.", examples=[{"X-Scope-OrgID": "team"}]
    )

    @field_validator("url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        parts = urlsplit(value or "")
        if value is not None and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError(f"{value!r} is no address; write http://HOST:PORT")
        return value


def external_engine(config: QueryConfig, base: Path) -> ExternalEngine | None:
    """Return the engine that a config asks for; None for the daemon's own.

    Raises: ConfigError: a secret or certificate cannot be read.
    """
    if config.url is None:
        return None
    credentials = Credentials(config, base)
    credentials.check(("query",))
    tls = make_context(config.tls_config, base, ("query", "tls_config"), ssl.SSLContext)

    def headers() -> Mapping[str, str]:
        return {**config.headers, **credentials.read()}

    return ExternalEngine(config.url, timeout_seconds=config.timeout, headers=headers, tls=tls)
