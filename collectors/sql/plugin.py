"""The plugin of the section `sql`: a light face of what is imported once a config file has the section."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from collectors.collector import Collector
    from collectors.context import CollectorContext
    from collectors.sql.config import SqlConfig


class SqlPlugin:
    """Reads `sql`."""

    config_key: ClassVar[str] = "sql"
    config_default: ClassVar[Any] = []

    @property
    def config_type(self) -> Any:
        """Return the type of the section."""
        from collectors.sql.config import SqlConfigs  # noqa: PLC0415 - only who has queries pays for it

        return SqlConfigs

    def build(self, config: Sequence[SqlConfig], context: CollectorContext) -> Sequence[Collector]:
        """Make the collectors."""
        from collectors.sql.build import build  # noqa: PLC0415 - as above

        return build(config, context)
