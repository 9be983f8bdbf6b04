"""Section `scrape_configs`, as Prometheus has it."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from collectors.discovery.config import DnsSdConfig, FileSdConfig, HttpSdConfig
from collectors.http.config import HttpClientConfig
from collectors.labels import TargetLabels
from collectors.size import ByteSize
from collectors.unsupported import NeverTrue, Unsupported
from core.config import Duration, NotUsed, SparseSection
from core.text import Text
from metrics.relabel_config import RelabelConfig

DEFAULT_BODY_LIMIT = 64 * 1024 * 1024
"""Ten times what 100,000 series take. Prometheus has no limit by default, and one target can end it."""

_ADDRESS = re.compile(r"(\[[0-9a-fA-F:.]+(?:%[\w.-]+)?\]|[^\s:/?#@\[\]]+)(?::(\d{1,5}))?")


def check_address(text: str) -> None:
    """Check an address that no rule will rewrite.

    Raises: ValueError: it is none.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None or not 0 < int(match[2] or 80) < 65536:
        raise ValueError(f"{text!r} is no target; write host:port, such as 127.0.0.1:9100")


class StaticConfig(SparseSection):
    """Targets that are named one by one."""

    targets: list[Text] = Field([], description="Addresses.", examples=[["127.0.0.1:9100"]])
    labels: TargetLabels = Field({}, description="Labels for all their series.", examples=[{"service": "shop"}])


ScrapeProtocol = Literal[
    "OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText1.0.0", "PrometheusText0.0.4", "PrometheusProto"
]


class UnsupportedScrapeKeys(SparseSection):
    """Keys of Prometheus that are refused by name."""

    scrape_classic_histograms: Annotated[Any, NotUsed("is not used: classic histograms are always read; remove it")] = (
        Field(None, description="Has no effect here.", examples=[None])
    )
    always_scrape_classic_histograms: Annotated[
        Any, NotUsed("is not used: classic histograms are always read; remove it")
    ] = Field(None, description="Has no effect here.", examples=[None])
    scrape_native_histograms: Annotated[Any, NotUsed("is not used: native histograms are not read; remove it")] = Field(
        None, description="Has no effect here.", examples=[None]
    )
    native_histogram_min_bucket_factor: Annotated[
        Any, NotUsed("is not used: native histograms are not read; remove it")
    ] = Field(None, description="Has no effect here.", examples=[None])
    scrape_failure_log_file: Annotated[Any, NotUsed("is not used: failures are in the daemon's log; remove it")] = (
        Field(None, description="Has no effect here.", examples=[None])
    )
    metric_name_escaping_scheme: Annotated[Any, NotUsed("is not used: names are never escaped; remove it")] = Field(
        None, description="Has no effect here.", examples=[None]
    )
    convert_classic_histograms_to_nhcb: NeverTrue = Field(False, description="Not supported yet.")
    extra_scrape_metrics: NeverTrue = Field(False, description="Not supported yet.")
    native_histogram_bucket_limit: Annotated[Any, NotUsed("is not used: native histograms are not read; remove it")] = (
        Field(None, description="Has no effect here.", examples=[None])
    )
    fallback_scrape_protocol: Annotated[
        Any, NotUsed("is not used: an answer of an unknown kind is read as the text format; remove it")
    ] = Field(None, description="Has no effect here.", examples=[None])
    track_timestamps_staleness: NeverTrue = Field(False, description="Not supported yet.")
    metric_name_validation_scheme: Annotated[Any, NotUsed("is not used: names may be any UTF-8; remove it")] = Field(
        None, description="Has no effect here.", examples=[None]
    )
    http_headers: Unsupported = Field(None, description="Not supported yet.")
    docker_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    dockerswarm_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    kubernetes_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    consul_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    ec2_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    lightsail_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    azure_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    gce_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    digitalocean_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    hetzner_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    ionos_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    linode_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    openstack_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    ovhcloud_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    scaleway_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    vultr_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    eureka_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    kuma_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    marathon_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    nerve_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    serverset_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    nomad_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    puppetdb_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    stackit_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    triton_sd_configs: Unsupported = Field(None, description="Not supported yet.")
    uyuni_sd_configs: Unsupported = Field(None, description="Not supported yet.")


