"""What the Hugging Face Trainer prints: a dict a line, between progress bars and messages."""

from shindan.logs.text import style

FORMAT = style("hf-printed", rb"\{'(?:loss|eval_loss|train_runtime|eval_runtime)': ")
