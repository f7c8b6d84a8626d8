"""The patients: plain PyTorch, told top to bottom, knowing nothing of the doctor."""
