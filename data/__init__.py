"""Keeps: record types, spool, ledger, case store, export, verifier, codebook and law tables."""
