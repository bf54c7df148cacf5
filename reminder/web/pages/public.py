"""Pages that need no sign-in: buttons behind links in e-mails, health checks, metrics, and the operator's pages."""

import re
from collections import defaultdict
from datetime import date, timedelta
from hmac import compare_digest
from itertools import groupby

from fastapi import Depends, Request
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse, Response

from reminder.domain.model.messages import MessageState
from reminder.domain.model.people import Language, StoppedBy
from reminder.domain.rules.effect import FEWEST_SHOWN, By, last_year, table_of
from reminder.domain.rules.escalation_policy import NOBODY_LEFT
from reminder.domain.rules.evening_balance import in_order, last_day_to_count
from reminder.domain.text import leaflets, letters
from reminder.domain.text.forms_of_address import carers_word
from reminder.domain.text.safe_words import safe_card_label, safe_label
from reminder.enrolment import cards as cards_kept
from reminder.enrolment import consent
from reminder.errors import ConflictError, NotFoundError
from reminder.storage.auth.signed_links import AGREE, ASSIGN, STOP, VERIFY, LinkTarget, target
from reminder.storage.db.unit_of_work import UnitOfWork
from reminder.storage.outbox import monitoring, queries
from reminder.storage.registry import cards, contacts, group_standing, groups, people
from reminder.storage.registry.contacts import ContactView
from reminder.storage.reminders import counted_ends, daily_balances
from reminder.upkeep.health import assess
from reminder.upkeep.metrics import CONTENT_TYPE, exposition
from reminder.web.declared import declares, page_router
from reminder.web.support.authorization import OpenApp, refuse_suspended
from reminder.web.support.effect_tables import ShownRow, picture, shown_rows, step_name
from reminder.web.support.rendering import HERE, both_calendars, minutes_since, page, words_of
from reminder.wiring import App

public = page_router()
local = page_router()

LATEST = 200
BALANCES_SHOWN = timedelta(days=30)
# The style of paper, the same as that of leaflets and letters as files.
PAPER = {"sheet.css": leaflets.STYLE, "letters.css": letters.STYLE}


@public.get("/healthz")
async def is_alive() -> JSONResponse:
    """Answer as long as the server runs, however long other pages take."""
    return JSONResponse({"alive": True})


@public.get("/readyz")
def is_ready(app: OpenApp) -> JSONResponse:
    """Answer 503 with the troubles if the service cannot work: database, migrations, the worker's last pass."""
    found = assess(app.units, app.clock.now(), keeps_time=app.keeps_time)
    body = {
        "ready": found.is_ready,
        "troubles": list(found.troubles),
        "last_pass": None if found.last_pass is None else found.last_pass.isoformat(),
    }
    return JSONResponse(body, 200 if found.is_ready else 503, None if found.is_ready else {"retry-after": "60"})


@public.get("/metrics")
def metrics(request: Request, app: OpenApp) -> Response:
    """Return the metrics. Without a token only this machine is answered, and not behind a proxy."""
    token = app.settings.metrics_token
    shown = request.headers.get("authorization", "").encode()
    if token is None or not compare_digest(shown, f"Bearer {token}".encode()):
        if app.settings.is_public:
            raise NotFoundError("page_not_found")
        only_this_machine(request)
    measured = exposition(app.units, app.clock.now(), keeps_time=app.keeps_time)
    return Response(measured, media_type=CONTENT_TYPE)


@public.get("/static/{name}")
def static(name: str) -> Response:
    """Return a static file."""
    if name in PAPER:
        return Response(PAPER[name], media_type="text/css", headers={"cache-control": "public, max-age=86400"})
    file = HERE / "static" / name
    if name not in {found.name for found in (HERE / "static").iterdir()}:
        raise NotFoundError("page_not_found")
    return FileResponse(file, headers={"cache-control": "public, max-age=86400"})


@public.get("/stop/{named}")
def ask_to_stop(request: Request, app: OpenApp, named: str) -> HTMLResponse:
    """Show the button only: mail scanners follow every link and must not stop anybody's reminders."""
    _target(app, STOP, named)
    return page(request, app, "stop.html", stopped=False)


