"""The schema of the state database, as all packages want it."""

from __future__ import annotations

import actions.migrations
import alerting.migrations
import alerting.silences
import collectors.push.table
import core.logbook
import exporters.remote_write.position
from core.db.migration import Migration

MIGRATIONS: tuple[Migration, ...] = (
    *core.logbook.MIGRATIONS,
    *alerting.migrations.MIGRATIONS,
    *alerting.silences.MIGRATIONS,
    *actions.migrations.MIGRATIONS,
    *collectors.push.table.MIGRATIONS,
    *exporters.remote_write.position.MIGRATIONS,
)
