"""Text becomes a number in one place, after a look at its length and shape; JSON is read strictly."""

from __future__ import annotations

import ast

import pytest

from app.core.numbers import NotANumber, between, decimal, json_number, whole
from app.core.strict_json import DEPTH, NotJson, read_json
from tests.patterns import ROOT, modules, slow

# What is converted elsewhere is a number already, or was counted by ourselves.
NUMBERS = {"total_seconds", "timestamp", "execute", "scalar", "send", "getsockname"}
OURS = {
    ("tools/verify_receipt.py", "terms['amount'].replace('.', '')"),  # of a receipt whose seal holds
    ("app/proof/heads.py", "said['seq']"),  # of a file of ours
    ("app/core/money.py", "typed.other * 100"),
    ("app/core/typed_numbers.py", "scaled"),
    ("app/core/typed_numbers.py", "typed.value"),
    ("app/offers/exports/columns.py", "terms.advance_percent"),
    ("app/config.py", "read.number('FORM_MIN_SECONDS', 2, 0, 60)"),
    ("app/demo/pictures.py", "c * 0.84"),
    ("app/offers/reading.py", "'0.1'"),
    ("app/offers/reading.py", "5"),
    ("app/offers/reading.py", "amount.minor"),
    ("app/core/money.py", "self.minor"),
    ("app/web/addresses.py", "address"),  # an address of ipaddress
    ("app/properties/links.py", "row[0] or 0"),
    ("app/properties/links.py", "row[1] or 0"),
    ("app/properties/listing.py", "row[2]"),
    ("tools/supervise.py", "signal.SIGTERM"),
    ("app/ops/health.py", "version"),  # as the database counts it
    ("app/core/epochs.py", "text"),  # twenty bytes of a file of ours
    ("app/backups/engines.py", "found[1]"),  # of the version that a tool of PostgreSQL tells
    ("app/offers/exports/writing.py", "text[11:13]"),  # of a time that we wrote
    ("app/offers/exports/writing.py", "text[14:16]"),
    ("app/offers/exports/writing.py", "text[17:19]"),
    ("app/offers/undelivered.py", "_given_up(reach).one(db.session.connection(), **who).offers"),  # a count
    ("app/feeds/rows.py", "value"),  # a float that is whole, looked at in the line above
    ("app/feeds/xlsx_rows.py", "value"),  # a float of at most fifteen digits, looked at in the same line
    ("tools/api_linters.py", "found[1]"),  # of Node's version, four digits at most
    ("tools/api_linters.py", "found[2]"),
    ("app/core/contacts.py", "MOLDOVA"),
    ("app/delivery/composing.py", "self.key_of('entry')[0]"),  # of subjects that we named
    ("app/offers/mails.py", "delivery.key_of('email_code')[1]"),
    ("app/offers/mails.py", "delivery.key_of('telling')[0]"),
    ("app/offers/mails.py", "n"),
    ("app/feeds/xlsx_rows.py", "cell[1]"),  # seven digits at most, by the pattern that found them
    ("app/feeds/xlsx_rows.py", "cell[2]"),
    ("app/backups/beside.py", "time.time()"),
    ("app/backups/beside.py", "made"),  # of the name of a database that we made
    ("app/web/rate_limits.py", "n or 0"),  # a count of ours in Valkey
    ("app/web/server.py", "super().received(data[:SLICE] if self.chunked else data)"),  # bytes that were read
    ("app/offers/document.py", "self.said['payment_term_days']"),  # of a document of ours
    ("tools/draw_house.py", "(self.box_width - 18) / LETTER_WIDTH"),
    ("tools/draw_house.py", "picture != drawn"),
    ("tools/draw_house.py", "before[2]"),  # of a picture of ours
    ("tools/draw_house.py", "before[3]"),
    ("tools/machine.py", "text"),  # five digits at most, looked at in the line above
}