@public.post("/stop/{named}")
@declares(logs=["contact_stopped"])
def stop(request: Request, app: OpenApp, named: str) -> HTMLResponse:
    """Stop the contact, by the button or by a mail program's one click; neither needs a sign-in."""
    with app.writing() as uow:
        found = target(uow.tx, uow.keys, STOP, named)
        consent.stop(uow, contact_id=found.contact_id, whose_word=StoppedBy.CLICK)
    return page(request, app, "stop.html", stopped=True)


def _target(app: App, act: str, named: str) -> LinkTarget:
    """Return what the link acts for; raises NotFoundError for one that we did not make."""
    with app.reading() as uow:
        return target(uow.tx, uow.keys, act, named)


@public.get("/take/{named}")
def ask_to_assign(request: Request, app: OpenApp, named: str) -> HTMLResponse:
    """Show the button."""
    return page(request, app, "button.html", act=ASSIGN, state="asks", what=_what(request, app, named))


def _what(request: Request, app: App, named: str) -> str:
    """Return whose card it is and until when it is valid, as in the mail with the link."""
    shown = words_of(request)
    words = app.rules.wording.of(shown.language)
    with app.reading() as uow:
        card_id = target(uow.tx, uow.keys, ASSIGN, named).card_id
        card = None if card_id is None else cards.find(uow.tx, card_id)
        person = people.find(uow.tx, card.person_id) if card else None
    if card is None or person is None or card.kind not in app.rules.kinds:
        raise NotFoundError("page_not_found")
    thing = safe_card_label(card.label) or words.kinds[card.kind]["thing"]
    until = both_calendars(words, card.expires_on)
    return shown.plain("take.what", who=carers_word(safe_label(person.label), words), thing=thing, day=until)


@public.post("/take/{named}")
@declares(logs=["card_assigned"])
def assign(request: Request, app: OpenApp, named: str) -> HTMLResponse:
    """Assign the card to the carer with the link; the first of two wins."""
    state = "done"
    try:
        with app.writing() as uow:
            found = target(uow.tx, uow.keys, ASSIGN, named)
            if found.card_id is None:
                raise NotFoundError("page_not_found")
            _refuse_suspended(request, uow, found.contact_id)
            cards_kept.assign_card(uow, card_id=found.card_id, contact_id=found.contact_id)
    except ConflictError as refused:
        state = refused.code
    return page(request, app, "button.html", act=ASSIGN, state=state, what="")


@public.get("/reached/{named}")
def ask_to_verify(request: Request, app: OpenApp, named: str) -> HTMLResponse:
    """Show the button."""
    _target(app, VERIFY, named)
    return page(request, app, "button.html", act=VERIFY, state="asks", what="")


@public.post("/reached/{named}")
@declares(logs=["contact_verified"])
def verify(request: Request, app: OpenApp, named: str) -> HTMLResponse:
    """Record that a carer still gets mail; asked once a year."""
    with app.writing() as uow:
        contact_id = target(uow.tx, uow.keys, VERIFY, named).contact_id
        _refuse_suspended(request, uow, contact_id)
        consent.verify(uow, contact_id=contact_id)
    return page(request, app, "button.html", act=VERIFY, state="done", what="")


@public.get("/agree/{named}")
def ask_to_agree(request: Request, app: OpenApp, named: str) -> HTMLResponse:
    """Show the button with which the owner of an address agrees to messages."""
    with app.reading() as uow:
        target(uow.tx, uow.keys, AGREE, named)
    return page(request, app, "button.html", act=AGREE, state="asks", what="")


@public.post("/agree/{named}")
@declares(logs=["contact_confirmed"])
def agree(request: Request, app: OpenApp, named: str) -> HTMLResponse:
    """Record that the owner of an address agrees."""
    with app.writing() as uow:
        if not consent.agree(uow, contact_id=target(uow.tx, uow.keys, AGREE, named).contact_id):
            raise NotFoundError("page_not_found")
    return page(request, app, "button.html", act=AGREE, state="done", what="")


def _refuse_suspended(request: Request, uow: UnitOfWork, contact_id: int) -> None:
    group_id = contacts.group_of(uow.tx, contact_id)
    standing = None if group_id is None else group_standing.find(uow.tx, group_id)
    if standing is not None and standing.is_suspended:
        refuse_suspended(request, standing.suspended_why)


