"""build-nanogpt's log.txt: ``250 train 5.1234``, ``250 val 5.2``, ``250 hella 0.2671``."""

from shindan.logs.text import style

FORMAT = style("build-nanogpt", rb"(?m)^\d+ (?:train|val|hella) \d")
