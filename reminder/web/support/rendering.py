"""Rendering of pages: words in the reader's language, the parts of every page, and what to do about a refusal."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import cast

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape
from starlette.datastructures import FormData

from reminder.clock import JAPAN, japan_date
from reminder.domain.model.access import Right
from reminder.domain.model.card_kinds import MY_NUMBER
from reminder.domain.model.devices import device_named
from reminder.domain.model.languages import Calendars, LanguageFacts
from reminder.domain.model.own_kinds import public_name
from reminder.domain.model.people import Language
from reminder.domain.parsing import addresses, dates
from reminder.domain.parsing.language_tags import best_match
from reminder.domain.text.catalog import MY_NUMBER_SHEETS, Catalog
from reminder.domain.text.forms_of_address import carers_word
from reminder.domain.text.furigana import as_ruby_for_browsers
from reminder.errors import KigenError, RefusedInputError
from reminder.guard import outgoing
from reminder.guard.numbers import forbidden, forbidden_in_record
from reminder.storage.auth.sessions import SignedIn
from reminder.upkeep.health import Health, RecentHealth
from reminder.web.support.authorization import form_seal
from reminder.web.support.page_catalog import Pages, PageWords
from reminder.web.support.refused_requests import note_refusal
from reminder.wiring import App

HERE = Path(__file__).parents[1]
templates = Jinja2Templates(
    env=Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
)
templates.env.globals.update(
    in_both_calendars=dates.in_both_calendars,
    with_weekday=dates.with_weekday,
    masked=addresses.shown,
    Right=Right,
)
templates.env.filters["japan_day"] = japan_date
templates.env.filters["japan_time"] = lambda instant: f"{instant.astimezone(JAPAN):%H:%M}"
templates.env.filters["japan"] = lambda instant: (
    f"{dates.year_month_day(japan_date(instant))} {instant.astimezone(JAPAN):%H:%M}"
)

LANGUAGE_COOKIE, SIZE_COOKIE = "kigen_language", "kigen_size"
SIZES = ("normal", "large", "larger")
NEAR = timedelta(days=300)
A_YEAR = 365 * 24 * 60 * 60


@dataclass(frozen=True)
class FormProblem:
    """A problem with a form: its field, if any, and the sentence that says what to do."""

    field: str | None
    sentence: str


def language_of(request: Request) -> Language:
    """Return the language: the member's, else the one chosen in this browser, else the browser's preference."""
    pages: Pages = request.app.state.pages
    signed_in: SignedIn | None = getattr(request.state, "signed_in", None)
    for chosen in (signed_in.language if signed_in else None, request.cookies.get(LANGUAGE_COOKIE)):
        if chosen in pages:
            return Language(chosen)
    liked = best_match(request.headers.get("accept-language", ""), [words.facts for words in pages.values()])
    return liked.code if liked is not None else Language.JAPANESE


def words_of(request: Request) -> PageWords:
    """Return the words in the reader's language."""
    pages: Pages = request.app.state.pages
    return pages.get(language_of(request)) or pages[Language.JAPANESE]


def page(request: Request, app: App, template: str, *, status: int = 200, **values: object) -> HTMLResponse:
    """Return the page; `problems` among the values are shown on top and get the focus."""
    words = words_of(request)
    signed_in: SignedIn | None = getattr(request.state, "signed_in", None)
    of_kinds = app.rules.wording.of(words.language)
    size = request.cookies.get(SIZE_COOKIE, SIZES[0])
    shown = {
        "t": words,
        "language": words.language,
        "html_lang": words.facts.html,
        "languages": offered(request.app.state.pages),
        "text_languages": [(facts.code, facts.name) for facts in app.rules.wording.offered],
        "language_tags": {facts.code: facts.html for facts in app.rules.wording.offered},
        "size": size if size in SIZES else SIZES[0],
        "sizes": SIZES,
        "signed_in": signed_in,
        "who": signed_in.who if signed_in else None,
        "seal": form_seal(request, app),
        "path": request.url.path,
        "today": japan_date(app.clock.now()),
        "now": app.clock.now(),
        "operator": app.settings.operator or of_kinds.word("operator"),
        "kind_name": lambda card: card.label or _kind(app, words, card.kind),
        "kind_of": lambda card: app.rules.kinds[card.kind],
        "kind_names": _KindNames(app, words, cast(Mapping[str, str], values.get("own_names", {}))),
        "called": lambda label: furigana(carers_word(label, of_kinds.in_mail)),
        "day": lambda day: _near_day(of_kinds, day, japan_date(app.clock.now())),
        "full_day": lambda day: of_kinds.date(day, "full_date"),
        "both": lambda day: both_calendars(of_kinds, day),
        "my_number": MY_NUMBER,
        "my_number_sheets": MY_NUMBER_SHEETS,
        "trial_by_text": app.rules.two_way,
        "problems": (),
        **values,
    }
    return templates.TemplateResponse(request, template, shown, status_code=status)