# The links of mails from before references, which hold ids and a signature.
@public.get("/stop/{contact_id}/{mark}")
def ask_to_stop_of_before(request: Request, app: OpenApp, contact_id: int, mark: str) -> HTMLResponse:
    """Show the button."""
    return ask_to_stop(request, app, f"{contact_id}/{mark}")


@public.post("/stop/{contact_id}/{mark}")
@declares(logs=["contact_stopped"])
def stop_of_before(request: Request, app: OpenApp, contact_id: int, mark: str) -> HTMLResponse:
    """Stop the contact."""
    return stop(request, app, f"{contact_id}/{mark}")


@public.get("/take/{card_id}/{contact_id}/{mark}")
def ask_to_assign_of_before(request: Request, app: OpenApp, card_id: int, contact_id: int, mark: str) -> HTMLResponse:
    """Show the button."""
    return ask_to_assign(request, app, f"{card_id}/{contact_id}/{mark}")


@public.post("/take/{card_id}/{contact_id}/{mark}")
@declares(logs=["card_assigned"])
def assign_of_before(request: Request, app: OpenApp, card_id: int, contact_id: int, mark: str) -> HTMLResponse:
    """Assign the card."""
    return assign(request, app, f"{card_id}/{contact_id}/{mark}")


@public.get("/reached/{contact_id}/{mark}")
def ask_to_verify_of_before(request: Request, app: OpenApp, contact_id: int, mark: str) -> HTMLResponse:
    """Show the button."""
    return ask_to_verify(request, app, f"{contact_id}/{mark}")


@public.post("/reached/{contact_id}/{mark}")
@declares(logs=["contact_verified"])
def verify_of_before(request: Request, app: OpenApp, contact_id: int, mark: str) -> HTMLResponse:
    """Record that a carer still gets mail."""
    return verify(request, app, f"{contact_id}/{mark}")


_OUR_OWN_NAME = re.compile(r"(?:127\.0\.0\.1|localhost|\[::1\])(?::[0-9]+)?")


def only_this_machine(request: Request) -> None:
    """Raise NotFoundError for requests through a proxy or under another name."""
    from_here = request.client is not None and request.client.host in ("127.0.0.1", "::1")
    forwarded = any(
        name.startswith("x-forwarded-") or name in ("forwarded", "x-real-ip", "via") for name in request.headers
    )
    if not from_here or forwarded or not _OUR_OWN_NAME.fullmatch(request.headers.get("host", "")):
        raise NotFoundError("page_not_found")


@local.get("/overview", dependencies=[Depends(only_this_machine)])
def overview(request: Request, app: OpenApp) -> HTMLResponse:
    """Show what is enrolled and what is due next, in every group."""
    words = app.rules.wording.of(Language.JAPANESE)
    now = app.clock.now()
    with app.reading() as uow:
        of_group = {group.id: group for group in groups.everyone(uow.tx)}
        by_person = {person.id: person for person in people.of_group(uow.tx, None)}
        # A card of a kind that config/ no longer has is left out; the log names it every day.
        current = [
            card for card in cards.of_group(uow.tx, None) if not card.retired_at and card.kind in uow.rules.kinds
        ]
        known = contacts.of_group(uow.tx, uow.keys, None)
        unanswered = {card.id for card in cards.unanswered(uow.tx, NOBODY_LEFT)}
    ends_by_id = {card.id: card.expires_on for card in current}
    ends: dict[int, dict[str, date]] = defaultdict(dict)
    for card in current:
        ends[card.person_id][card.kind] = card.expires_on
    of_person: dict[int, list[ContactView]] = defaultdict(list)
    for contact in known:
        if contact.person_id is not None:
            of_person[contact.person_id].append(contact)
    # Unanswered cards come first.
    soonest = sorted(
        current, key=lambda card: (card.id not in unanswered, card.next_reminder_on or card.expires_on, card.id)
    )[:LATEST]
    rows = []
    for card in soonest:
        person = by_person[card.person_id]
        card_dates, _ = app.rules.plan(
            card.kind,
            card.expires_on,
            person.mode,
            insurance=person.insurance,
            carrier_ends_on=None if card.carried_by is None else ends_by_id.get(card.carried_by),
            is_bound=app.rules.is_bound(card.kind, card.expires_on, ends[card.person_id]),
        )
        rows.append(
            {
                "group": of_group[person.group_id].name,
                "person": person,
                "kind": card.label or words.kinds[card.kind]["name"],
                "card": card,
                "dates": card_dates,
                "contacts": of_person[person.id],
                "is_unanswered": card.id in unanswered,
            }
        )
    found_health = assess(app.units, now, keeps_time=app.keeps_time)
    return _page(
        request,
        app,
        "overview.html",
        rows=rows,
        more=len(current) - len(rows),
        health=found_health,
        minutes=minutes_since(now, found_health.last_pass),
    )


