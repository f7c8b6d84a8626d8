"""Megatron-LM: ``iteration 10/ 5000 | consumed samples: 640 | ... | lm loss: 1.09E+01 |``."""

from shindan.logs.text import style

FORMAT = style("megatron", rb"(?m)iteration +\d+/ *\d+ \| .*\|")
