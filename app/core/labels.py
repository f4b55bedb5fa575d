"""What values are called: enumerations, filters, steps of a timeline, in the reader's language."""

from __future__ import annotations

from typing import Any

from flask_babel import lazy_gettext

from app.models.property import GONE

FEED_FILE = {  # why a file of properties cannot be read, in the words of whoever made it
    "file": lazy_gettext("The file cannot be read as CSV"),
    "file_empty": lazy_gettext("The file is empty"),
    "file_no_rows": lazy_gettext("The file has a line of names and no rows under it"),
    "file_names": lazy_gettext("Two columns have the same name in the first line"),
    "file_narrow": lazy_gettext("The first line has fewer cells than the rows under it: begin with the line of names"),
    "file_columns": lazy_gettext("The file has more than 500 columns"),
    "file_xls": lazy_gettext(
        "An old Excel file (.xls), or one with a password: save it as .xlsx without one, or as CSV"
    ),
    "file_xlsx": lazy_gettext("The Excel file is damaged, or is none: save it again, or as CSV"),
    "file_other": lazy_gettext("Neither CSV nor Excel (.xlsx): open it in a spreadsheet and save it as one of them"),
    "file_large": lazy_gettext("The file is too large once it is opened"),
    "encoding": lazy_gettext("The answer is compressed in a way that was not asked for and cannot be opened"),
}

