"""Understands: passages, claims, findings, links, extent, reports."""
