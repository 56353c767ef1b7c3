"""Listings and advertisements: what a store, a bot page, a model library or an ad library says about a service, field by field."""
