"""The tables. Import models from here."""

from app.models.account import Account, IssuerIdentity, Passkey, RecoveryCode, Totp
from app.models.agency import Agency, AgencyKey, ApiKey, Idempotency, StaffAddress, User, UserSession
from app.models.base import Base, Kept
from app.models.checkpoint import Checkpoint, Timestamping
from app.models.confirming import ConfirmationBody
from app.models.email_code import EmailCode
from app.models.entry import Invitation, ResetRequest, SetupLink
from app.models.epoch import PastEpoch
from app.models.feed import FeedItem, FeedRun, PropertyFeed
from app.models.followup import CODE, HELD_LINK, Confirmation, Note, OfferMove, OfferRequest
from app.models.key_access import KeyAccess
from app.models.notice import AgencyNotice
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
from app.models.operating import Chore, Operator
from app.models.privacy import PrivacyRequest, Retention, Tombstone
from app.models.property import LinkActivity, PhotoCopy, Property, Upload
from app.models.record import Access, Attempt, Delivery, Event, LedgerEntry
from app.models.replacing import ReplaceCode, Supersession
from app.models.seller import SellerLink
from app.models.view import SavedView
from app.models.webhook import EarlierSecret, WebhookEndpoint
from app.models.withdrawal import Withdrawal

__all__ = [
    "CODE",
    "HELD_LINK",
    "Access",
    "Account",
    "Agency",
    "AgencyKey",
    "AgencyNotice",
    "ApiKey",
    "Attempt",
    "Base",
    "Checkpoint",
    "Chore",
    "Confirmation",
    "ConfirmationBody",
    "Decision",
    "Delivery",
    "EarlierSecret",
    "EmailCode",
    "Event",
    "FeedItem",
    "FeedRun",
    "Idempotency",
    "Invitation",
    "IssuerIdentity",
    "Kept",
    "KeyAccess",
    "LedgerEntry",
    "LinkActivity",
    "Note",
    "Offer",
    "OfferBody",
    "OfferFile",
    "OfferKey",
    "OfferMove",
    "OfferOrigin",
    "OfferRequest",
    "OfferState",
    "OfferTag",
    "Operator",
    "Passkey",
    "PastEpoch",
    "PhotoCopy",
    "PrivacyRequest",
    "Property",
    "PropertyFeed",
    "RecoveryCode",
    "ReplaceCode",
    "ResetRequest",
    "Retention",
    "SavedView",
    "SellerLink",
    "SetupLink",
    "StaffAddress",
    "Submission",
    "Supersession",
    "TextVersion",
    "Timestamping",
    "Tombstone",
    "Totp",
    "Upload",
    "User",
    "UserSession",
    "WebhookEndpoint",
    "Withdrawal",
]
