"""Checks of the family comparison."""
