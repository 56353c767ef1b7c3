"""Captures made by others: one reader a format, and the import that takes their text in through the guard."""
