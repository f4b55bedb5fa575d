"""Endpoints of CRMs, the events they follow, and the log of calls."""
