"""The config section `remote_write`, as Prometheus has it."""

from __future__ import annotations

import hashlib
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from core.config import Duration, Section
from core.http.config import HttpClientConfig
from core.unsupported import Unsupported
from metrics.relabel_config import RelabelConfig

_OWN_HEADERS = frozenset(
    {"authorization", "content-encoding", "content-length", "content-type", "host", "user-agent",
     "x-prometheus-remote-write-version"}
)  # fmt: skip


class QueueConfig(Section):
    """How samples wait and are sent."""

    capacity: int = Field(
        50_000, ge=1, description="Samples that are read ahead and not yet acknowledged.", examples=[50_000]
    )
    max_shards: int = Field(50, ge=1, le=1000, description="Requests at the same time.", examples=[50])
    min_shards: int = Field(1, ge=1, description="Accepted for Prometheus' sake; shards are as many as needed.")
    max_samples_per_send: int = Field(2000, ge=1, description="Samples of one request.", examples=[2000])
    batch_send_deadline: Duration = Field(
        5.0, gt=0, description="How long samples wait for others to be sent with.", examples=["5s"]
    )
    min_backoff: Duration = Field(0.03, gt=0, description="The first pause before a request is sent again.")
    max_backoff: Duration = Field(5.0, gt=0, description="The longest such pause.", examples=["5s"])
    retry_on_http_429: Literal[True] = Field(True, description="Accepted for Prometheus' sake; 429 is always retried.")
    sample_age_limit: Unsupported = Field(None, description="Not supported: nothing is dropped for its age.")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_backoff > self.max_backoff:
            raise ValueError("min_backoff is longer than max_backoff; exchange them")
        return self


class RemoteWriteConfig(HttpClientConfig):
    """One receiver."""

    url: str = Field(description="Where to send.", examples=["http://127.0.0.1:8428/api/v1/write"])
    name: str = Field("", description="Its name in metrics and logs; worked out from the url where absent.")
    remote_timeout: Duration = Field(30.0, gt=0, description="How long an answer may take.", examples=["30s"])
    headers: dict[str, str] = Field(
        {}, description="Further headers of each request.", examples=[{"X-Scope-OrgID": "team"}]
    )
    queue_config: QueueConfig = Field(QueueConfig(), description="How samples wait and are sent.")
    protobuf_message: Literal["prometheus.WriteRequest"] = Field(
        "prometheus.WriteRequest", description="Version 1.0 of the protocol is spoken."
    )
    write_relabel_configs: list[RelabelConfig] = Field(
        [],
        description="Rules that rewrite the labels of what is sent (external ones are there already), or leave it out.",
        examples=[[{"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}]],
    )
    metadata_config: Unsupported = Field(None, description="Not supported yet.")
    send_exemplars: Literal[False] = Field(False, description="Exemplars are not kept, and so not sent.")
    send_native_histograms: Literal[False] = Field(False, description="Native histograms are not kept.")
    round_robin_dns: Unsupported = Field(None, description="Not supported yet.")
    sigv4: Unsupported = Field(None, description="Not supported yet.")
    azuread: Unsupported = Field(None, description="Not supported yet.")
    google_iam: Unsupported = Field(None, description="Not supported yet.")

    @field_validator("url")
    @classmethod
    def _http(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{value!r} is no address; write http://HOST:PORT/api/v1/write")
        return value

    @field_validator("headers")
    @classmethod
    def _foreign_headers(cls, value: dict[str, str]) -> dict[str, str]:
        for name in value:
            if name.lower() in _OWN_HEADERS:
                raise ValueError(f"{name!r} is set by the sender itself; remove it")
        return value

    @property
    def key(self) -> str:
        """What tells it from other receivers."""
        return self.name or hashlib.sha256(self.url.encode()).hexdigest()[:6]


def doubled_names(configs: list[RemoteWriteConfig]) -> list[int]:
    """Return the places of receivers whose name an earlier one has."""
    keys = [config.key for config in configs]
    return [index for index, key in enumerate(keys) if key in keys[:index]]
