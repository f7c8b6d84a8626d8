"""Pure records and rules; standard library only (and a YAML reader for pages)."""
