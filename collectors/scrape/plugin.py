"""The plugin of the section `scrape_configs`: a light face of what is imported once a config file has the section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collectors.collector import Collector
    from collectors.context import CollectorContext
    from collectors.discovery.discovery import Discovery
    from collectors.scrape.config import ScrapeConfig


class ScrapePlugin:
    """Reads `scrape_configs`."""

    config_key: ClassVar[str] = "scrape_configs"
    config_default: ClassVar[Any] = []

    @property
    def config_type(self) -> Any:
        """Return the type of the section."""
        from collectors.scrape.config import ScrapeConfigs  # noqa: PLC0415 - only who has targets pays for it

        return ScrapeConfigs

    def build(self, config: Sequence[ScrapeConfig], context: CollectorContext) -> Sequence[Collector]:
        """Make the collectors."""
        from collectors.scrape.build import build  # noqa: PLC0415 - as above

        return build(config, context)

    def discover(self, config: Sequence[ScrapeConfig], context: CollectorContext) -> Sequence[Discovery]:
        """Make the jobs whose targets come and go."""
        from collectors.scrape.build import discover  # noqa: PLC0415 - as above

        return discover(config, context)
