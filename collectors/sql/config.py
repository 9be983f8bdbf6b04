"""Section `sql`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from collectors.labels import ConfigLabels
from core.config import Duration, Section

_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


class QueryConfig(Section):
    """One query, whose rows are the series of one metric."""

    metric: str = Field(description="Name of the metric.", examples=["shop_orders_open"])
    type: Literal["gauge", "counter"] = Field("gauge", description="gauge or counter.", examples=["gauge"])
    help: str = Field("", description="What the metric says.", examples=["Orders that wait to be sent."])
    query: str = Field(
        min_length=1,
        description="The query; it is run read-only.",
        examples=["SELECT country, count(*) AS value FROM orders WHERE sent IS NULL GROUP BY country"],
    )
    value: str = Field(
        "value",
        min_length=1,
        description="Column with the value; a row where it is NULL is left out.",
        examples=["value"],
    )
    labels: list[str] = Field([], description="Columns that become labels.", examples=[["country"]])

    @field_validator("metric")
    @classmethod
    def _metric_name(cls, value: str) -> str:
        if not _METRIC.fullmatch(value):
            raise ValueError(f"{value!r} is no metric name; use letters, digits, _ and :, and no digit first")
        return value

    @field_validator("labels")
    @classmethod
    def _label_names(cls, value: list[str]) -> list[str]:
        for name in value:
            if not _LABEL.fullmatch(name) or name.startswith("__"):
                raise ValueError(f"{name!r} is no label name; rename the column in the query: SELECT x AS name")
        return value


class SqlConfig(Section):
    """One database."""

    name: str = Field(min_length=1, description="Name of the database; its label `database`.", examples=["shop"])
    url: str = Field(
        description="sqlite:///relative/path, sqlite:////absolute/path or postgresql://user@host:port/database.",
        examples=["postgresql://watchkeeper@127.0.0.1:5432/shop"],
    )
    password_file: Path | None = Field(
        None,
        description="File that holds the password; read at each connection.",
        examples=["/etc/watchkeeper/shop.password"],
    )
    interval: Duration | None = Field(
        None, gt=0, description="How often; without it, that of `global`.", examples=["1m"]
    )
    timeout: Duration | None = Field(
        None, gt=0, description="How long all queries may take; without it, that of `global`.", examples=["10s"]
    )
    max_rows: int = Field(1000, ge=1, description="The most rows that a query may give.", examples=[1000])
    labels: ConfigLabels = Field({}, description="Labels for all its series.", examples=[{"service": "shop"}])
    queries: list[QueryConfig] = Field(min_length=1, description="The metrics.")

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            _ = parts.port
        except ValueError as error:
            raise ValueError(f"is no address: {error}; write postgresql://user@host:port/database") from None
        if parts.scheme not in ("sqlite", "postgresql", "postgres"):
            raise ValueError(f"begins with {parts.scheme!r}; sqlite:// and postgresql:// are supported")
        if parts.password is not None:
            raise ValueError("has a password in it; put it into a file and name that under password_file")
        if parts.scheme == "sqlite" and (parts.netloc or len(parts.path) < 2):
            raise ValueError(f"{value!r} is no path; write sqlite:///relative/path or sqlite:////absolute/path")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        metrics = [query.metric for query in self.queries]
        twice = sorted({name for name in metrics if metrics.count(name) > 1})
        if twice:
            raise ValueError(f"two queries give {twice[0]!r}; join them by UNION ALL, or rename one")
        if self.timeout is not None and self.interval is not None and self.timeout > self.interval:
            raise ValueError(f"timeout {self.timeout:g} s is longer than interval {self.interval:g} s; shorten it")
        return self


def _unique_names(configs: list[SqlConfig]) -> list[SqlConfig]:
    names = [config.name for config in configs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"two databases are called {twice[0]!r}; rename one of them")
    return configs


SqlConfigs = Annotated[list[SqlConfig], AfterValidator(_unique_names)]
