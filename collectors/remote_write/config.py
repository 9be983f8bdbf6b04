"""The config section `remote_write_receiver`."""

from __future__ import annotations

from pydantic import Field

from core.config import Section


class RemoteWriteReceiverConfig(Section):
    """What others may send to /api/v1/write."""

    max_samples: int = Field(100_000, ge=1, description="Samples that one request may bring.", examples=[100_000])
    max_series: int = Field(
        1_000_000, ge=1, description="Series that all senders together may bring; further ones are refused."
    )
    max_body_size: int = Field(8 * 1024 * 1024, ge=1, description="Bytes of one request, compressed.")
    max_uncompressed_size: int = Field(32 * 1024 * 1024, ge=1, description="Bytes of one request, uncompressed.")
