"""The HTTP settings of Prometheus' `scrape_configs`, which all our HTTP clients share: core.http.config."""

from __future__ import annotations

from core.http.config import Authorization, BasicAuth, HttpClientConfig, TlsConfig

__all__ = ["Authorization", "BasicAuth", "HttpClientConfig", "TlsConfig"]
