"""The demo agency's words: people who do not exist, at domains that cannot."""

from __future__ import annotations

AGENCY = "Bulevard Imobiliare"
OWNER = ("Corina Vlădescu", "corina.vladescu@bulevard.example", "+40213000100")
AGENTS = (
    ("Andrei Munteanu", "andrei.munteanu@bulevard.example", "+40213000101"),
    ("Ioana Ștefănescu", "ioana.stefanescu@bulevard.example", "+40213000102"),
    ("Ștefan Țurcaș", "stefan.turcas@bulevard.example", "+40213000103"),
)
REASONS = {"accepted": "Suma și termenul convin proprietarului.", "rejected": "Sub prețul minim al proprietarului."}
