"""Section `http_probes`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from collectors.http.config import HttpClientConfig
from collectors.labels import ConfigLabels
from core.config import Duration, Section
from core.text import Text


def _pattern(text: str) -> str:
    try:
        re.compile(text.encode())
    except re.error as error:
        raise ValueError(f"{text!r} is no regular expression: {error}; correct it or escape the character") from None
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class Expectation(Section):
    """What a good answer is."""

    status: list[int] = Field(
        [], description="Status codes that are good; without it, 200 to 299.", examples=[[200, 204]]
    )
    body: Pattern | None = Field(
        None,
        description="Regular expression that must be found in the first MiB of the body.",
        examples=['"status": ?"ok"'],
    )
    body_not: Pattern | None = Field(
        None,
        description="Regular expression that must not be found in the first MiB of the body.",
        examples=["maintenance"],
    )
    tls: bool | None = Field(
        None, description="Whether the last address must, or must not, be an https one.", examples=[True]
    )

    @field_validator("status")
    @classmethod
    def _codes(cls, value: list[int]) -> list[int]:
        for code in value:
            if not 100 <= code <= 599:
                raise ValueError(f"{code} is no HTTP status; give numbers from 100 to 599")
        return value


class HttpProbeConfig(HttpClientConfig):
    """One probe."""

    name: str = Field(
        min_length=1, description="Name of the probe; its series' label `probe`.", examples=["shop front page"]
    )
    url: str = Field(description="Address that is asked.", examples=["https://shop.example.com/healthz"])
    interval: Duration | None = Field(
        None, gt=0, description="How often; without it, that of `global`.", examples=["30s"]
    )
    timeout: Duration | None = Field(
        None, gt=0, description="How long all of it may take; without it, that of `global`.", examples=["5s"]
    )
    method: Literal["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"] = Field(
        "GET", description="HTTP method.", examples=["HEAD"]
    )
    headers: dict[str, Text] = Field({}, description="Headers to send.", examples=[{"Accept": "application/json"}])
    body: str | None = Field(None, description="Body to send.", examples=['{"ping": true}'])
    body_file: Path | None = Field(
        None, description="File that holds the body to send.", examples=["/etc/watchkeeper/body"]
    )
    expect: Expectation = Field(Expectation(), description="What makes an answer a good one.")
    max_redirects: int = Field(10, ge=0, le=50, description="The most redirects that are followed.", examples=[10])
    labels: ConfigLabels = Field({}, description="Labels for its series.", examples=[{"service": "shop"}])

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            port = parts.port
        except ValueError as error:
            raise ValueError(f"{value!r} is no address: {error}; write http://host:port/path") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
            raise ValueError(f"{value!r} is no address; write http://host:port/path or https://host/path")
        if parts.username or parts.password:
            raise ValueError("has a user name or password in it; put them under basic_auth")
        return value

    @field_validator("headers")
    @classmethod
    def _headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name, text in value.items():
            if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name) or any(char in text for char in "\r\n\0"):
                raise ValueError(f"{name!r} is no valid header; a name has no spaces, a value no line breaks")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.body is not None and self.body_file is not None:
            raise ValueError("has both body and body_file; keep one")
        if self.timeout is not None and self.interval is not None and self.timeout > self.interval:
            raise ValueError(f"timeout {self.timeout:g} s is longer than interval {self.interval:g} s; shorten it")
        return self


def _unique_names(configs: list[HttpProbeConfig]) -> list[HttpProbeConfig]:
    names = [config.name for config in configs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two probes are called {twice[0]!r}; rename one of them")
    return configs


HttpProbeConfigs = Annotated[list[HttpProbeConfig], AfterValidator(_unique_names)]
