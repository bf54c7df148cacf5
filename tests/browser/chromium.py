"""The Chromium of this machine, driven by Playwright: where it is found and how it is started."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# It would look for updates and for its maker's services; here it may know nobody but this machine.
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)


class ChromiumMissingError(Exception):
    """Why no Chromium could be found here, as a sentence."""


def find() -> Path:
    """The one named in TEST_CHROMIUM, or the first that is installed. Raises ChromiumMissingError."""
    named = os.environ.get("TEST_CHROMIUM")
    for name in [named] if named else NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise ChromiumMissingError(
        f"no Chromium was found (tried: {named or ', '.join(NAMES)}). Install your system's package `chromium`, "
        "or name the program in TEST_CHROMIUM."
    )


@contextmanager
def running(program: Path) -> Iterator[Browser]:
    """With an empty profile of its own, gone at the end."""
    # Without its sandbox, which root and most containers cannot have: it only ever opens our own pages.
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=program, args=FLAGS, chromium_sandbox=False) as browser,
    ):
        yield browser