LABELS: dict[str, dict[str, Any]] = {
    "access": {
        "viewed": lazy_gettext("opened an offer"),
        "searched": lazy_gettext("found an offer by its person"),
        "exported": lazy_gettext("took out a list"),
        "read": lazy_gettext("read an offer over the API"),
        "listed": lazy_gettext("took a list over the API"),
    },
    "status": {
        "new": lazy_gettext("New"),
        "viewed": lazy_gettext("Viewed"),
        "accepted": lazy_gettext("Accepted"),
        "rejected": lazy_gettext("Rejected"),
    },
    "financing": {
        "cash": lazy_gettext("Cash (own funds, through a bank)"),
        "credit": lazy_gettext("Credit"),
        "mixed": lazy_gettext("Mixed (own funds and credit)"),
    },
    "financing_short": {
        "cash": lazy_gettext("Cash"),
        "credit": lazy_gettext("Credit"),
        "mixed": lazy_gettext("Mixed"),
    },
    "credit_program": {"standard": lazy_gettext("Standard mortgage"), "noua_casa": lazy_gettext("Noua Casă programme")},
    "condition": {
        "bank_approval": lazy_gettext("Approval of the credit by the bank"),
        "home_sale": lazy_gettext("Sale of another home"),
        "inspection": lazy_gettext("Technical inspection"),
    },
    "property_type": {
        "apartment": lazy_gettext("Apartment"),
        "house": lazy_gettext("House"),
        "land": lazy_gettext("Land"),
        "commercial": lazy_gettext("Commercial space"),
        "office": lazy_gettext("Office"),
        "industrial": lazy_gettext("Industrial space"),
        "other": lazy_gettext("Other property"),
    },
    "price_vat": {
        "included": lazy_gettext("VAT included"),
        "excluded": lazy_gettext("plus VAT"),
        "exempt": lazy_gettext("VAT exempt"),
    },
    "source": {
        "link": lazy_gettext("Offer link"),
        "agent": lazy_gettext("Recorded by the agent"),
        "api": lazy_gettext("CRM"),
    },
    "proof": {
        "code": lazy_gettext("Code sent to the client's e-mail"),
        "held_link": lazy_gettext("Link that the agency held"),
    },
    "previous_proof": {
        "code": lazy_gettext("Code sent to the client's e-mail"),
        "mailed_link": lazy_gettext("Link sent to the client's e-mail alone"),
        "private_page": lazy_gettext("The client's private page"),
        "held_link": lazy_gettext("Link that the agency held"),
    },
    "channel": {
        "phone": lazy_gettext("Taken by phone"),
        "whatsapp": lazy_gettext("Came by WhatsApp"),
        "mail": lazy_gettext("Came by e-mail"),
        "in_person": lazy_gettext("Taken in person"),
    },
    "despite": {
        "replaced": lazy_gettext("Accept it although its client replaced it"),
        "expired": lazy_gettext("Accept it although its last day has passed"),
        "archived": lazy_gettext("Accept it although the property is archived"),
        "gone": lazy_gettext("Accept it although the property is not for sale any more"),
        "second": lazy_gettext("Accept it although another offer for the property is accepted"),
    },
    "despite_step": {
        "replaced": lazy_gettext("although it was replaced"),
        "expired": lazy_gettext("although its last day had passed"),
        "archived": lazy_gettext("although the property was archived"),
        "gone": lazy_gettext("although the property was not for sale any more"),
        "second": lazy_gettext("although another offer was accepted"),
    },
    "signature": {"drawn": lazy_gettext("Drawn signature"), "typed": lazy_gettext("Typed signature")},
    "purpose": {
        "seller": lazy_gettext("Report to the seller"),
        "agency": lazy_gettext("Work inside the agency"),
        "accounting": lazy_gettext("Accounting"),
        "person": lazy_gettext("A person asked for their data"),
        "other": lazy_gettext("Something else"),
    },
    "role": {
        "owner": lazy_gettext("Administrator"),
        "agent": lazy_gettext("Agent"),
        "assistant": lazy_gettext("Assistant"),
    },
    "bidder_type": {"person": lazy_gettext("A person"), "company": lazy_gettext("A company")},
    # As its bidder reads it: what the agent did, without saying how they work.
    "bidder_status": {
        "new": lazy_gettext("Received, not opened yet"),
        "viewed": lazy_gettext("Opened by the agent"),
        "accepted": lazy_gettext("Accepted"),
        "rejected": lazy_gettext("Not accepted"),
    },
    "availability": {
        "available": lazy_gettext("Available"),
        "reserved": lazy_gettext("Reserved"),
        "sold": lazy_gettext("Sold"),
        "rented": lazy_gettext("Rented out"),
        "withdrawn": lazy_gettext("Off the market"),
        "unavailable": lazy_gettext("Not available"),
    },
    "delivery_kind": {
        "mail": lazy_gettext("Mail"),
        "webhook": lazy_gettext("Call of a webhook"),
        "receipt": lazy_gettext("Receipt"),
    },
    "check": {
        "database": lazy_gettext("Database"),
        "writing": lazy_gettext("Writing"),
        "migrations": lazy_gettext("Schema"),
        "queue": lazy_gettext("Valkey"),
        "mail": lazy_gettext("Mail server"),
        "proxy": lazy_gettext("Proxy"),
        "relay": lazy_gettext("Delivering"),
        "deliveries": lazy_gettext("Given up"),
        "feeds": lazy_gettext("Feeds"),
        "backups": lazy_gettext("Backups"),
        "keys": lazy_gettext("Keys"),
        "certificates": lazy_gettext("Certificates"),
        "registers": lazy_gettext("Registers"),
        "requests": lazy_gettext("Requests of persons"),
        "disk": lazy_gettext("Disk"),
    },
    "certificate": {
        "seal": lazy_gettext("Seals receipts"),
        "checkpoint": lazy_gettext("Signs registers and backups"),
        "root": lazy_gettext("Root of both"),
    },
    "delivery": {
        "pending": lazy_gettext("Waiting to be sent"),
        "leased": lazy_gettext("Being sent"),
        "delivered": lazy_gettext("Sent"),
        "dead": lazy_gettext("Could not be sent"),
        "cancelled": lazy_gettext("Cancelled"),
    },
    "event": {
        "offer.created": lazy_gettext("Offer came in"),
        "offer.viewed": lazy_gettext("Offer opened for the first time"),
        "offer.status_changed": lazy_gettext("Offer accepted, rejected or put back"),
        "offer.better_asked": lazy_gettext("Better offer asked for"),
        "offer.superseded": lazy_gettext("Offer replaced by a better one"),
        "offer.confirmed": lazy_gettext("Recorded offer confirmed by its bidder"),
        "offer.withdrawn": lazy_gettext("Offer withdrawn"),
        "offer.erased": lazy_gettext("Bidder's data erased"),
        "property.created": lazy_gettext("Property created"),
        "property.updated": lazy_gettext("Property changed"),
        "property.archived": lazy_gettext("Property archived"),
        "link.rotated": lazy_gettext("New link made"),
        "webhook.test": lazy_gettext("Test call"),
    },
    "feed_fault": {
        "timeout": lazy_gettext("The feed could not be read whole"),
        "killed": lazy_gettext("The feed could not be read whole"),
        "fault": lazy_gettext("The feed could not be read whole"),
        "broken": lazy_gettext("The connection broke off"),
        "connect": lazy_gettext("Nobody answers at this address"),
        "tls": lazy_gettext("The certificate of the address is not valid"),
        "name": lazy_gettext("The name of the address is not known"),
        "address": lazy_gettext("The address leads into a private network, which is not called"),
        "port": lazy_gettext("Only the ports 443 and 80 are called"),
        "key": lazy_gettext("The CRM does not accept the key"),
        "status": lazy_gettext("The CRM answered with an error"),
        "not_json": lazy_gettext("What came is not a list of properties"),
        "shape": lazy_gettext("What came is not a list of properties"),
        "next": lazy_gettext("The address of the next page leads elsewhere or in a circle"),
        "short": lazy_gettext("Fewer rows came than were announced"),
        "large": lazy_gettext("A page is larger than 8 MB, or holds too many values"),
        "rows": lazy_gettext("The feed has more than 50,000 rows"),
        "quota": lazy_gettext("The agency has reached its limit for today"),
        "slow": lazy_gettext("The CRM took too long to answer"),
        **FEED_FILE,
    },
    "mail_refused": {"recipient": lazy_gettext("Not sent: this address got too many mails from you within a day")},
    "photo_fault": {
        "timeout": lazy_gettext("The photo did not come within 30 seconds"),
        "broken": lazy_gettext("The connection broke off"),
        "connect": lazy_gettext("Nobody answers at this address"),
        "tls": lazy_gettext("The certificate of the address is not valid"),
        "name": lazy_gettext("The name of the address is not known"),
        "address": lazy_gettext("The address leads into a private network, which is not called"),
        "port": lazy_gettext("Only the ports 443 and 80 are called"),
        "status": lazy_gettext("The CRM answered with an error"),
        "large": lazy_gettext("The photo is larger than 10 MB"),
        "not_photo": lazy_gettext("What came is not a JPEG, PNG or WebP picture"),
    },
    "webhook_off": {
        "owner": lazy_gettext("Calls are turned off."),
        "gone": lazy_gettext("Calls have stopped: the address answered that it no longer exists (410)."),
        "failing": lazy_gettext("Calls have stopped: for five days none was accepted."),
    },
    "no_timestamp": {
        "timeout": lazy_gettext("No whole answer within 15 seconds"),
        "connect": lazy_gettext("Nobody answers at this address"),
        "tls": lazy_gettext("The certificate of the address is not valid"),
        "name": lazy_gettext("The name of the address is not known"),
        "broken": lazy_gettext("The connection broke off"),
        "refused": lazy_gettext("The address leads into a private network, which is not called"),
        "declined": lazy_gettext("The authority declined"),
        "invalid": lazy_gettext("What came is no timestamp of this head"),
    },
    "webhook_fault": {
        "timeout": lazy_gettext("No whole answer within 15 seconds"),
        "connect": lazy_gettext("Nobody answers at this address"),
        "tls": lazy_gettext("The certificate of the address is not valid"),
        "name": lazy_gettext("The name of the address is not known"),
        "broken": lazy_gettext("The connection broke off"),
        "refused: address": lazy_gettext("The address leads into a private network, which is not called"),
        "refused: port": lazy_gettext("Only the ports 443 and 80 are called"),
        "fault": lazy_gettext("The call could not be made, for a fault of BidFlux"),
    },
}


