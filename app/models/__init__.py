"""The tables. Import models from here."""

from app.models.agency import Agency, AgencyKey, ApiKey, User, UserSession
from app.models.base import Base, Kept
from app.models.offer import (
    Decision,
    Offer,
    OfferBody,
    OfferFile,
    OfferKey,
    OfferOrigin,
    OfferState,
    OfferTag,
    Submission,
    TextVersion,
)
from app.models.property import Property, Upload
from app.models.record import Access, Attempt, Delivery, Event, LedgerEntry

__all__ = [
    "Access",
    "Agency",
    "AgencyKey",
    "ApiKey",
    "Attempt",
    "Base",
    "Decision",
    "Delivery",
    "Event",
    "Kept",
    "LedgerEntry",
    "Offer",
    "OfferBody",
    "OfferFile",
    "OfferKey",
    "OfferOrigin",
    "OfferState",
    "OfferTag",
    "Property",
    "Submission",
    "TextVersion",
    "Upload",
    "User",
    "UserSession",
]
