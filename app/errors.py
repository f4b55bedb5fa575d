"""The domain's errors. How each is shown, in HTML and in JSON, is `register_errors`' business."""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class DomainError(Exception):
    """Something the rules refuse. `status` is its HTTP status, `title` a message id for translation."""

    status = 400
    title = "The request was not understood"


class NotFound(DomainError):
    status = 404
    title = "Not found"


class Conflict(DomainError):
    """The row moved on since it was read; `current` is what it is now."""

    status = 409
    title = "It has changed in the meantime"


class IllegalTransition(Conflict):
    title = "This step is not possible"


class LinkClosed(DomainError):
    """The link does not take offers now. `state` is not_open, closed, off, rotated or invalid."""

    status = 410

    def __init__(self, state: str) -> None:
        self.state = state
        super().__init__(state)


class Invalid(DomainError):
    """Input that cannot be accepted: field name to messages, translated when they are shown."""

    status = 422

    def __init__(self, errors: Mapping[str, Sequence[object]]) -> None:
        self.errors = errors
        super().__init__(", ".join(errors))


class TooMany(DomainError):
    """A rate limit was reached; try again after `retry_after` seconds."""

    status = 429
    title = "Too many requests"

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__()
