"""The class of every column of every table: whose data it is, what for, how long, and what an erasure does to it.

From here come the record of processing in settings, the table on the page about privacy, and docs/personal-data.md
(`python -m app.privacy.data_map > docs/personal-data.md`). A test fails for a column that has no class.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

from app.offers.fields import FIELDS


def N_(text: str) -> str:
    """gettext's own mark for a text that is translated where it is shown."""
    return text


BIDDERS, STAFF, NOBODY = N_("clients who send offers"), N_("the agency's staff"), N_("nobody")

_ON_REQUEST = N_("Steps at the client's request before a contract – Art. 6(1)(b) GDPR")
_INTEREST = N_("Legitimate interest – Art. 6(1)(f) GDPR")
_WORK = N_("The contract with the agency, and its legitimate interest – Art. 6(1)(b) and (f) GDPR")

_SET = N_("As long as the agency sets, counted from its answer")
_DESTROYED = N_("The key is destroyed; nobody can read it any more")
_DELETED = N_("Deleted")
_ANONYMOUS = N_("Stays, and no longer tells whose it was")


@dataclass(frozen=True, slots=True)
class DataClass:
    """One kind of data. Texts are English msgids, translated where they are shown."""

    name: str
    title: str
    whose: str = NOBODY
    purpose: str = ""
    basis: str = ""
    retention: str = ""
    erased: str = ""
    exported: bool = False  # in the copy that a person is given of what is held about them

    @property
    def personal(self) -> bool:
        return self.whose != NOBODY


CLASSES = (
    DataClass(
        "content",
        N_("The offer as sent: name, e-mail, phone, conditions, co-buyers, message, signature, receipt"),
        BIDDERS,
        N_("Receiving and comparing offers, and answering; proof of what was sent"),
        _ON_REQUEST,
        _SET,
        _DESTROYED,
        exported=True,
    ),
    DataClass(
        "terms",
        N_("The offer's figures: amount, financing, term, dates, status, reference"),
        BIDDERS,
        N_("Sorting, comparing and counting offers"),
        _ON_REQUEST,
        N_("As long as the agency uses the service; without a name once the offer is erased"),
        _ANONYMOUS,
        exported=True,
    ),
    DataClass(
        "dealing",
        N_("How the agency dealt with the offer: notes, reasons, requests for a better offer, withdrawal"),
        BIDDERS,
        N_("Deciding, and being able to say why"),
        _INTEREST,
        _SET,
        _DESTROYED,
        exported=True,
    ),
    DataClass(
        "messages",
        N_("Mails, messages to the CRM and their answers, confirmation codes"),
        BIDDERS,
        N_("Telling client, agent and CRM what happened, and trying again when they cannot be reached"),
        _ON_REQUEST,
        _SET,
        _DESTROYED,
    ),
    DataClass(
        "origin",
        N_("The network address and browser the offer was sent from"),
        BIDDERS,
        N_("Protecting the form from abuse"),
        _INTEREST,
        N_("Shorter than the offer, as the agency sets"),
        _DELETED,
        exported=True,
    ),
    DataClass(
        "fingerprint",
        N_("Keyed fingerprints of e-mail, phone and form"),
        BIDDERS,
        N_("Exact search, and taking a form that is sent twice for one offer"),
        _INTEREST,
        _SET,
        _DELETED,
    ),
    DataClass(
        "trail",
        N_("The register, and who saw what: kind, moment, numbers, without names or text"),
        STAFF,
        N_("A record that nobody can rewrite; being answerable for who saw personal data"),
        _INTEREST,
        N_("As long as the agency uses the service"),
        _ANONYMOUS,
    ),
    DataClass(
        "staff",
        N_("Accounts of staff: name, e-mail, phone, role, saved filters"),
        STAFF,
        N_("Signing in, answering for a property, being told of offers"),
        _WORK,
        N_("As long as the agency uses the service"),
        N_("Not touched by the erasure of a client"),
    ),
    DataClass(
        "session",
        N_("Who is signed in where: browser and moments"),
        STAFF,
        N_("Keeping a person signed in, and ending it from afar"),
        _WORK,
        N_("Until signing out or expiry"),
        N_("Not touched by the erasure of a client"),
    ),
    DataClass("property", N_("Facts of properties and what the agency set")),
    DataClass("secret", N_("Keys, and hashes of secrets")),
    DataClass("technical", N_("Numbers that tie rows together, versions, moments of work")),
)