FILTERS: dict[str, Any] = {
    "q": lazy_gettext("Search"),
    "status": lazy_gettext("Status"),
    "property_id": lazy_gettext("Property"),
    "property_external_id": lazy_gettext("CRM id"),
    "agent": lazy_gettext("Agent"),
    "financing": lazy_gettext("Financing"),
    "currency": lazy_gettext("Currency"),
    "min_amount": lazy_gettext("Amount from"),
    "max_amount": lazy_gettext("Amount to"),
    "ratio_from": lazy_gettext("Of the asking price, from"),
    "ratio_below": lazy_gettext("Of the asking price, under"),
    "submitted_after": lazy_gettext("Submitted from"),
    "submitted_before": lazy_gettext("Submitted to"),
    "updated_since": lazy_gettext("Changed since"),
    "min_term": lazy_gettext("Payment term from, in days"),
    "max_term": lazy_gettext("Payment term to, in days"),
    "source": lazy_gettext("Source"),
    "signed": lazy_gettext("Signed"),
    "confirmed": lazy_gettext("Confirmed"),
    "latest": lazy_gettext("Latest"),
    "reference": lazy_gettext("Reference"),
    "email": lazy_gettext("E-mail"),
    "sort": lazy_gettext("Order"),
}


def filter_label(name: str) -> str:
    """What a field of the filter of offers is called."""
    return str(FILTERS[name])


