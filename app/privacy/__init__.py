"""Whose data is held, who saw it, how it is copied out and forgotten."""