def test_text_becomes_a_number_in_one_place() -> None:
    found = []
    for path, _name in modules():
        where = str(path.relative_to(ROOT))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if where == "app/core/numbers.py" or not isinstance(node, ast.Call):
                continue
            if (
                isinstance(node.func, ast.Name)
                and node.func.id == "map"
                and ast.unparse(node.args[0]) in {"int", "float"}
            ) and where not in {
                "tools/verify_receipt.py",
                "app/offers/tax_ids.py",
                "app/properties/mails.py",
            }:  # nine digits at most, one by one, or of a subject that we named
                found.append(f"{where}:{node.lineno}: {ast.unparse(node)}")
            if isinstance(node.func, ast.Name) and node.func.id in {"int", "float", "Decimal", "Fraction"}:
                given = node.args[0] if node.args else ast.Constant(0)
                told = ast.unparse(given)
                counted = any(f".{name}(" in told for name in NUMBERS)
                if not counted and (where, told) not in OURS and not (where.startswith("app/demo") and "c " in told):
                    found.append(f"{where}:{node.lineno}: {ast.unparse(node)}")
            found += [
                f"{where}:{node.lineno}: type={word.value.id}"
                for word in node.keywords
                if word.arg == "type" and isinstance(word.value, ast.Name) and word.value.id in {"int", "float"}
                if where != "tools/smtp_outbox.py"  # started by ourselves, with a port of our own
            ]
    assert not found, "read it with app.core.numbers, or say in OURS that it is a number already"


@pytest.mark.parametrize(
    "text", ["", "1e9", "9" * 20, "9" * 100_000, "٣", " 1", "1 ", "+1", "1_000", "0x1", "-", "1\n"]
)
def test_what_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(NotANumber):
        whole(text)


@pytest.mark.parametrize("text", ["", "1e2000000", "NaN", "Infinity", "-inf", "1" * 30, ".5", "1.", "1_0", "٣.٣"])
def test_what_is_no_decimal_is_refused(text: str) -> None:
    with pytest.raises(NotANumber):
        decimal(text)


def test_limits_hold() -> None:
    assert (whole("7"), whole("-7", -9), between(1, 10)("10")) == (7, -7, 10)
    for text in ("0", "11", "-1"):
        with pytest.raises(NotANumber):
            between(1, 10)(text)
    assert json_number("1.5e3") == 1500.0 and json_number("-12") == -12


HOSTILE = {
    "large exponent": b'{"a": 1e2000000}',
    "many digits": b'{"a": ' + b"9" * 1_000_000 + b"}",
    "many decimals": b'{"a": 0.' + b"9" * 1_000_000 + b"}",
    "deep lists": b"[" * 100_000,
    "deep lists, closed": b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1),
    "almost too deep to recurse": b"[" * 960 + b'"\\u0041"' + b"]" * 960,
    "deep objects": b'{"a":' * 100_000,
    "a name twice": b'{"a": 1, "a": 2}',
    "not a number": b'{"a": NaN}',
    "infinite": b'{"a": -Infinity}',
    "a mark first": b"\xef\xbb\xbf{}",
    "another encoding": '{"a": 1}'.encode("utf-16"),
    "half a pair": b'{"a": "\\ud83d"}',
    "half a pair as name": b'{"\\udc00": 1}',
    "half a pair, raw": b'{"a": "\xed\xa0\xbd"}',
    "an open text": b'{"a": "' + b"\\u0041" * 200_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_json_that_is_not_clear_is_refused(name: str) -> None:
    def read() -> None:
        with pytest.raises(NotJson):
            read_json(HOSTILE[name])

    assert not slow(read)


def test_json_of_a_feed_leaves_odd_values_to_their_row() -> None:
    read = read_json(
        b'\xef\xbb\xbf[{"a": 1e2000000, "b": "\\ud83d", "c": 12.50, "d": ' + b"9" * 30 + b"}]", row_by_row=True
    )
    assert read == [{"a": "1e2000000", "b": "\ud83d", "c": 12.5, "d": "9" * 30}]
