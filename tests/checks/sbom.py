"""Write the software bill of materials, `docs/security/sbom.cdx.json`, in CycloneDX's form.

Its components are the packages of production's lock, with the licences of NOTICE and with who needs whom as the lock
says. The same locks give the same bytes: it holds no time, and its serial number is computed from its content.
`python -m tests.checks.sbom` writes it; `--check` says what is wrong with the written one and exits with 1.
"""

import json
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cyclonedx.contrib.license.factories import LicenseFactory
from cyclonedx.model import Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from packageurl import PackageURL
from packaging.utils import canonicalize_name

from tests.checks.licences import NOTICE, listed
from tests.checks.locks import PRODUCTION, ROOT, Locked, read

SBOM = "docs/security/sbom.cdx.json"
PROJECT = "kigen-dayori"
_HTMX = re.compile(r"htmx-([0-9][0-9.]*[0-9])\.min\.js")


def asked_by(lock: str) -> dict[str, set[str]]:
    """Return who needs each package of a lock, by canonical names, as the comments "via" of the lock say."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in lock.splitlines():
        if line[:1].isalnum():
            name = canonicalize_name(re.split(r"[=<>\[ ;]", line, maxsplit=1)[0])
            found[name] = set()
        elif via := re.match(r" {4}# +(?:via(?: |$))?([\w.-]*)", line):
            found[name] |= {canonicalize_name(via[1])} if via[1] else set()
    return found


def _component(one: Locked, licence: str) -> Component:
    where = PackageURL("pypi", name=one.name, version=one.version)
    return Component(
        type=ComponentType.LIBRARY,
        name=one.name,
        version=one.version,
        bom_ref=str(where),
        purl=where,
        licenses=[LicenseFactory().make_from_string(licence)],
        properties=[Property(name=f"{PROJECT}:installed-where", value=str(one.marker))] if one.marker else [],
    )


def _project(version: str, static: Path) -> Component:
    """Return the product itself, with the one library that is a file of it."""
    files = [(match[1], file) for file in sorted(static.iterdir()) if (match := _HTMX.fullmatch(file.name))]
    return Component(
        type=ComponentType.APPLICATION,
        name=PROJECT,
        version=version,
        bom_ref=PROJECT,
        licenses=[LicenseFactory().make_from_string("MIT")],
        components=[
            Component(
                type=ComponentType.LIBRARY,
                name="htmx.org",
                version=htmx,
                bom_ref=f"pkg:npm/htmx.org@{htmx}",
                purl=PackageURL("npm", name="htmx.org", version=htmx),
                licenses=[LicenseFactory().make_from_string("0BSD")],
            )
            for htmx, _ in files
        ],
    )


def made(root: Path = ROOT) -> str:
    """Return the bill of materials of a checkout. Raises `KeyError` for a package that NOTICE does not list."""
    lock = (root / PRODUCTION).read_text(encoding="utf-8")
    licences = listed((root / NOTICE).read_text(encoding="utf-8"))
    version = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    product = _project(version, root / "reminder" / "web" / "static")
    components = {name: _component(one, licences[name]) for name, one in read(lock).items()}
    needs: dict[str, list[Component]] = {}
    for name, askers in asked_by(lock).items():
        for asker in askers:
            needs.setdefault(asker, []).append(components[name])
    bom = Bom(components=components.values())
    bom.metadata.component = product
    for asker, below in needs.items():
        bom.register_dependency(product if asker == PROJECT else components[asker], below)
    return _without_time(JsonV1Dot6(bom).output_as_string())


def _without_time(text: str) -> str:
    """Return the same document without the time of its making, and with a serial number computed from it."""
    document = json.loads(text)
    document["metadata"].pop("timestamp", None)
    document.pop("serialNumber", None)
    document["serialNumber"] = uuid5(NAMESPACE_URL, json.dumps(document, sort_keys=True)).urn
    return json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def contents(document: dict[str, Any]) -> dict[str, str]:
    """Return the versions of a bill's components by name."""
    return {one["name"]: one["version"] for one in document.get("components", [])}


def faults(text: str, root: Path = ROOT) -> Iterator[str]:
    """Yield what is wrong with a bill of materials: its form, its packages, its licences, its age."""
    # It loads a grammar of addresses, which takes a second.
    from cyclonedx.validation.json import JsonStrictValidator

    invalid = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if invalid is not None:
        yield f"{SBOM}: not valid against CycloneDX 1.6: {getattr(invalid.data, 'message', invalid.data)}"
        return
    document = json.loads(text)
    packages = read((root / PRODUCTION).read_text(encoding="utf-8"))
    wanted, present = {name: one.version for name, one in packages.items()}, contents(document)
    for name in sorted(wanted.keys() | present.keys()):
        if wanted.get(name) != present.get(name):
            yield f"{SBOM}: {name} is {present.get(name)}, and {wanted.get(name)} in {PRODUCTION}"
    for one in document.get("components", []):
        if not one.get("licenses"):
            yield f"{SBOM}: {one['name']} has no licence"
    if text != made(root):
        yield f"{SBOM}: not what the locks give now; write it again: python -m tests.checks.sbom"


def main(arguments: list[str]) -> int:
    """Write the bill of materials, or check the written one. Return 1 where something is wrong with it, else 0."""
    file = ROOT / SBOM
    if arguments != ["--check"]:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(made(), encoding="utf-8")
        return 0
    found = list(faults(file.read_text(encoding="utf-8"))) if file.is_file() else [f"{SBOM}: missing"]
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