def label(kind: str, value: str) -> str:
    """The name of an enumeration's value in the reader's language."""
    return str(LABELS[kind].get(value, value))


# What each kind of ledger entry is called on a timeline.
STEPS: dict[str, Any] = {
    "offer.submitted": lazy_gettext("Offer sent"),
    "offer.confirmed": lazy_gettext("Confirmed through the link"),
    "offer.confirmation_asked": lazy_gettext("Asked again to confirm"),
    "offer.viewed": lazy_gettext("Opened"),
    "receipt.sealed": lazy_gettext("Receipt sealed"),
    "offer.code_confirmed": lazy_gettext("Signature confirmed by a code from the client's e-mail"),
    "offer.decided": lazy_gettext("Status changed"),
    "note.written": lazy_gettext("Note written"),
    "note.removed": lazy_gettext("Note removed"),
    "property.created": lazy_gettext("Property created"),
    "property.updated": lazy_gettext("Property changed"),
    "property.archived": lazy_gettext("Property archived"),
    "property.availability": lazy_gettext("Availability changed"),
    "property.bidders_told": lazy_gettext("Bidders told that the property is gone"),
    "property.telling_undone": lazy_gettext("Telling the bidders undone"),
    "property.restored": lazy_gettext("Property taken out of the archive"),
    "property.agent_changed": lazy_gettext("Responsible agent changed"),
    "offer.withdrawn": lazy_gettext("Offer withdrawn"),
    "offer.better_asked": lazy_gettext("Better offer asked for"),
    "offer.better_link_shown": lazy_gettext("Link of the request shown to be passed on"),
    "offer.answered": lazy_gettext("A better offer, as it was asked for"),
    "offer.replaced": lazy_gettext("Took the place of an earlier offer"),
    "offer.better_taken_back": lazy_gettext("Request for a better offer taken back"),
    "offer.moved": lazy_gettext("Put elsewhere in the order"),
    "order.reset": lazy_gettext("Order taken back"),
    "seller.shared": lazy_gettext("Seller's page shared"),
    "seller.opened": lazy_gettext("Seller's page opened"),
    "seller.revoked": lazy_gettext("Seller's page closed"),
    "property.outcome": lazy_gettext("Outcome decided"),
    "link.on": lazy_gettext("Link turned on"),
    "link.off": lazy_gettext("Link turned off"),
    "link.changed": lazy_gettext("Rules of the link changed"),
    "link.rotated": lazy_gettext("New link made"),
    "link.flooded": lazy_gettext("Very many offers came through the link within an hour"),
    "link.slowed": lazy_gettext("Link slowed down"),
    "link.unslowed": lazy_gettext("Link no longer slowed down"),
}
# Entries of before codes were asked for name no proof: a press of the link's button was enough then.
STEP_CONFIRMED = {
    "code": lazy_gettext("Confirmed by the client with a code from their e-mail"),
    "held_link": lazy_gettext("Confirmed through a link that the agency held"),
}
STEP_ICONS = {
    "offer.submitted": "mail",
    "offer.viewed": "eye",
    "accepted": "check",
    "rejected": "close",
    "new": "mail",
    "viewed": "eye",
    "property.created": "plus",
    "offer.withdrawn": "close",
    "seller.opened": "eye",
    "seller.shared": "link",
    "seller.revoked": "lock",
    "link.on": "link",
    "link.off": "lock",
    "link.rotated": "refresh",
    "link.flooded": "alert",
    "link.slowed": "clock",
    "link.unslowed": "link",
}
ACTORS: dict[str, Any] = {
    "user": lazy_gettext("a colleague"),
    "api_key": lazy_gettext("the CRM"),
    "bidder": lazy_gettext("the client"),
    "system": lazy_gettext("the system"),
    "seller": lazy_gettext("whoever has the link"),
}
LINK_STATES: dict[str, tuple[Any, str]] = {
    "open": (lazy_gettext("Takes offers"), "good"),
    "not_open": (lazy_gettext("Not open yet"), "warn"),
    "closed": (lazy_gettext("Closed"), ""),
    "off": (lazy_gettext("Off"), ""),
    **{state: (LABELS["availability"][state], "") for state in GONE},
}

GONE_TEXTS = {
    "sold": lazy_gettext("The property has been sold"),
    "rented": lazy_gettext("The property has been rented out"),
    "withdrawn": lazy_gettext("The property was taken off the market"),
    "unavailable": lazy_gettext("The property is no longer available"),
}
