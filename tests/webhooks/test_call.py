"""How a webhook call is signed, and when one that failed is tried again."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

from hypothesis import example, given
from hypothesis import strategies as st

from app.delivery.retry import next_try
from app.delivery.webhook_sender import signed


def test_the_schedule() -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    expected = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    for attempts, seconds in enumerate(expected, 1):
        due = next_try("webhook", at, at, attempts)
        assert due and seconds * 0.8 <= (due - at).total_seconds() <= seconds * 1.2
    assert next_try("webhook", at, at, 10) is None


DATES = st.builds(
    "{}, {} {} {} {}:00:00 {}".format,
    st.sampled_from(["Mon", "Thu"]),
    st.integers(-1, 40),
    st.sampled_from(["Jan", "Dec", "13"]),
    st.integers(-1, 10**13),
    st.integers(0, 99),
    st.sampled_from(["GMT", "-0000", ""]) | st.integers(-(10**12), 10**12).map("{:+05d}".format),
)


@given(st.integers(1, 9), st.text(max_size=30) | st.integers(-10, 10**12).map(str) | DATES)
@example(1, "Mon, 01 Jan 99999999999 00:00:00 GMT")
@example(1, "Mon, 01 Jan 2027 00:00:00 +99999999999999")
@example(1, "Mon, 01 Jan 9999 23:00:00 -2300")
def test_what_a_receiver_asks_for_never_hurries_and_never_stalls(attempts: int, asked: str) -> None:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    due = next_try("webhook", at, at, attempts, retry_after=asked)
    assert due and timedelta(seconds=4) <= due - at <= timedelta(hours=24) * 1.2


def test_known_answer() -> None:
    """The example of the standard's own documentation."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    body = b'{"test": 2432232314}'
    headers = signed("msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body, [secret])
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
