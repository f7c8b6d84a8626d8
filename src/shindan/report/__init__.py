"""Findings in words: terminal, HTML, JSON, SARIF, Markdown; English and Japanese."""
