"""The five field reports as their authors ran them, small."""
