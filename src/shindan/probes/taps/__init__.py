"""Thin wrappers on torch that tell the session what happens."""
