"""How runs are watched: scripts, frameworks."""
