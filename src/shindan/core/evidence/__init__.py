"""Typed evidence, one module a topic."""

from shindan.core.evidence.base import Evidence, Unavailable

__all__ = ["Evidence", "Unavailable"]