# Table → class → its columns.
_CLEAR = " ".join(field.clear for field in FIELDS if field.clear)
COLUMNS: dict[str, dict[str, str]] = {
    "access": {"trail": "user_id kind offer_id at", "technical": "id agency_id"},
    "agency": {
        "property": "name email phone company privacy_contact zone language currency colleagues_read"
        " bidders_see_status needs_factor",
        "technical": "id head_seq head_hash event_seq epoch restores test_of_id has_webhooks notice_version facts_at"
        " used_on day_bytes day_offers all_bytes recorded_offers created_at ended_at",
    },
    "agency_key": {"secret": "kek_id wrapped", "technical": "agency_id purpose"},
    "agency_notice": {"property": "language at sha256", "technical": "agency_id n"},
    "api_key": {
        "secret": "prefix key_hash",
        "property": "name scopes expires_at",
        "technical": "id agency_id created_at last_used_at revoked_at",
    },
    "attempt": {"messages": "answer_ct", "technical": "delivery_id n agency_id at code"},
    "checkpoint": {"technical": "agency_id seq at body signature certificate"},
    "confirmation": {"dealing": "at proof", "technical": "offer_id agency_id"},
    "confirmation_body": {
        "content": "body_ct",
        "terms": "signature",
        "fingerprint": "commitment",
        "technical": "offer_id agency_id",
    },
    "decision": {
        "dealing": "from_status to_status at reason_ct message_ct",
        "trail": "actor_type actor_id",
        "technical": "id agency_id offer_id undoes_id",
    },
    "chore": {"technical": "name settings due_at tried_at good_at fault"},
    "operator": {"staff": "account_id", "technical": "since"},
    "delivery": {
        "messages": "kind template body_ct",
        "trail": "user_id",
        "fingerprint": "recipient",
        "technical": "id agency_id subject_type subject_id event_seq offer_id endpoint_id tried_before state due_at"
        " lease_token lease_until attempts created_at ended_at reason request_id",
    },
    "earlier_secret": {"secret": "secret_ct until", "technical": "id agency_id endpoint_id"},
    "email_code": {"messages": "code_ct", "technical": "offer_id n agency_id created_at expires_at tries used_at"},
    "event": {"messages": "body_ct", "technical": "agency_id seq at type offer_id property_id"},
    "idempotency": {
        "messages": "answer_ct",
        "fingerprint": "body_mac",
        "technical": "key_id name_hash agency_id status offer_id expires_at",
    },
    "invitation": {"staff": "email full_name phone role language", "technical": "id agency_id invited_at"},
    "key_access": {"trail": "key_id kind offer_id at", "technical": "id agency_id"},
    "ledger": {"trail": "at kind object_id actor_type actor_id body", "technical": "agency_id seq hash"},
    "link_activity": {"property": "day opened begun", "technical": "property_id agency_id"},
    "note": {"dealing": "at body_ct", "trail": "user_id", "technical": "id agency_id offer_id"},
    "offer": {
        "terms": f"reference {_CLEAR} currency asking_minor signed source language submitted_at previous_id",
        "technical": "id agency_id property_id link_version commitment schema_no",
    },
    "offer_body": {"content": "body_ct", "technical": "offer_id agency_id"},
    "offer_file": {"content": "sha256 body_ct", "technical": "offer_id kind agency_id mime"},
    "offer_key": {"content": "name_ct", "secret": "kek_id wrapped", "technical": "offer_id agency_id"},
    "offer_move": {
        "dealing": "at place reason_ct",
        "trail": "user_id",
        "technical": "offer_id agency_id property_id",
    },
    "offer_origin": {"origin": "body_ct", "technical": "offer_id agency_id"},
    "offer_request": {
        "dealing": "created_at deadline message_ct cancelled_at shown_at",
        "trail": "user_id shown_to",
        "technical": "id agency_id property_id offer_id answer_id",
    },
    "offer_state": {
        "terms": "status amount_minor currency financing term_days source signed latest submitted_at viewed_at"
        " decided_at withdrawn_at",
        "technical": "offer_id agency_id property_id version erased_at updated_at",
    },
    "offer_tag": {"fingerprint": "tag", "technical": "agency_id field offer_id"},
    "privacy_request": {
        "messages": "email_ct reason_ct",
        "fingerprint": "tag",
        "trail": "kind language offers created_at proved_at due_at reminded_at ended_at outcome",
        "technical": "id agency_id",
    },
    "reset_request": {"fingerprint": "mark", "technical": "id created_at"},
    "property": {
        "property": "external_id title title_en description description_en property_type transaction_type availability"
        " address show_exact_address zone city county country usable_area_sqm built_area_sqm land_area_sqm rooms"
        " asking_minor currency price_vat buyer_commission crm_url accepts_offers offers_open_at offers_close_at"
        " signature_required code_required field_rules photo_id",
        "staff": "agent_id",
        "technical": "id agency_id link_version version archived_at slowed_at told_at created_at updated_at",
    },
    "past_epoch": {"technical": "agency_id name last_seq ended_at"},
    "photo_copy": {"property": "url_ct fault", "technical": "property_id agency_id due_at tries updated_at"},
    "retention": {
        "property": "origin_days undecided_days rejected_days accepted_days effective_from",
        "technical": "id agency_id property_id warned_until updated_at",
    },
    "saved_view": {"staff": "user_id body_ct", "technical": "id agency_id created_at"},
    "seller_link": {
        "property": "shows_names expires_at revoked_at",
        "trail": "user_id",
        "technical": "id agency_id property_id created_at",
    },
    "setup_link": {"technical": "id created_at expires_at"},
    "submission": {"fingerprint": "nonce content_mac", "technical": "property_id agency_id offer_id"},
    "text_version": {"property": "kind language body", "technical": "sha256 created_at"},
    "timestamping": {"technical": "agency_id seq n at token fault"},
    "tombstone": {"trail": "at reason", "technical": "offer_id agency_id"},
    "upload": {"property": "body", "technical": "id agency_id property_id mime width height sha256 created_at"},
    "staff_address": {"staff": "email", "technical": "agency_id since"},
    "account": {
        "staff": "email language shortcuts has_factor",
        "secret": "password_hash",
        "technical": "id created_at",
    },
    "totp": {"secret": "wrapped", "technical": "account_id kek_id last_step confirmed_at created_at"},
    "passkey": {
        "session": "name backed_up created_at used_at",
        "technical": "id account_id credential_id public_key sign_count",
    },
    "issuer_identity": {"staff": "issuer subject", "technical": "account_id created_at"},
    "recovery_code": {"secret": "code_hash", "technical": "account_id"},
    "user": {
        "staff": "email full_name phone role active read_in deputy_id deputy_from deputy_until",
        "technical": "id agency_id account_id chosen_at created_at",
    },
    "user_session": {
        "session": "user_id browser place proven_at created_at seen_at expires_at",
        "secret": "token_hash",
        "technical": "id agency_id",
    },
    "property_feed": {
        "property": "name kind url_ct file_ct mapping separators every_hours tried_ct",
        "secret": "key_ct key_in",
        "technical": "id agency_id due_at lease_until try_due_at try_until tried_at created_at updated_at",
    },
    "feed_run": {
        "property": "seen created updated unchanged skipped refused vanished errors",
        "technical": "id agency_id feed_id started_at ended_at state complete code",
    },
    "feed_item": {"property": "external_id seen_at vanished_at", "technical": "feed_id agency_id"},
    "webhook_endpoint": {
        "property": "url_ct events off_at off_reason",
        "secret": "secret_ct",
        "technical": "id agency_id failing_since warned created_at updated_at",
    },
    "replace_code": {"fingerprint": "nonce", "technical": "agency_id offer_id n tries sent_at proved_at"},
    "supersession": {"dealing": "at", "technical": "offer_id agency_id previous_id"},
    "withdrawal": {"dealing": "at message_ct", "technical": "offer_id agency_id"},
}

