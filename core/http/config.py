"""The HTTP settings of Prometheus' `scrape_configs`, used wherever we are an HTTP client."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator, model_validator

from core.config import Advised, Section
from core.secret import SecretText
from core.unsupported import Unsupported


def _advised(key: str) -> Advised:
    return Advised(f"is a secret in a config file; move it to a file of its own and name that with '{key}'")


class BasicAuth(Section):
    """User name and password."""

    username: str = Field("", description="User name.", examples=["watchkeeper"])
    password: Annotated[SecretText | None, _advised("password_file")] = Field(
        None, description="Password; `password_file` keeps it out of the file.", examples=["secret"]
    )
    password_file: Path | None = Field(
        None, description="File that holds the password; read at each request.", examples=["/etc/watchkeeper/password"]
    )

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password is not None and self.password_file is not None:
            raise ValueError("has both password and password_file; keep one")
        return self


class Authorization(Section):
    """The Authorization header."""

    type: str = Field("Bearer", description="Scheme of the header.", examples=["Bearer"])
    credentials: Annotated[SecretText | None, _advised("credentials_file")] = Field(
        None, description="What follows the scheme; `credentials_file` keeps it out of the file.", examples=["token"]
    )
    credentials_file: Path | None = Field(
        None, description="File that holds it; read at each request.", examples=["/etc/watchkeeper/token"]
    )

    @field_validator("type")
    @classmethod
    def _not_basic(cls, value: str) -> str:
        if value.strip().lower() == "basic":
            raise ValueError("'Basic' needs a user name; use basic_auth instead")
        return value.strip()

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if self.credentials is not None and self.credentials_file is not None:
            raise ValueError("has both credentials and credentials_file; keep one")
        return self


class TlsConfig(Section):
    """How the server proves itself, and we ourselves to the server."""

    ca_file: Path | None = Field(
        None, description="Certificates that are trusted, instead of the system's.", examples=["/etc/ssl/our-ca.pem"]
    )
    cert_file: Path | None = Field(None, description="Our certificate.", examples=["/etc/watchkeeper/client.pem"])
    key_file: Path | None = Field(None, description="Its key.", examples=["/etc/watchkeeper/client.key"])
    server_name: str | None = Field(
        None, description="Name that the certificate must be for, if not the host's.", examples=["shop.internal"]
    )
    insecure_skip_verify: bool = Field(
        False, description="Accept any certificate: no protection against a false server.", examples=[False]
    )
    ca: Unsupported = Field(None, description="Not supported yet; use ca_file.", examples=[None])
    cert: Unsupported = Field(None, description="Not supported yet; use cert_file.", examples=[None])
    key: Unsupported = Field(None, description="Not supported yet; use key_file.", examples=[None])
    min_version: Unsupported = Field(None, description="Not supported yet.", examples=[None])
    max_version: Unsupported = Field(None, description="Not supported yet.", examples=[None])

    @model_validator(mode="after")
    def _pair(self) -> Self:
        if (self.cert_file is None) != (self.key_file is None):
            missing = "key_file" if self.key_file is None else "cert_file"
            raise ValueError(f"{missing} is missing; give cert_file and key_file together")
        return self


class HttpClientConfig(Section):
    """What every HTTP client of ours can be told."""

    basic_auth: BasicAuth | None = Field(
        None, description="User name and password.", examples=[{"username": "w", "password_file": "secrets/password"}]
    )
    authorization: Authorization | None = Field(
        None, description="Another Authorization header.", examples=[{"credentials_file": "secrets/token"}]
    )
    bearer_token: Annotated[SecretText | None, _advised("bearer_token_file")] = Field(
        None, description="Older form of authorization.credentials.", examples=["token"]
    )
    bearer_token_file: Path | None = Field(
        None, description="Older form of authorization.credentials_file.", examples=["/etc/watchkeeper/token"]
    )
    tls_config: TlsConfig = Field(TlsConfig.defaults(), description="TLS.", examples=[{"ca_file": "ca.pem"}])
    follow_redirects: bool = Field(True, description="Whether redirects are followed.", examples=[True])
    oauth2: Unsupported = Field(None, description="Not supported yet.", examples=[None])
    proxy_url: Unsupported = Field(None, description="Not supported yet.", examples=[None])
    no_proxy: Unsupported = Field(None, description="Not supported yet.", examples=[None])
    proxy_from_environment: Unsupported = Field(None, description="Not supported yet.", examples=[None])
    proxy_connect_header: Unsupported = Field(None, description="Not supported yet.", examples=[None])
    enable_http2: bool = Field(
        True, description="Accepted for Prometheus' sake; HTTP/1.1 is spoken in any case.", examples=[True]
    )

    @model_validator(mode="after")
    def _one_way_in(self) -> Self:
        ways = ("basic_auth", "authorization", "bearer_token", "bearer_token_file")
        given = [name for name in ways if getattr(self, name) is not None]
        if len(given) > 1:
            raise ValueError(f"has {' and '.join(given)}; keep one of them")
        return self
