"""A BERT distilled into a small student that fills masks (report 3, right)."""
