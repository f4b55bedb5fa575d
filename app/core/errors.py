"""The domain's errors. `register_errors` shows them, as HTML or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class DomainError(Exception):
    """Something the rules refuse. `status` is its HTTP status, `title` a message id for translation."""

    status = 400
    title = "The request was not understood"


class NotFound(DomainError):
    status = 404
    title = "Not found"


class NoKey(DomainError):
    """No API key, or one that opens nothing: unknown, expired or revoked."""

    status = 401
    title = "An API key is needed"


class NoScope(DomainError):
    """The key is good, and not for this: `scope` is what it lacks."""

    status = 403
    title = "The key may not do this"

    def __init__(self, scope: str) -> None:
        self.scope = scope
        super().__init__(scope)


class Conflict(DomainError):
    """The row moved on since it was read; `current` is what it is now."""

    status = 409
    title = "It has changed in the meantime"


class OtherEpoch(Conflict):
    """The place named is of a history that a restore ended; `shared` is up to where it is still this one, if known."""

    title = "This is a place of another history"

    def __init__(self, epoch: str, shared: int | None = None) -> None:
        self.epoch, self.shared = epoch, shared
        super().__init__()


class NotReady(Conflict):
    """What is asked for is not made yet."""

    title = "Not made yet"


class IllegalTransition(Conflict):
    """From where it stands, the offer may be set only to the statuses in `legal`."""

    title = "This step is not possible"

    def __init__(self, legal: Sequence[str] = ()) -> None:
        self.legal = tuple(legal)
        super().__init__()


class UnnamedConcern(Conflict):
    """Something speaks against accepting this offer, and nobody said that it is accepted all the same: `despite`."""

    title = "It has to be said explicitly"

    def __init__(self, despite: Sequence[str]) -> None:
        self.despite = tuple(despite)
        super().__init__()


class StaleVersion(Conflict):
    """The caller said which version it had seen, and the row has moved on (RFC 9110, section 13.1.1)."""

    status = 412
    title = "It has changed since it was read"


class LinkClosed(DomainError):
    """The link does not take offers now. `state` is not_open, closed, off, rotated, invalid, or what became of
    the property."""

    status = 410

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(state)


class FactsChanged(Conflict):
    """What the sender was shown is no longer so: nothing was written, and they are shown what changed."""


class Invalid(DomainError):
    """Input that cannot be accepted: field name to messages, translated when they are shown."""

    status = 422

    def __init__(self, errors: Mapping[str, Sequence[object]]) -> None:
        self.errors = errors
        super().__init__(", ".join(errors))


class KeyReused(Invalid):
    """The `Idempotency-Key` was sent before, with another request."""

    def __init__(self) -> None:
        super().__init__({":Idempotency-Key": ["Sent before with another method, path or body"]})


class Unreadable(DomainError):
    """The body is no document that can be read: broken, ambiguous, or in another encoding."""

    status = 400


class CodeWanted(DomainError):
    """What is asked for takes a code from the mailbox of the offer that it would replace."""


class WrongMedia(DomainError):
    """The body says that it is something else than JSON."""

    status = 415


class TooMany(DomainError):
    """A rate limit was reached; try again after `retry_after` seconds."""

    status = 429
    title = "Too many requests"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()


class QuotaReached(DomainError):
    """The agency holds all that it may of a `kind`: `most`, as the operator set it."""

    status = 409
    title = "The agency has reached a quota"

    def __init__(self, kind: str, most: int) -> None:
        self.kind, self.most = kind, most
        super().__init__(f"quota {kind}: {most}")


class QuotaOfDay(QuotaReached):
    """The agency has written all that it may in a day; try again after `retry_after` seconds."""

    status = 429
    title = "The agency has reached its quota of the day"

    def __init__(self, kind: str, most: int, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(kind, most)
