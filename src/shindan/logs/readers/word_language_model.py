"""PyTorch's word_language_model: ``| epoch 1 | 200/2983 batches | lr 20.00 | ... | ppl 99``."""

from shindan.logs.text import style

FORMAT = style("word-language-model", rb"(?m)^\| epoch +\d+ \| +\d+/ *\d+ batches ")
