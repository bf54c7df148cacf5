"""What `reminder doctor` finds: every setting and where it came from, and what keeps the service from working."""

import os
from dataclasses import dataclass

from reminder.cli.say import sentence
from reminder.errors import KigenError
from reminder.settings import PREFIX, SECRET, Settings, config_dir, read_settings, read_table
from reminder.storage import schema
from reminder.storage.session import Database
from reminder.wiring import read_rulebook

SWITCHES = ("sms_replies", "calls", "links_in_carer_mail", "card_grace")


@dataclass(frozen=True)
class CheckUp:
    """`settings`: name -> [value as shown, where it came from, what it is for]."""

    settings: dict[str, list[str]]
    notes: list[str]
    troubles: list[str]


def check_up() -> CheckUp:
    try:
        settings = read_settings()
    except KigenError as wrong:
        return CheckUp({}, [], [sentence(wrong)])
    troubles = []
    try:
        read_rulebook(settings)
    except KigenError as wrong:
        troubles.append(sentence(wrong))
    try:
        database = Database(settings.database)
        if not (settings.on_sqlite and schema.present(database) is None):
            schema.require_newest(database)
        database.close()
    except KigenError as wrong:
        troubles.append(sentence(wrong))
    return CheckUp(_listed(settings), _notes(settings), troubles)


def _listed(settings: Settings) -> dict[str, list[str]]:
    in_file = read_table(config_dir() / "reminder.toml")
    listed = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        shown = "(not set)" if value in (None, ()) else "(set)" if name in SECRET else str(value)
        in_environment = PREFIX + name.upper() in os.environ
        source = "environment" if in_environment else "config/reminder.toml" if name in in_file else "default"
        listed[PREFIX + name.upper()] = [shown, source, field.description or ""]
    return listed


def _notes(settings: Settings) -> list[str]:
    notes = []
    if not settings.has_twilio:
        notes.append("SMS go to the console: set TWILIO_ACCOUNT_SID, TWILIO_AUTH_TOKEN and TWILIO_FROM to send them.")
    elif settings.public_url is None:
        notes.append("PUBLIC_URL is not set: Twilio cannot say whether a text arrived.")
    if settings.smtp_url is None:
        notes.append("E-mails go to the console: set SMTP_URL and MAIL_FROM to send them.")
    if not settings.secret_keys:
        notes.append(f"The keys are kept in {settings.data_dir / 'keys'}: without that file nothing can be read again.")
    if settings.as_if is not None:
        notes.append("AS_IF is set: this is a rehearsal of another day, and nothing leaves this machine.")
    notes += [f"{PREFIX}{name.upper()} is on." for name in SWITCHES if getattr(settings, name)]
    return notes


def shown(found: CheckUp) -> str:
    lines = [f"{name:40} {value:32} {source:22} {use}" for name, (value, source, use) in found.settings.items()]
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"WRONG: {trouble}" for trouble in found.troubles] or ["Nothing is wrong."]
    return "\n".join(lines)
