"""Code that nothing calls: `vulture` over the product and its tools, with the words of templates taken as uses."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

from vulture.core import Item, Vulture  # type: ignore[import-untyped]  # vulture has no types

ROOT = Path(__file__).resolve().parent.parent
# Their fields in small letters are columns, or what the API gives out: many are only ever named by their reader.
DECLARATIONS = ("app/models/", "app/blueprints/api/schemas/", "app/properties/fields.py", "app/offers/fields.py")
SERVER = "gunicorn.conf.py"  # gunicorn asks for its names
OPENED, CLOSED = re.compile(r"{[{%]"), re.compile(r"[%}]}")  # a template's expressions


def main() -> int:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["vulture"]
    found = Vulture(ignore_names=settings["ignore_names"], ignore_decorators=settings["ignore_decorators"])
    found.scavenge([str(ROOT / path) for path in (*settings["paths"], SERVER)])
    for template in (ROOT / "app" / "templates").rglob("*.*"):
        for opened in OPENED.split(template.read_text())[1:]:
            expression = CLOSED.split(opened, maxsplit=1)[0]
            found.used_names.update(re.findall(r"[A-Za-z_]\w*", expression))
    dead = [item for item in found.get_unused_code() if not _declared(item)]
    for item in dead:
        print(f"{item.filename.relative_to(ROOT)}:{item.first_lineno}: nothing uses the {item.typ} {item.name}")
    return 1 if dead else 0


def _declared(item: Item) -> bool:
    where = str(item.filename.relative_to(ROOT))
    return where == SERVER or (item.typ == "variable" and item.name.islower() and where.startswith(DECLARATIONS))


if __name__ == "__main__":
    sys.exit(main())
