"""Are the translations complete, current and compiled? `--update` extracts, merges and compiles.

English stands in the source; Romanian is the one catalogue.
"""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
PO = ROOT / "app" / "translations" / "ro" / "LC_MESSAGES" / "messages.po"
MO = PO.with_suffix(".mo")
KEYWORDS = ("_", "_l", "ngettext:1,2", "lazy_gettext", "msgid")
CEDILLA = re.compile("[şţŞŢ]")
PLACEHOLDER = re.compile(r"%\((\w+)\)[#0\- +]*+[\d.*]*+([a-zA-Z])|%(?:%|[sdifr])")


def extract() -> Catalog:
    """What the source says now."""
    with tempfile.TemporaryDirectory() as folder:
        template = Path(folder) / "messages.pot"
        keywords = [word for keyword in KEYWORDS for word in ("-k", keyword)]
        pybabel = [str(Path(sys.executable).parent / "pybabel"), "--quiet", "extract", "-F", "babel.cfg"]
        subprocess.run([*pybabel, *keywords, "-o", str(template), "."], cwd=ROOT, check=True)
        return read_po(io.BytesIO(template.read_bytes()))


def load() -> Catalog:
    if not PO.exists():
        return Catalog(locale="ro", domain="messages")
    return read_po(io.BytesIO(PO.read_bytes()), locale="ro", domain="messages")


def compiled(catalog: Catalog) -> bytes:
    output = io.BytesIO()
    write_mo(output, catalog)
    return output.getvalue()


def forms(value: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [""])


def placeholders(text: str) -> set[str]:
    return {match.group(0) for match in PLACEHOLDER.finditer(text)}


def faults_of(message: Message) -> list[str]:
    """A plural's own forms may leave the number out, so they need only be a subset of the source's."""
    source, target = forms(message.id), forms(message.string)
    if not all(target):
        return ["empty"]
    found = ["fuzzy"] if message.fuzzy else []
    known = set().union(*map(placeholders, source))
    for text in target:
        used = placeholders(text)
        if used != known if len(source) == 1 else not used <= known:
            found.append(f"placeholders {sorted(used)}, the source has {sorted(known)}")
        if CEDILLA.search(text):
            found.append("ş or ţ with cedilla; write ș, ț")
    return found


def compare(wanted: Catalog, have: Catalog) -> list[str]:
    ids = {(message.id if isinstance(message.id, str) else message.id[0]) for message in wanted if message.id}
    found = [f"missing: {name!r}" for name in sorted(name for name in ids if have.get(name) is None)]
    for message in have:
        if message.id:
            name = forms(message.id)[0]
            found += [] if name in ids else [f"no longer used: {name!r}"]
            found += [f"{fault}: {name!r}" for fault in faults_of(message)]
    return found + [f"obsolete: {name!r}" for name in have.obsolete]


def update(wanted: Catalog) -> None:
    """Merge without guessing: what is new stays empty, so that the check names it."""
    have = load()
    created = have.creation_date
    have.update(wanted, no_fuzzy_matching=True)
    have.creation_date = created  # else each run would be a change
    have.obsolete.clear()
    PO.parent.mkdir(parents=True, exist_ok=True)
    with PO.open("wb") as file:
        write_po(file, have, width=110, ignore_obsolete=True, include_lineno=False)
    MO.write_bytes(compiled(load()))


def main() -> int:
    wanted = extract()
    if "--update" in sys.argv[1:]:
        update(wanted)
    have = load()
    found = compare(wanted, have)
    if not MO.exists() or MO.read_bytes() != compiled(have):
        found.append("messages.mo is not the compiled messages.po: tools/check_translations.py --update")
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
