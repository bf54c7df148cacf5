"""What `reminder doctor` finds: every setting and where it came from, and what keeps the service from working."""

import os
from collections.abc import Collection
from dataclasses import dataclass

from reminder.channels.email_smtp import SmtpEmail
from reminder.cli.opened import require_folders
from reminder.cli.say import sentence
from reminder.domain import letters
from reminder.errors import KigenError
from reminder.settings import PREFIX, SECRET, Settings, config_dir, read_settings, read_table
from reminder.storage import schema
from reminder.storage.keys import keys_kept_in, read_keys
from reminder.storage.session import Database
from reminder.wiring import read_rulebook

NOT_USED = ("heartbeat_url",)
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
        return CheckUp(_listed(None), [], [sentence(wrong)])
    troubles = []
    for part in (read_rulebook, require_folders, _keys, _mail, _database):
        try:
            part(settings)
        except KigenError as wrong:
            troubles.append(sentence(wrong))
    return CheckUp(_listed(settings), _notes(settings), troubles)


def _keys(settings: Settings) -> None:
    if settings.secret_keys:
        read_keys(settings.secret_keys)
    elif (settings.data_dir / "keys").exists():
        keys_kept_in(settings.data_dir)


def _mail(settings: Settings) -> None:
    if settings.smtp_url is not None and settings.mail_from is not None:
        SmtpEmail(settings.smtp_url, settings.mail_from, render_html=letters.render_html)


def _database(settings: Settings) -> None:
    """An empty one is no trouble: the first run fills it."""
    try:
        database = Database(settings.database)
    except OSError:
        return  # its folder has been complained of
    if not (settings.on_sqlite and schema.present(database) is None):
        schema.require_newest(database)
    database.close()


def _listed(settings: Settings | None) -> dict[str, list[str]]:
    """Without settings (one of them is wrong) their names and uses all the same: this is where they are looked up."""
    in_file = _in_file()
    listed = {}
    for name, field in Settings.model_fields.items():
        in_environment = PREFIX + name.upper() in os.environ
        source = "environment" if in_environment else "config/reminder.toml" if name in in_file else "default"
        if settings is None:
            shown = "(not set)" if source == "default" else "(set)"
        else:
            value = getattr(settings, name)
            shown = "(not set)" if value in (None, ()) else "(set)" if name in SECRET else str(value)
        listed[PREFIX + name.upper()] = [shown, source, field.description or ""]
    return listed


def _in_file() -> Collection[str]:
    try:
        return read_table(config_dir() / "reminder.toml")
    except KigenError:
        return ()  # it need not be there, and what is wrong with it has been said


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
    notes += [f"{PREFIX}{name.upper()} is set, and not used yet." for name in NOT_USED if getattr(settings, name)]
    notes += [f"{PREFIX}{name.upper()} is on." for name in SWITCHES if getattr(settings, name)]
    return notes


def shown(found: CheckUp) -> str:
    lines = [f"{name:40} {value:32} {source:22} {use}" for name, (value, source, use) in found.settings.items()]
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"WRONG: {trouble}" for trouble in found.troubles] or ["Nothing is wrong."]
    return "\n".join(lines)
