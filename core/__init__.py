"""Ground floor: clock, tasks, errors, config files, database and logbook. No word of the domain."""
