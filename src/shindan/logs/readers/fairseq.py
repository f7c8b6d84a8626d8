"""fairseq: ``| INFO | train_inner | epoch 001: 100 / 5000 loss=9.2, ...``."""

from shindan.logs.text import style

FORMAT = style("fairseq", rb"\| (?:train|train_inner|valid|test) \| ")
