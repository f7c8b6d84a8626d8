"""What the field reports dispute, as experiments: one module a report, found by its name."""