class _KindNames(Mapping[str, Markup]):
    """The name of each kind of card; `own_names`: those of a group's own, by what people and programs call them."""

    def __init__(self, app: App, words: PageWords, own_names: Mapping[str, str]) -> None:
        self._app, self._words, self._own_names = app, words, own_names

    def __getitem__(self, kind: str) -> Markup:
        own = self._own_names.get(public_name(kind))
        return _kind(self._app, self._words, kind) if own is None else escape(own)

    def __iter__(self) -> Iterator[str]:
        return iter(self._app.rules.kinds)

    def __len__(self) -> int:
        return len(self._app.rules.kinds)


def _near_day(words: Catalog, day: date, today: date) -> str:
    """Return the day, without its year if nobody would think of another one."""
    return words.date(day, "date" if abs(day - today) < NEAR else "full_date")


def both_calendars(words: Catalog, day: date) -> str:
    """Return the day, with the Japanese calendar beside it in a language whose readers use both."""
    if words.facts.calendars is Calendars.BOTH:
        return dates.in_both_calendars(day)
    return words.date(day, "full_date")


def offered(pages: Pages) -> Sequence[LanguageFacts]:
    """Return the languages of the pages in the order of lists of choices."""
    return sorted((words.facts for words in pages.values()), key=lambda facts: (facts.order, facts.code))


def _kind(app: App, words: PageWords, kind: str) -> Markup:
    said = app.rules.wording.of(words.language).in_mail.kinds.get(kind)
    return furigana(said["name"] if said else kind)


def furigana(text: str) -> Markup:
    """Return the text as HTML with its furigana."""
    return Markup(as_ruby_for_browsers(str(escape(text))))  # noqa: S704  # escaped; the furigana are ours


def problem_of(request: Request, app: App, refused: KigenError, *, field: str | None = None) -> FormProblem:
    """Return the refusal as a problem of the form."""
    note_refusal(request, refused)
    found = refused.field if isinstance(refused, RefusedInputError) else None
    return FormProblem(field or found, words_of(request).explain(app.rules.wording, refused))


def unsafe_words_of(request: Request, app: App, words: Iterable[tuple[str, str | None]]) -> list[FormProblem]:
    """Return what is wrong with stored words, given as (field, word), that messages cannot carry."""
    found = []
    for field, word in words:
        why = outgoing.unsafe(word, field=field) if word else None
        if why is not None:
            found.append(problem_of(request, app, outgoing.refusal(why, field=field)))
    return found


def kept(form: FormData, refused: KigenError | None = None) -> Mapping[str, str]:
    """Return the typed values to show again; never a number or a word that we refuse."""
    del refused
    typed = {name: value for name, value in form.items() if isinstance(value, str)}
    words = {name for name in typed if name in FREE_WORDS}
    # A number may be divided over the fields.
    hidden = words if forbidden_in_record(typed[name] for name in sorted(words)) else frozenset[str]()
    return {
        name: "" if name in hidden or forbidden(value) or _is_refused(name, value) else value
        for name, value in typed.items()
    }


# Fields of the forms for free words; addresses and dates have readers of their own.
FREE_WORDS = frozenset(
    {"label", "mark", "ref", "room", "unit", "office", "card_label", "consent_by"}
    | {"group_name", "member_name", "organisation", "token_name", "own_kind_name"}
)


def _is_refused(name: str, value: str) -> bool:
    return name in FREE_WORDS and bool(value) and not outgoing.is_safe(value, field=name)


def typed(form: FormData, name: str) -> str:
    """Return a typed value, stripped; "" if it is missing."""
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def go(to: str) -> RedirectResponse:
    """Redirect after an act, so that a reload of the page does not repeat the act."""
    return RedirectResponse(to, 303)


def local_path(wanted: str | None) -> str:
    """Return a path of ours, so that an address that begins here leads nobody elsewhere."""
    if wanted and re.fullmatch(r"/[A-Za-z0-9_\-./]*", wanted) and not wanted.startswith("//"):
        return wanted
    return "/"


def with_cookie(response: Response, name: str, value: str, *, secure: bool, lasts: int | None = A_YEAR) -> None:
    """Set a cookie."""
    response.set_cookie(name, value, max_age=lasts, httponly=True, secure=secure, samesite="lax", path="/")


def device_of(request: Request) -> str:
    """Return what the owner of a browser calls it, from its user agent, of which nothing else is stored."""
    return device_named(request.headers.get("user-agent", ""))


def recent_health(request: Request, app: App) -> Health:
    """Return the health that the pages show: a few seconds old at most."""
    recent: RecentHealth = request.app.state.health
    return recent.look(app.units, app.clock.now(), keeps_time=app.keeps_time)


def minutes_since(now: datetime, then: datetime | None) -> int | None:
    """Return the minutes since then, or None if there was no such time."""
    return None if then is None else max(0, int((now - then).total_seconds() // 60))
