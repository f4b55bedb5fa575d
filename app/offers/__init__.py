"""Offers: read, sent, recorded, decided, replaced, listed, compared, exported."""
