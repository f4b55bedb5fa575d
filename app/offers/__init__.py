"""Offers: read, sent, recorded, decided, replaced, listed, compared, taken out."""
