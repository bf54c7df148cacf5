"""A visitor at a phone or a desk, and who watches over the visit: nothing may go elsewhere, break or grow heavy."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request

# A page on a slow line in the mountains: 100 kB take three seconds at 300 kbit/s.
HEAVIEST = 100_000
# A page that is slower than this on a busy machine is one that does not come.
PATIENCE_MS = 60_000

SIZES = {
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 3,
        "is_mobile": True,
        "has_touch": True,
    },
    "desktop": {"viewport": {"width": 1280, "height": 900}},
}


@dataclass
class Watch:
    """Everything one visitor's browser has asked for and complained of. `home`: the only place it may ask."""

    home: str
    context: BrowserContext
    requests: list[Request] = field(default_factory=list)
    complaints: list[ConsoleMessage] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        # Playwright marks the functions it is given, which `append` does not allow.
        self.context.on("request", lambda request: self.requests.append(request))  # noqa: PLW0108
        self.context.on("console", lambda said: self.complaints.append(said))  # noqa: PLW0108
        self.context.on("weberror", lambda wrong: self.broken.append(str(wrong.error)))

    def troubles(self) -> list[str]:
        """As sentences; ask before the pages are closed."""
        for page in self.context.pages:
            page.wait_for_load_state("load")
            # The answer comes after all that the page has complained of until now.
            page.evaluate("null")
        return [*self._elsewhere(), *self._failures(), *self._errors(), *self._heavy_pages()]

    def weight_of(self, page: Page) -> int:
        """Bytes of all bodies, as they were transferred, for the page that is shown."""
        page.wait_for_load_state("load")
        loads = [load for load in self._loads() if load[0].frame.page == page]
        return _weight(loads[-1])

    def _elsewhere(self) -> Iterator[str]:
        home = urlsplit(self.home).netloc
        for request in self.requests:
            asked = urlsplit(request.url)
            if asked.scheme not in ("data", "blob", "about") and asked.netloc != home:
                yield f"asked elsewhere: {request.url}"

    def _failures(self) -> Iterator[str]:
        for request in self.requests:
            status = request.existing_response.status if request.existing_response else 0
            if status >= 500:
                yield f"the server broke: {status} {request.method} {request.url}"

    def _errors(self) -> Iterator[str]:
        # A form sent back for correction is a page with the status 422, which the browser notes as an error.
        # For an icon it asks of its own accord, at some time or other, where no page has named one.
        refusals = {request.url for request in self.requests if request.is_navigation_request()}
        refusals.add(f"{self.home}/favicon.ico")
        for said in self.complaints:
            is_refusal = said.text.startswith("Failed to load resource") and said.location["url"] in refusals
            if said.type in ("error", "assert") and not is_refusal:
                yield f"console: {said.text} ({said.location['url']})"
        for error in self.broken:
            yield f"a script broke: {error}"

    def _heavy_pages(self) -> Iterator[str]:
        for load in self._loads():
            if (weight := _weight(load)) > HEAVIEST:
                yield f"too heavy: {weight} bytes for {load[0].url}"

    def _loads(self) -> list[list[Request]]:
        """The requests of each page that was opened: first the page itself, with the redirects that led to it."""
        loads: dict[Page, list[list[Request]]] = {}
        for request in self.requests:
            of_page = loads.setdefault(request.frame.page, [])
            opens = request.is_navigation_request() and request.frame.parent_frame is None
            if (opens and request.redirected_from is None) or not of_page:
                of_page.append([])
            of_page[-1].append(request)
        return [load for of_page in loads.values() for load in of_page]


def _weight(load: list[Request]) -> int:
    return sum(map(_transferred, load))


def _transferred(request: Request) -> int:
    if request.failure is not None or request.existing_response is None:
        return 0
    if request.frame.page.is_closed():
        # The browser has forgotten it; this is what the server said.
        return int(request.existing_response.headers.get("content-length", 0))
    # Of an answer that was thrown away unread the browser knows less than nothing.
    return max(0, request.sizes()["responseBodySize"])


@dataclass(frozen=True)
class Visit:
    page: Page
    watch: Watch


@contextmanager
def watched_visits(browser: Browser, home: str) -> Iterator[Callable[..., Visit]]:
    """Gives `visiting` for any number of visitors; at the end the test fails if one of them was in trouble."""
    visits: list[Visit] = []

    def begin(**how: object) -> Visit:
        visits.append(leaving.enter_context(visiting(browser, home, **how)))
        return visits[-1]

    with ExitStack() as leaving:
        yield begin
        troubles = [trouble for visit in visits for trouble in visit.watch.troubles()]
    if troubles:
        pytest.fail("\n".join(troubles), pytrace=False)


@contextmanager
def visiting(
    browser: Browser, home: str, *, size: str = "desktop", locale: str = "ja-JP", javascript: bool = True
) -> Iterator[Visit]:
    """Knows no cookie yet. `page.goto("/path")` opens a page of `home`."""
    context = browser.new_context(base_url=home, locale=locale, java_script_enabled=javascript, **SIZES[size])
    try:
        context.set_default_timeout(PATIENCE_MS)
        yield Visit(context.new_page(), Watch(home, context))
    finally:
        context.close()
