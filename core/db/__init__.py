"""The state database: one SQLite file, one writer that groups commits, numbered migrations."""
