"""`make sbom`: what is installed of what the product runs on, and what is vendored, as CycloneDX 1.6 in JSON.

Beside each package its version, licence and what it needs; of vendored files their hash.
"""

from __future__ import annotations

import importlib.metadata
import json
import re
import sys
from pathlib import Path

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom, BomMetaData
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output import make_outputter
from cyclonedx.schema import OutputFormat, SchemaVersion
from packageurl import PackageURL
from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parent.parent
VENDOR = ROOT / "app" / "static" / "vendor"
sys.path.insert(0, str(ROOT))

from app.core.version import VERSION  # noqa: E402  the product is no package: its folder is named first


def plain(name: str) -> str:
    """As the index spells it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pinned() -> list[str]:
    """What the product runs on, by name."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return [plain(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", text, re.M)]


def package(found: importlib.metadata.Distribution) -> Component:
    about = found.metadata
    name = plain(about["Name"])
    said = about.get("License-Expression") or (about.get("License") or "").strip().partition("\n")[0][:100]
    classes = [line.rpartition("::")[2].strip() for line in about.get_all("Classifier") or [] if "License ::" in line]
    licences = LicenseFactory()
    named = said or next(iter(classes), "")
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=found.version,
        bom_ref=f"pkg:pypi/{name}@{found.version}",
        purl=PackageURL("pypi", None, name, found.version),
        description=about.get("Summary"),
        licenses=[licences.make_from_string(named)] if named else [],
    )


def vendored(entry: dict[str, str]) -> Component:
    return Component(
        type=ComponentType.FILE,
        name=entry["file"],
        version=entry["version"],
        bom_ref=f"vendor/{entry['file']}",
        description=entry["source"],
        licenses=[LicenseFactory().make_from_string(entry["license"])],
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=entry["sha256"])],
    )


def make() -> Bom:
    product = Component(
        type=ComponentType.APPLICATION,
        name="bidflux",
        version=VERSION,
        bom_ref="bidflux",
        licenses=[LicenseFactory().make_from_string("AGPL-3.0-or-later")],
    )
    bom = Bom(metadata=BomMetaData(component=product))
    installed = {plain(found.metadata["Name"]): found for found in importlib.metadata.distributions()}
    parts = {name: package(installed[name]) for name in pinned() if name in installed}
    files = [vendored(entry) for entry in json.loads((VENDOR / "manifest.json").read_text(encoding="utf-8"))]
    for part in (*parts.values(), *files):
        bom.components.add(part)
    for name, part in parts.items():
        needs = [Requirement(text) for text in installed[name].requires or []]
        wanted = {plain(one.name) for one in needs if not one.marker or one.marker.evaluate({"extra": ""})}
        bom.register_dependency(part, [parts[other] for other in sorted(wanted & parts.keys())])
    bom.register_dependency(product, [*parts.values(), *files])
    return bom


def main() -> int:
    text = make_outputter(make(), OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=1)
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "sbom.cdx.json"
    target.write_text(text + "\n", encoding="utf-8")
    sys.stdout.write(f"{target}: {len(json.loads(text)['components'])} components\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