@local.get("/balance", dependencies=[Depends(only_this_machine)])
def balance(request: Request, app: OpenApp) -> HTMLResponse:
    """Show what became, day by day, of everything that was due; nobody is named."""
    with app.reading() as uow:
        last = last_day_to_count(uow.now)
        found = daily_balances.between(uow.tx, last - BALANCES_SHOWN, last)
        shown = in_order(found, list(uow.rules.channels))
    days = [(day, list(rows)) for day, rows in groupby(reversed(shown), key=lambda one: one.day)]
    return _page(request, app, "balance.html", days=[(day, rows[::-1]) for day, rows in days])


# As the page calls them.
_WAYS = {
    By.KIND: "種類",
    By.STEP: "最後のお知らせ",
    By.CHANNEL: "方法",
    By.MODE: "モード",
    By.GROUP_KIND: "家族か施設か",
}
_VALUES = {"standard": "ふつう", "elderly": "見守り", "home": "施設", "household": "家族"}


@local.get("/effect", dependencies=[Depends(only_this_machine)])
def effect(request: Request, app: OpenApp, by: By = By.KIND) -> HTMLResponse:
    """Show what became of the ends of a year, of all groups; nobody is named."""
    with app.reading() as uow:
        table = table_of(counted_ends.counts(uow.tx, *last_year(uow.now)), by)
    words = app.rules.wording.of(Language.JAPANESE)
    said, channels = words_of(request), words.section("channel")

    def name_of(name: str) -> str:
        if by is By.KIND:
            return words.kinds[name]["name"] if name in words.kinds else said.plain("renewals.other")
        if by is By.STEP:
            return step_name(name, lambda entry, **values: said.plain(f"renewals.{entry}", **values))
        return _VALUES.get(name) or channels.get(name) or said.plain("renewals.step_nothing")

    rows = shown_rows(table, name_of)
    return _page(
        request,
        app,
        "effect.html",
        total=None if table.total is None else ShownRow.of("", table.total),
        rows=rows,
        hidden=table.hidden,
        fewest=FEWEST_SHOWN,
        picture=picture("期限までに更新した割合。同じ数は下の表にもあります。", rows),
        chosen=by.value,
        ways=[(one.value, name) for one, name in _WAYS.items()],
    )


@local.get("/outbox", dependencies=[Depends(only_this_machine)])
def sent_and_waiting(request: Request, app: OpenApp, state: MessageState | None = None) -> HTMLResponse:
    """Show the latest messages: what was sent, what waits, and the outcomes."""
    with app.reading() as uow:
        latest = queries.of_group(uow.tx, uow.keys, state=state, limit=LATEST)
        known = contacts.of_group(uow.tx, uow.keys, None)
        counts = monitoring.counts(uow.tx)
    return _page(
        request,
        app,
        "outbox.html",
        messages=latest,
        contacts={contact.id: contact for contact in known},
        counts=counts,
        is_cut=len(latest) == LATEST,
    )


def _page(request: Request, app: App, name: str, **shown: object) -> HTMLResponse:
    words = app.rules.wording.of(Language.JAPANESE)
    shown |= {section: words.section(section) for section in ("state", "channel", "trouble")}
    return page(request, app, name, **shown)  # type: ignore[arg-type]  # none of them is called status
