"""Logs that exist: readers of every format met, and what their numbers say."""
