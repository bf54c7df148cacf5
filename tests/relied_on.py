"""What happens to tests whose tool is missing on this machine."""

from collections.abc import Mapping
from typing import NoReturn


def do_without(tool: str, reason: object, insisting: str, environment: Mapping[str, str]) -> NoReturn:
    """At somebody's desk the tests that need `tool` are skipped; in CI, or where `insisting` is set, they fail."""
    import pytest

    if any(environment.get(name, "").lower() not in ("", "0", "false") for name in ("CI", insisting)):
        pytest.fail(f"{tool} is required here, and {reason}", pytrace=False)
    pytest.skip(str(reason))
