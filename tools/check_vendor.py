"""Compare what is vendored with its manifest; `--update` writes the hashes anew after a deliberate change."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "app" / "static" / "vendor"
MANIFEST = VENDOR / "manifest.json"


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def update(entries: list[dict[str, str]]) -> None:
    for entry in entries:
        entry["sha256"] = digest(VENDOR / entry["file"])
    MANIFEST.write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def faults(entries: list[dict[str, str]]) -> list[str]:
    """What is changed, gone, or vendored without being named."""
    named = {entry["file"] for entry in entries}
    present = {str(path.relative_to(VENDOR)) for path in VENDOR.rglob("*") if path.is_file() and path != MANIFEST}
    found = [f"{name}: in the manifest, not in the folder" for name in sorted(named - present)]
    found += [f"{name}: in the folder, not in the manifest" for name in sorted(present - named)]
    changed = (e["file"] for e in entries if e["file"] in present and digest(VENDOR / e["file"]) != e["sha256"])
    return found + [f"{name}: differs from the recorded hash" for name in changed]


def main() -> int:
    entries = json.loads(MANIFEST.read_text(encoding="utf-8"))
    if "--update" in sys.argv[1:]:
        update(entries)
    found = faults(entries)
    for line in found:
        print(line)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