# What of people stays in clear, in the words of the page about privacy. Sealed is what ends in `_ct`; the rest is here.
IN_CLEAR: dict[str, str] = {
    N_("amount, asking price and currency"): "offer.amount_minor offer.asking_minor offer.currency"
    " offer_state.amount_minor offer_state.currency",
    N_("kind of financing and days to payment"): "offer.financing offer.term_days offer_state.financing"
    " offer_state.term_days",
    N_("reference, language, source, and which offer it replaces"): "offer.reference offer.language offer.source"
    " offer.previous_id offer_state.source offer_state.latest",
    N_("status, its place in the agency's order, whether it is signed and how"): "offer_state.status"
    " decision.from_status decision.to_status offer_move.place offer.signed offer_state.signed"
    " confirmation_body.signature confirmation.proof",
    N_("dates and times: until when it is valid; when it was sent, opened, answered, confirmed, noted on, moved, asked"
       " to be bettered, withdrawn"): "offer.valid_until offer.submitted_at offer_state.submitted_at"
    " offer_state.viewed_at offer_state.decided_at offer_state.withdrawn_at decision.at confirmation.at note.at"
    " offer_move.at offer_request.created_at offer_request.shown_at supersession.at"
    " offer_request.deadline offer_request.cancelled_at withdrawal.at",
    N_("which mails and messages are owed, without their text"): "delivery.kind delivery.template",
    N_("the register, who saw what, requests about data, and erasures: what kind, when, by whom of the staff, how it"
       " ended"): "access.user_id access.kind access.offer_id access.at key_access.key_id key_access.kind"
    " key_access.offer_id key_access.at decision.actor_type decision.actor_id"
    " delivery.user_id ledger.at ledger.kind ledger.object_id ledger.actor_type ledger.actor_id ledger.body"
    " note.user_id offer_move.user_id offer_request.user_id offer_request.shown_to"
    " privacy_request.kind privacy_request.language"
    " privacy_request.offers privacy_request.created_at privacy_request.proved_at privacy_request.due_at"
    " privacy_request.reminded_at privacy_request.ended_at privacy_request.outcome seller_link.user_id tombstone.at"
    " tombstone.reason",
    N_("fingerprints (keyed or salted hashes), from which nothing can be read"): "confirmation_body.commitment"
    " delivery.recipient idempotency.body_mac offer_file.sha256 offer_tag.tag privacy_request.tag reset_request.mark"
    " replace_code.nonce submission.nonce submission.content_mac",
    N_("names, e-mail addresses, phones, roles and browsers of the agency's staff"): "invitation.email"
    " invitation.full_name invitation.phone invitation.role invitation.language property.agent_id saved_view.user_id"
    " staff_address.email operator.account_id"
    " user.email user.full_name user.phone user.role user.active user.read_in user.deputy_id"
    " user.deputy_from user.deputy_until account.email account.language"
    " account.shortcuts account.has_factor user_session.place user_session.proven_at"
    " issuer_identity.issuer issuer_identity.subject passkey.name passkey.backed_up passkey.created_at passkey.used_at"
    " user_session.user_id user_session.browser user_session.created_at user_session.seen_at user_session.expires_at",
}  # fmt: skip


