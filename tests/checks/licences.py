"""Hold NOTICE to the lock of production: each package with its licence, as its installed metadata says.

`python -m tests.checks.licences` lists what is wrong, and exits with 1 where there is something.
"""

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import PackageNotFoundError, metadata

from license_expression import ExpressionError, get_spdx_licensing
from packaging.utils import canonicalize_name

from tests.checks.locks import PRODUCTION, ROOT, Locked, read

NOTICE = "NOTICE"
_ENTRY = re.compile(r"^  ([A-Za-z0-9._-]+)  +(\S.*)$", re.MULTILINE)
# What packages without an SPDX expression say of themselves -> the expressions that this can mean.
_MEANS: Mapping[str, frozenset[str]] = {
    "Apache 2.0": frozenset({"Apache-2.0"}),
    "Apache License, Version 2.0": frozenset({"Apache-2.0"}),
    "Apache Software License": frozenset({"Apache-2.0"}),
    "BSD": frozenset({"BSD-2-Clause", "BSD-3-Clause"}),
    "BSD License": frozenset({"BSD-2-Clause", "BSD-3-Clause"}),
    "GNU General Public License v2 or later (GPLv2+)": frozenset({"GPL-2.0-or-later"}),
    # The classifiers have no LGPL 2.1; the licence file of a package may.
    "GNU Lesser General Public License v2 or later (LGPLv2+)": frozenset({"LGPL-2.0-or-later", "LGPL-2.1-or-later"}),
    "ISC License": frozenset({"ISC"}),
    "ISC License (ISCL)": frozenset({"ISC"}),
    "MIT License": frozenset({"MIT"}),
    "Mozilla Public License 1.1 (MPL 1.1)": frozenset({"MPL-1.1"}),
    "Mozilla Public License 2.0 (MPL 2.0)": frozenset({"MPL-2.0"}),
    "Python Software Foundation License": frozenset({"PSF-2.0"}),
    "The Unlicense (Unlicense)": frozenset({"Unlicense"}),
}
_SPDX = get_spdx_licensing()


def listed(notice: str) -> dict[str, str]:
    """Return the licences that a NOTICE lists, by canonical name of the package."""
    return {canonicalize_name(name): expression.strip() for name, expression in _ENTRY.findall(notice)}


def names_of(expression: str) -> set[str]:
    """Return the licences that an SPDX expression names. Raises `ValueError` for what is none."""
    try:
        parsed = _SPDX.parse(expression, validate=True, strict=True)
    except ExpressionError as error:
        raise ValueError(f"{expression!r} is no SPDX expression") from error
    return {symbol.key for symbol in parsed.symbols}


def said_by(name: str) -> tuple[str, list[str]] | None:
    """Return what an installed package says of its licence: its SPDX expression or "", and its older words.

    None where the package is not installed, such as one of another platform.
    """
    try:
        told = metadata(name)
    except PackageNotFoundError:
        return None
    expression = told.get("License-Expression") or ""
    classifiers = [
        one.rpartition(" :: ")[2] for one in told.get_all("Classifier") or [] if one.startswith("License :: ")
    ]
    free = (told.get("License") or "").strip()
    # The field is free text: some put the whole licence into it.
    words = classifiers or ([free] if free and "\n" not in free else [])
    return expression, words


def contradiction(expression: str, said: tuple[str, list[str]]) -> str | None:
    """Return why the expression of NOTICE is not what the package says, or None."""
    try:
        names = names_of(expression)
    except ValueError as error:
        return str(error)
    spdx, words = said
    if spdx:
        return None if _SPDX.parse(spdx) == _SPDX.parse(expression) else f"NOTICE says {expression}, it says {spdx}"
    if not words:
        return "it says nothing that a program can read; look at its licence file"
    meanings = [_MEANS.get(word, frozenset({word})) for word in words]
    unnamed = [word for word, meaning in zip(words, meanings, strict=True) if not meaning & names]
    beside = names - frozenset().union(*meanings)
    if unnamed or beside:
        return f"NOTICE says {expression}, it says {', '.join(words)}"
    return None


def faults(notice: str, production: Iterable[Locked]) -> Iterator[str]:
    """Yield what is wrong with the licences of a NOTICE."""
    licences = listed(notice)
    packages = {one.name: one for one in production}
    for name in sorted(packages.keys() - licences.keys()):
        yield f"{NOTICE}: {name} is missing, which {PRODUCTION} installs"
    for name in sorted(licences.keys() - packages.keys()):
        yield f"{NOTICE}: {name} is listed, and {PRODUCTION} does not install it"
    for name in sorted(packages.keys() & licences.keys()):
        said = said_by(name)
        if said is None:
            if packages[name].is_for_here:
                yield f"{NOTICE}: {name} is not installed; build .venv again"
            else:
                try:
                    names_of(licences[name])
                except ValueError as error:
                    yield f"{NOTICE}: {name}: {error}"
        elif why := contradiction(licences[name], said):
            yield f"{NOTICE}: {name}: {why}"


def main() -> int:
    """Print what is wrong. Return 1 where there is something, else 0."""
    production = read((ROOT / PRODUCTION).read_text(encoding="utf-8"))
    found = list(faults((ROOT / NOTICE).read_text(encoding="utf-8"), production.values()))
    for fault in found:
        print(fault)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
