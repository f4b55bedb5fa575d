"""Are the translations complete, current and compiled? `--update` extracts, merges and compiles.

English stands in the source; each folder of app/translations/ is a catalogue, a new and empty one as well.
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
TRANSLATIONS = ROOT / "app" / "translations"
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


def place(language: str) -> Path:
    return TRANSLATIONS / language / "LC_MESSAGES" / "messages.po"


def load(language: str) -> Catalog:
    if not place(language).exists():
        return Catalog(locale=language, domain="messages")
    return read_po(io.BytesIO(place(language).read_bytes()), locale=language, domain="messages")


def compiled(catalog: Catalog) -> bytes:
    output = io.BytesIO()
    write_mo(output, catalog)
    return output.getvalue()


def forms(value: str | tuple[str, ...] | list[str] | None) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [""])


def placeholders(text: str) -> set[str]:
    return {match.group(0) for match in PLACEHOLDER.finditer(text)}


def faults_of(message: Message, language: str) -> list[str]:
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
        if language == "ro" and CEDILLA.search(text):
            found.append("ş or ţ with cedilla; write ș, ț")
    return found


def compare(wanted: Catalog, have: Catalog) -> list[str]:
    ids = {(message.id if isinstance(message.id, str) else message.id[0]) for message in wanted if message.id}
    found = [f"missing: {name!r}" for name in sorted(name for name in ids if have.get(name) is None)]
    for message in have:
        if message.id:
            name = forms(message.id)[0]
            found += [] if name in ids else [f"no longer used: {name!r}"]
            found += [f"{fault}: {name!r}" for fault in faults_of(message, str(have.locale))]
    return found + [f"obsolete: {name!r}" for name in have.obsolete]


def update(wanted: Catalog, language: str) -> None:
    """Merge without guessing: what is new stays empty, so that the check names it."""
    have, po = load(language), place(language)
    created = have.creation_date
    have.update(wanted, no_fuzzy_matching=True)
    have.creation_date = created  # else each run would be a change
    have.obsolete.clear()
    po.parent.mkdir(parents=True, exist_ok=True)
    with po.open("wb") as file:
        write_po(file, have, width=110, ignore_obsolete=True, include_lineno=False)
    po.with_suffix(".mo").write_bytes(compiled(load(language)))


def main() -> int:
    wanted = extract()
    found = []
    for language in sorted(folder.name for folder in TRANSLATIONS.iterdir()):
        if "--update" in sys.argv[1:]:
            update(wanted, language)
        have, mo = load(language), place(language).with_suffix(".mo")
        found += [f"{language}: {fault}" for fault in compare(wanted, have)]
        if not mo.exists() or mo.read_bytes() != compiled(have):
            found.append(
                f"{language}: messages.mo is not the compiled messages.po: tools/check_translations.py --update"
            )
    print("\n".join(found))
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
