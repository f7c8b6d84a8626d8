"""Shindan (診断): why a Transformer training run fails, with measured evidence."""
