"""nanoGPT: ``iter 10: loss 2.31, time 12.00ms, mfu 3.10%``, ``step 250: train loss ...``."""

from shindan.logs.text import style

FORMAT = style("nanogpt", rb"(?m)(?:^|\s)(?:iter \d+: loss |step \d+: train loss )")
