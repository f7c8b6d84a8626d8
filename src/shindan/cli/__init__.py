"""The command line."""

from shindan.cli.main import main

__all__ = ["main"]
