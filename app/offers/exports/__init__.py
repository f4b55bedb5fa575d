"""Offers taken out as files."""
