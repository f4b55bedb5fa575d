"""Exports of offers as files."""
