"""The config section `push`."""

from __future__ import annotations

from pydantic import Field

from core.config import Duration, Section


class PushConfig(Section):
    """What short jobs may push to /metrics/job/JOB, as to a Pushgateway."""

    expiry: Duration = Field(
        86_400.0, gt=0, description="A group that nobody pushed for so long is forgotten.", examples=["1d"]
    )
    max_groups: int = Field(1000, ge=1, description="How many groups are kept; further ones are refused.")
    max_samples: int = Field(10_000, ge=1, description="Samples that one group may have.")
    max_body_size: int = Field(4 * 1024 * 1024, ge=1, description="Bytes of one push.")
