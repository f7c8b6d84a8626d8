"""The models, each told top to bottom in one module, and Hugging Face's files of two of them."""
