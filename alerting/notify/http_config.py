"""How the address of a receiver is called over HTTP: Alertmanager's `http_config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from alerting.notify.address import Url, refusal
from alerting.notify.receiver_config import AddressSection
from core.config import Duration, Section
from core.http.config import HttpClientConfig
from core.secret import SecretText

NoOauth2 = Annotated[None, refusal("is not supported; give a token in 'authorization.credentials_file' instead")]
NoProxyRule = Annotated[None, refusal("is not supported; set 'proxy_url' at those addresses that need the proxy")]


class HeaderSection(Section):
    """The values of one header."""

    values: list[str] = Field(default_factory=list, description="Values.", examples=[["shop"]])
    secrets: list[SecretText] = Field(default_factory=list, description="Values that are secrets.", examples=[["k"]])
    files: list[Path] = Field(
        default_factory=list, description="Files that hold a value each.", examples=[["secrets/header"]]
    )


class HttpConfigSection(HttpClientConfig):
    """How a receiver's address is called."""

    proxy_url: Url | None = Field(  # type: ignore[assignment]
        None, description="A proxy that requests go through.", examples=["http://proxy.internal:3128"]
    )
    http_headers: dict[str, HeaderSection] = Field(
        default_factory=dict, description="Headers to send as well.", examples=[{"X-Team": {"values": ["shop"]}}]
    )
    oauth2: NoOauth2 = Field(None, description="Not supported.", examples=[None])
    no_proxy: NoProxyRule = Field(None, description="Not supported.", examples=[None])
    proxy_from_environment: NoProxyRule = Field(None, description="Not supported.", examples=[None])
    proxy_connect_header: NoProxyRule = Field(None, description="Not supported.", examples=[None])


class HttpAddressSection(AddressSection):
    """What sections of all addresses have that are spoken to over HTTP."""

    timeout: Duration = Field(
        0.0, ge=0, le=300, description="How long an answer may take; 0s for the usual 10s.", examples=["5s"]
    )
    http_config: HttpConfigSection | None = Field(
        None,
        description="How the address is called; that of `global` if absent.",
        examples=[{"proxy_url": "http://proxy.internal:3128"}],
    )