class ScrapeConfig(HttpClientConfig, UnsupportedScrapeKeys):
    """One job: targets that are asked in the same way."""

    job_name: str = Field(min_length=1, description="Name of the job; its series' label `job`.", examples=["shop"])
    scrape_interval: Duration | None = Field(
        None, gt=0, description="How often; without it, that of `global`.", examples=["15s"]
    )
    scrape_timeout: Duration | None = Field(
        None, gt=0, description="How long an answer may take; without it, that of `global`.", examples=["10s"]
    )
    metrics_path: str = Field("/metrics", description="Path of the metrics.", examples=["/metrics"])
    scheme: Literal["http", "https"] = Field("http", description="http or https.", examples=["https"])
    params: dict[str, list[Text]] = Field({}, description="Parameters of the URL.", examples=[{"module": ["http_2xx"]}])
    honor_labels: bool = Field(
        False,
        description="Whether the target's own job, instance and other labels win over those given here.",
        examples=[False],
    )
    honor_timestamps: bool = Field(True, description="Whether times given by the target are kept.", examples=[True])
    static_configs: list[StaticConfig] = Field(
        [], description="The targets.", examples=[[{"targets": ["127.0.0.1:9100"]}]]
    )
    file_sd_configs: list[FileSdConfig] = Field(
        [], description="Targets in files.", examples=[[{"files": ["targets/*.yml"]}]]
    )
    http_sd_configs: list[HttpSdConfig] = Field(
        [], description="Targets that a server tells.", examples=[[{"url": "http://inventory.internal/targets"}]]
    )
    dns_sd_configs: list[DnsSdConfig] = Field(
        [], description="Targets that a name server knows.", examples=[[{"names": ["_metrics._tcp.shop.internal"]}]]
    )
    relabel_configs: list[RelabelConfig] = Field(
        [],
        description="Rules that rewrite or drop targets before they are asked.",
        examples=[[{"source_labels": ["__address__"], "target_label": "instance"}]],
    )
    metric_relabel_configs: list[RelabelConfig] = Field(
        [],
        description="Rules that rewrite or drop series before they are stored.",
        examples=[[{"source_labels": ["__name__"], "regex": "go_.*", "action": "drop"}]],
    )
    scrape_protocols: list[ScrapeProtocol] = Field(
        ["OpenMetricsText1.0.0", "OpenMetricsText0.0.1", "PrometheusText0.0.4"],
        min_length=1,
        description="The formats that targets are asked for, best first; PrometheusProto is left out.",
        examples=[["PrometheusText0.0.4"]],
    )
    target_limit: int = Field(
        0, ge=0, description="With more targets than this none is asked; 0 is no limit.", examples=[0]
    )
    keep_dropped_targets: int = Field(
        0, ge=0, description="How many dropped targets are kept for people to see; 0 is all.", examples=[100]
    )
    enable_compression: bool = Field(True, description="Whether to ask for gzip.", examples=[True])
    body_size_limit: ByteSize = Field(
        DEFAULT_BODY_LIMIT, ge=0, description="The most that an answer may hold; 0 is no limit.", examples=["64MB"]
    )
    sample_limit: int = Field(
        0,
        ge=0,
        description="The most samples that may be left after metric_relabel_configs; 0 is no limit.",
        examples=[0],
    )
    label_limit: int = Field(
        0, ge=0, description="The most labels a series may be stored with; 0 is no limit.", examples=[30]
    )
    label_name_length_limit: int = Field(
        0, ge=0, description="The longest label name, in bytes; 0 is no limit.", examples=[200]
    )
    label_value_length_limit: int = Field(
        0, ge=0, description="The longest label value, in bytes; 0 is no limit.", examples=[1000]
    )

    @field_validator("scrape_protocols")
    @classmethod
    def _readable(cls, value: list[ScrapeProtocol]) -> list[ScrapeProtocol]:
        if len(set(value)) < len(value):
            raise ValueError("names a format twice; remove one of them")
        if set(value) == {"PrometheusProto"}:
            raise ValueError("PrometheusProto is not read; name a text format, such as PrometheusText0.0.4")
        return value

    @field_validator("metrics_path")
    @classmethod
    def _path(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme or parts.netloc or parts.query or parts.fragment:
            raise ValueError(f"{value!r} is no path; put parameters under params and the host under static_configs")
        return value if value.startswith("/") else "/" + value

    @model_validator(mode="after")
    def _timeout_within_interval(self) -> Self:
        timeout, interval = self.scrape_timeout, self.scrape_interval
        if timeout is not None and interval is not None and timeout > interval:
            raise ValueError(f"scrape_timeout {timeout:g} s is longer than scrape_interval {interval:g} s; shorten it")
        return self


def _unique_jobs(configs: list[ScrapeConfig]) -> list[ScrapeConfig]:
    names = [config.job_name for config in configs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two jobs are called {twice[0]!r}; rename one of them")
    return configs


ScrapeConfigs = Annotated[list[ScrapeConfig], AfterValidator(_unique_jobs)]
