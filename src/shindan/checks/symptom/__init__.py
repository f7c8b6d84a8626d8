"""Checks of the family symptom."""
