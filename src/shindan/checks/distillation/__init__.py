"""Checks of the family distillation."""
