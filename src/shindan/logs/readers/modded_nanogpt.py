"""modded-nanogpt: the script itself, then ``step:10/1000 train_loss:3.2 train_time:99ms``."""

from shindan.logs.text import style

FORMAT = style("modded-nanogpt", rb"(?m)^step:\d+/\d+ (?:train|val)_loss:")
