"""Sections `file_sd_configs`, `http_sd_configs` and `dns_sd_configs`, as Prometheus has them."""

from __future__ import annotations

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from collectors.http.config import HttpClientConfig
from core.config import Duration, Section

_FILE_PATTERN = re.compile(r"[^*]*(\*[^/]*)?\.(json|yml|yaml|JSON|YML|YAML)")


class FileSdConfig(Section):
    """Targets in files, which may change at any time."""

    files: list[str] = Field(
        min_length=1, description="Files, or patterns whose last part has a *.", examples=[["targets/*.yml"]]
    )
    refresh_interval: Duration = Field(
        300.0, gt=0, description="How often they are read; changes show within 5s in any case.", examples=["5m"]
    )

    @field_validator("files")
    @classmethod
    def _known_kind(cls, files: list[str]) -> list[str]:
        for file in files:
            if not _FILE_PATTERN.fullmatch(file):
                raise ValueError(f"{file!r} is no file of targets; it must end in .json, .yml or .yaml, one * at most")
        return files


class HttpSdConfig(HttpClientConfig):
    """Targets that a server tells in JSON."""

    url: str = Field(description="Where they are asked for.", examples=["http://inventory.internal/targets"])
    refresh_interval: Duration = Field(60.0, gt=0, description="How often.", examples=["1m"])

    @field_validator("url")
    @classmethod
    def _http(cls, url: str) -> str:
        try:
            parts = urlsplit(url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            valid = False
        if not valid:
            raise ValueError(f"{url!r} is no address; write http://host/path or https://host/path")
        return url


class DnsSdConfig(Section):
    """Targets that a name server knows."""

    names: list[str] = Field(
        min_length=1, description="Names that are looked up.", examples=[["_metrics._tcp.shop.internal"]]
    )
    type: Literal["SRV", "A", "AAAA", "MX", "NS"] = Field(
        "SRV", description="Which records are asked for.", examples=["A"]
    )
    port: int = Field(
        0, ge=0, le=65535, description="Port of the targets; SRV records have their own.", examples=[9100]
    )
    refresh_interval: Duration = Field(30.0, gt=0, description="How often.", examples=["30s"])

    @field_validator("type", mode="before")
    @classmethod
    def _any_case(cls, value: object) -> object:
        return value.upper() if isinstance(value, str) else value

    @model_validator(mode="after")
    def _port_known(self) -> Self:
        if self.type != "SRV" and not self.port:
            raise ValueError(f"records of type {self.type} tell no port; set port")
        return self
