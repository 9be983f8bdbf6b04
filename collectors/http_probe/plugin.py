"""The plugin of the section `http_probes`: a light face of what is imported once a config file has the section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collectors.collector import Collector
    from collectors.context import CollectorContext
    from collectors.http_probe.config import HttpProbeConfig


class HttpProbePlugin:
    """Reads `http_probes`."""

    config_key: ClassVar[str] = "http_probes"
    config_default: ClassVar[Any] = []

    @property
    def config_type(self) -> Any:
        """Return the type of the section."""
        from collectors.http_probe.config import HttpProbeConfigs  # noqa: PLC0415 - only who has probes pays for it

        return HttpProbeConfigs

    def build(self, config: Sequence[HttpProbeConfig], context: CollectorContext) -> Sequence[Collector]:
        """Make the collectors."""
        from collectors.http_probe.build import build  # noqa: PLC0415 - as above

        return build(config, context)
