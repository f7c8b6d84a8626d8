"""The run record: one SQLite file."""
