"""Helpers of the census of rows and tokens (no probes here)."""
