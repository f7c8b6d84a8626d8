"""Checks of the family evaluation."""
