"""Reads. One filter serves list, counters and export; Core for many rows, ORM for one."""
