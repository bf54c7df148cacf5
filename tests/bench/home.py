"""How long the home page takes: 20 people, 60 cards, SQLite, our server in a process of its own."""

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from reminder.clock import SystemClock, japan_date
from reminder.domain.model.people import ChannelName, ConsentHow, GroupKind, Language, Mode, Role
from reminder.enrolment import register
from reminder.enrolment.cards import TypedDates, add_card
from reminder.enrolment.identity import sign_in as signing_in
from reminder.storage.auth import accounts
from reminder.wiring import App, build_app, read_settings
from reminder.worker.jobs import run_once

PEOPLE = 20
KINDS = ("mynumber_user_certificate", "driving_licence", "care_certification")
ADDRESS = "musume@example.jp"


def measure(requests: int = 400) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with build_app(read_settings(data_dir=Path(folder)), clock=SystemClock()) as app:
            enrol(app)
            cookie = sign_in(app)
        with serving(Path(folder)) as port:
            ask(port, cookie, 20)
            alone = ask(port, cookie, requests)
            with ThreadPoolExecutor(4) as four:
                together = [
                    took for some in four.map(lambda _: ask(port, cookie, requests // 4), range(4)) for took in some
                ]
    for name, took in (("one after another", alone), ("four at a time", together)):
        in_order = sorted(took)
        print(
            f"home page, {PEOPLE} people, {PEOPLE * len(KINDS)} cards, {name}: "
            f"median {in_order[len(in_order) // 2] * 1000:.1f} ms, p95 {in_order[int(len(in_order) * 0.95)] * 1000:.1f} ms"
        )


def enrol(app: App) -> None:
    now = app.clock.now()
    with app.units.writing(now) as uow:
        group = register.add_group(uow, name="田中家", kind=GroupKind.HOUSEHOLD)
        register.add_member(uow, group_id=group, email=ADDRESS, role=Role.OWNER, language=Language.JAPANESE)
    for number in range(PEOPLE):
        with app.units.writing(now) as uow:
            person = register.add_person(uow, group_id=group, label=f"{number}番", mode=Mode.ELDERLY)
            register.add_contact(
                uow,
                channel=ChannelName.SMS,
                address=f"090-0000-{number:04}",
                person_id=person,
                consent_how=ConsentHow.SPOKEN,
                consent_by="長女",
            )
        for place, kind in enumerate(KINDS):
            end = japan_date(now) + timedelta(days=20 + 30 * place + number)
            with app.units.writing(now) as uow:
                add_card(uow, person_id=person, kind=kind, typed=TypedDates(end.isoformat()))
    run_once(app, now)


def sign_in(app: App) -> str:
    with app.writing() as uow:
        account = accounts.add(uow.tx, uow.keys, address=ADDRESS, language=Language.JAPANESE, now=uow.now)
        entered = signing_in.enter(uow, account, "bench")
    return f"kigen={entered.token}"


@contextmanager
def serving(folder: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "reminder", "serve", "--port", "0"]
    environment = os.environ | {"REMINDER_DATA_DIR": str(folder), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as served:
        assert served.stdout is not None
        try:
            yield int(served.stdout.readline().split("localhost:")[1].split("/")[0])
        finally:
            served.terminate()


def ask(port: int, cookie: str, times: int) -> list[float]:
    took = []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    for _ in range(times):
        began = time.perf_counter()
        connection.request("GET", "/", headers={"Cookie": cookie, "Accept": "text/html"})
        answer = connection.getresponse()
        page = answer.read()
        took.append(time.perf_counter() - began)
        assert answer.status == 200, answer.status
        assert page.count(b'class="next"') == PEOPLE * len(KINDS)
    return took
