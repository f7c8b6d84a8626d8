"""One fault, three files: stem.py, stem.en.md, stem.ja.md."""
