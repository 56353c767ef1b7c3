"""Speaks: Typer commands; the only place that prints or reads a terminal."""
