"""``python -m shindan``."""

from shindan.cli import main

main()
