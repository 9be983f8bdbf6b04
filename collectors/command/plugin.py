"""The plugin of the section `commands`: a light face of what is imported once a config file has the section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collectors.collector import Collector
    from collectors.command.config import CommandConfig
    from collectors.context import CollectorContext


class CommandPlugin:
    """Reads `commands`."""

    config_key: ClassVar[str] = "commands"
    config_default: ClassVar[Any] = []

    @property
    def config_type(self) -> Any:
        """Return the type of the section."""
        from collectors.command.config import CommandConfigs  # noqa: PLC0415 - only who has commands pays for it

        return CommandConfigs

    def build(self, config: Sequence[CommandConfig], context: CollectorContext) -> Sequence[Collector]:
        """Make the collectors."""
        from collectors.command.build import build  # noqa: PLC0415 - as above

        return build(config, context)
