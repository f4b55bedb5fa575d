"""Agencies, the people in them, their sessions, invitations and keys."""
