"""Figures over offers, and how they are drawn."""