def personal(whose: str | None = None) -> list[DataClass]:
    """The classes that speak of people, or of these people."""
    return [entry for entry in CLASSES if entry.personal and whose in (None, entry.whose)]


def markdown() -> str:
    """docs/personal-data.md."""
    lines = [
        "# Whose data is what\n",
        "The class of every column, from `app/privacy/data_map.py`. Made by `python -m app.privacy.data_map`;",
        "a test fails for a column without a class, and when this page is not what the map says.\n",
    ]
    for entry in CLASSES:
        lines.append(f"## {entry.name}\n\n{entry.title}.\n")
        if entry.personal:
            lines += [
                f"- Whose: {entry.whose}",
                f"- What for: {entry.purpose}. {entry.basis}.",
                f"- How long: {entry.retention}.",
                f"- In a person's copy of what is held: {'yes' if entry.exported else 'no'}.",
                f"- When a client is erased: {entry.erased[0].lower()}{entry.erased[1:]}.\n",
            ]
        else:
            lines.append("Not personal.\n")
        for table, by_class in COLUMNS.items():
            if entry.name in by_class:
                columns = ", ".join(f"`{column}`" for column in by_class[entry.name].split())
                lines.append(f"- `{table}`: {columns}")
        lines.append("")
    lines.append(
        "## In clear\n\nOf what speaks of people, these stay unencrypted; `/gdpr` names them in the same words.\n"
    )
    lines += [f"- {words}: {', '.join(f'`{name}`' for name in names.split())}" for words, names in IN_CLEAR.items()]
    lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(markdown())
