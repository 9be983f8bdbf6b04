"""How the address of a receiver is called over HTTP: Alertmanager's `http_config`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field

from core.config import Section
from core.http.config import HttpClientConfig
from core.secret import SecretText


def refusal(why: str) -> BeforeValidator:
    """Return the validator of a key that is known and refused, with the reason and what to do."""

    def refuse(value: object) -> None:
        if value is not None:
            raise ValueError(why)

    return BeforeValidator(refuse)


def check_url(url: str) -> str:
    """Return an address that a message can be posted to.

    Raises: ValueError: it is none.
    """
    scheme, separator, rest = url.partition("://")
    if scheme not in ("http", "https") or not separator or not rest.partition("/")[0] or any(c.isspace() for c in url):
        raise ValueError("is no http:// or https:// address; write it in full, such as http://127.0.0.1:9009/alerts")
    return url


def _check_secret_url(secret: Any) -> Any:
    check_url(secret.get_secret_value())
    return secret


Url = Annotated[str, AfterValidator(check_url)]
"""An address that is no secret."""

SecretUrl = Annotated[SecretText, AfterValidator(_check_secret_url)]
"""An address that is a secret itself: who knows it can post there."""

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
    oauth2: NoOauth2 = Field(None, description="Not supported.")
    no_proxy: NoProxyRule = Field(None, description="Not supported.")
    proxy_from_environment: NoProxyRule = Field(None, description="Not supported.")
    proxy_connect_header: NoProxyRule = Field(None, description="Not supported.")
