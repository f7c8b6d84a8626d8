"""Any text whose lines repeat with other numbers."""

from shindan.logs.text import style

FORMAT = style("text")
