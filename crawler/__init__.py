"""Looks: fetches, guards, records. Knows no law and no language."""
