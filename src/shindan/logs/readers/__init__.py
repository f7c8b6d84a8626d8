"""One module a format; each has its ``FORMAT`` and is found by itself (logs/formats.py)."""
