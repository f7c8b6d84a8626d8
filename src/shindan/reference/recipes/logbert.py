"""LogBERT (Guo, Yuan and Wu 2021) on sessions of log keys: what report 1 should have been."""
