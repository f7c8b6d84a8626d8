"""Checks of the family checkpoint."""
