"""Checks of the family config."""
