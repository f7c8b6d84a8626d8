"""From evidence to a ranked diagnosis."""
