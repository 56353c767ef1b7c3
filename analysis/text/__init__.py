"""Readers, one for each kind of stored body, that put its text together: HTML, XML, JSON, plain text."""
