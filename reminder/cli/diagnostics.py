"""The findings of `reminder doctor` in the settings, and the output of `reminder health`."""

import os
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from reminder.channels import registry
from reminder.channels.email.client import SmtpEmail
from reminder.cli.app_context import require_folders
from reminder.cli.output import error_message
from reminder.clock import JAPAN
from reminder.domain.model.people import Language
from reminder.domain.rules.canary_schedule import CanaryProof, CanaryView
from reminder.domain.text import email_html
from reminder.errors import ConflictError, KigenError, RefusedInputError, SettingsError
from reminder.settings import PREFIX, Settings, config_dir, former_values, read_table, settings_with
from reminder.storage.crypto import private_files
from reminder.storage.crypto.keyring import KeyRing, read_keys, stored_keys
from reminder.storage.db import row_security, schema
from reminder.storage.db.session import Database
from reminder.storage.maintenance import activity_chain, settlement
from reminder.upkeep.health import Health, Trouble
from reminder.wiring import find_problems, private_paths, read_rulebook, refuse_missing_keys

SWITCHES = ("two_way_sms", "voice_enabled", "links_in_carer_mail", "card_grace")


@dataclass(frozen=True)
class Diagnosis:
    """The result of `reminder doctor`.

    `settings`: name -> [value as shown, where it comes from, what it is for].
    """

    settings: dict[str, list[str]]
    notes: list[str]
    troubles: list[str]


def diagnose() -> Diagnosis:
    """Check settings, rules, folders, keys, mail and database."""
    try:
        settings, problems = find_problems()
    except KigenError as wrong:
        return Diagnosis(_listed(None), [], [error_message(wrong)])
    if settings is None:
        return Diagnosis(_listed(None), [], [error_message(wrong) for wrong in problems])
    troubles = [error_message(wrong) for wrong in problems]
    # Which database is meant is certain only where the settings do not contradict each other.
    of_database = () if problems else (_database, _web_database, _operator)
    for part in (read_rulebook, require_folders, _keys, _mail, *of_database, _files):
        try:
            part(settings)
        except KigenError as wrong:
            troubles.append(error_message(wrong))
    # No value of a wrong setting is shown, which may be a password in the wrong place.
    return Diagnosis(_listed(None if problems else settings), [] if problems else _notes(settings), troubles)


def _keys(settings: Settings) -> None:
    if settings.secret_keys:
        read_keys(settings.secret_keys)
    elif (settings.data_dir / "keys").exists():
        stored_keys(settings.data_dir)


def _mail(settings: Settings) -> None:
    if settings.smtp_url is not None and settings.mail_from is not None:
        SmtpEmail(settings.smtp_url, settings.mail_from, render_html=lambda text, _: email_html.render_html(text))


# What the shipped texts say of who runs the service: nothing.
_UNNAMED_OPERATOR = "期限だよりの運営者"


def _operator(settings: Settings) -> None:
    """Refuse that mails and papers name nobody, once something can be sent."""
    is_sending = settings.has_twilio or settings.smtp_url is not None
    try:
        wording = read_rulebook(settings).wording
    except KigenError:
        return  # reported already
    if is_sending and wording.of(Language.JAPANESE).word("operator") == _UNNAMED_OPERATOR:
        raise SettingsError(f"{PREFIX}OPERATOR", "say who runs this service: it stands on every mail and paper")


def _database(settings: Settings) -> None:
    """Check the database. An empty one is fine: the first run fills it."""
    try:
        database = Database(settings.database)
    except OSError:
        return  # its folder has been reported already
    try:
        if not (settings.on_sqlite and schema.present(database) is None):
            schema.require_newest(database)
            if settings.database_url is None and settings.web_database_url is not None:
                return  # only the web server runs here, and its role does not see what is looked at below
            database.refuse_confined()
            ring = refuse_missing_keys(settings, database)
            _refuse_divided(database, ring)
            _refuse_unsealed(database, ring)
            _refuse_unproved(database, ring)
            _activity(database, ring)
    finally:
        database.close()


def _web_database(settings: Settings) -> None:
    """Check that the web server's role sees one group at a time."""
    if settings.web_database_url is None:
        return
    name, fix = (
        f"{PREFIX}WEB_DATABASE_URL",
        "its role sees every group or may change tables; see `reminder database roles`",
    )
    database = Database(settings.web_database_url)
    try:
        schema.require_newest(database)
        database.find_role()
        with database.reading() as tx:
            if not database.is_confined or row_security.may_create(tx.connection()):
                raise SettingsError(name, fix)
    finally:
        database.close()


def _activity(database: Database, ring: KeyRing | None) -> None:
    """Check the whole activity log."""
    if ring is not None:
        with database.reading() as tx:
            found = activity_chain.check_all(tx, ring)
        if found.wrong is not None:
            raise RefusedInputError("activity_log_changed", position=found.wrong)


def _files(settings: Settings) -> None:
    """Check that nobody else may read the data; what can be closed is closed."""
    _, left = private_files.tighten(private_paths(settings))
    if left:
        raise RefusedInputError("files_open_to_others", files=", ".join(map(str, left)))


def _refuse_divided(database: Database, keys: KeyRing | None) -> None:
    """Refuse accounts and contacts of one address in two spellings, which a migration could not make one."""
    if keys is not None:
        with database.reading() as tx:
            found = settlement.divided(tx, keys)
        if found:
            rows = "; ".join(f"{one.table} {', '.join(map(str, one.ids))}" for one in found)
            raise ConflictError("addresses_divided", rows=rows)


def _refuse_unsealed(database: Database, keys: KeyRing | None) -> None:
    """Refuse rows with plain words, or with a sealed value that is not bound to its row; see settlement.seal_rows."""
    if keys is not None:
        with database.reading() as tx:
            found = settlement.unsealed_rows(tx, keys)
        if found:
            raise ConflictError("rows_unsealed", rows=", ".join(f"{table} {count}" for table, count in found.items()))


def _refuse_unproved(database: Database, keys: KeyRing | None) -> None:
    """Refuse members whose role was written past the program."""
    if keys is not None:
        with database.reading() as tx:
            found = settlement.unproved_roles(tx, keys)
        if found:
            raise RefusedInputError("roles_unproved", members=", ".join(map(str, found)))


def _listed(settings: Settings | None) -> dict[str, list[str]]:
    """Return the settings with their uses, also if one of them is wrong: people look them up here."""
    in_file = _in_file()
    whole, listed = settings_with(registry.parts()), {}
    secret = whole.secrets()
    for name, field in whole.model_fields.items():
        in_environment = PREFIX + name.upper() in os.environ
        source = "environment" if in_environment else "config/reminder.toml" if name in in_file else "default"
        if settings is None:
            shown = "(not set)" if source == "default" else "(set)"
        else:
            value = getattr(settings, name)
            shown = "(not set)" if value in (None, ()) else "(set)" if name in secret else str(value)
        listed[PREFIX + name.upper()] = [shown, source, field.description or ""]
    return listed


def _in_file() -> Collection[str]:
    try:
        return read_table(config_dir() / "reminder.toml")
    except KigenError:
        return ()  # the database may be missing, and what is wrong with it has been reported


def _notes(settings: Settings) -> list[str]:
    notes = [note for channel in registry.CHANNELS for note in channel.notes(settings)]
    if not settings.secret_keys:
        notes.append(f"The keys are kept in {settings.data_dir / 'keys'}: without that file nothing can be read again.")
    if settings.clock_override is not None:
        notes.append("CLOCK_OVERRIDE is set: this is a rehearsal of another day, and nothing leaves this machine.")
    if settings.heartbeat_url is None:
        notes.append("HEARTBEAT_URL is not set: nobody outside notices when this machine stands still.")
    if not settings.on_sqlite and settings.web_database_url is None:
        notes.append("WEB_DATABASE_URL is not set: the web server uses the database as the role that sees every group.")
    if settings.sign_up == "open":
        notes.append("SIGN_UP is open: groups of strangers are on trial until `reminder group approve`.")
        if not settings.two_way_sms:
            notes.append("Texts cannot be answered: a group on trial can text nobody before you approve it.")
        if settings.public_url is None:
            notes.append("PUBLIC_URL is not set: in a group on trial no e-mail address can be confirmed.")
    if settings.is_public and settings.operator_contact is None:
        notes.append("OPERATOR_CONTACT is not set: the page /privacy names nobody to ask about personal information.")
    if settings.is_public and not settings.trusted_proxies:
        notes.append(
            "TRUSTED_PROXIES is not set: behind a proxy all visitors count as one, for sign-in and for connections."
        )
    notes += [f"{name} has a former value; write {value}." for name, value in former_values().items()]
    notes += [f"{PREFIX}{name.upper()} is on." for name in SWITCHES if getattr(settings, name)]
    return notes


def shown(found: Diagnosis) -> str:
    """Return the diagnosis as lines."""
    lines = [f"{name:40} {value:32} {source:22} {use}" for name, (value, source, use) in found.settings.items()]
    lines += [f"note: {note}" for note in found.notes]
    lines += [f"WRONG: {trouble}" for trouble in found.troubles] or ["Nothing is wrong."]
    return "\n".join(lines)


def health_as_json(found: Health, sentences: Mapping[str, str]) -> dict[str, object]:
    """Return the health for programs.

    `troubles` are codes. `details` say of each how many, since when and what to do, and `concerns` the same of what is
    no fault of the service.
    """
    by_state = Counter[str]()
    for some in found.messages:
        by_state[some.state] += some.count
    return {
        "ready": found.is_ready,
        "troubles": list(found.troubles),
        "details": [_trouble(one, sentences) for one in found.found],
        "concerns": [_trouble(one, sentences) for one in found.concerns],
        "last_pass": found.last_pass,
        "last_audit": found.last_audit,
        "messages": dict(by_state),
        "pauses": found.pauses,
        "canaries": [
            {"channel": one.channel, "due_at": one.due_at, "returned_at": one.returned_at, "how": one.how}
            for one in found.canaries
        ],
    }


def _trouble(trouble: Trouble, sentences: Mapping[str, str]) -> dict[str, object]:
    shown = {"code": trouble.code, "count": trouble.count, "since": trouble.since, "what": trouble.said(sentences)}
    return shown | ({"reason": trouble.reason} if trouble.reason else {})


_PROVED = {
    CanaryProof.DELIVERED: "delivered",
    CanaryProof.RETURNED: "came back",
    CanaryProof.ACCEPTED: "accepted only; it does not come back through the mail pipe",
}


def _canary_shown(canary: CanaryView) -> str:
    how = "not proved yet"
    if canary.how is not None and canary.returned_at is not None:
        seconds = (canary.returned_at - canary.made_at).total_seconds()
        how = f"{_PROVED[canary.how]}, {seconds:.0f} s after it was made"
    return f"canary by {canary.channel} of {canary.due_at.astimezone(JAPAN):%Y-%m-%d %H:%M}: {how}"


def health_shown(found: Health, sentences: Mapping[str, str]) -> str:
    """Return the health as lines."""
    lines = ["It works." if found.is_ready else "It does not work as it should."]
    for word, some in (("WRONG", found.found), ("note", found.concerns)):
        for one in some:
            since = f", since {one.since.astimezone(JAPAN):%Y-%m-%d %H:%M}" if one.since else ""
            reason = f", the provider says {one.reason}" if one.reason else ""
            lines.append(f"{word}: {one.code} ({one.count}{since}{reason}): {one.said(sentences)}")
    for name, at in (("last pass", found.last_pass), ("last audit", found.last_audit)):
        lines.append(f"{name}: {at.astimezone(JAPAN):%Y-%m-%d %H:%M:%S}" if at else f"{name}: never")
    lines += map(_canary_shown, found.canaries)
    lines += [f"messages {one.state} by {one.channel}: {one.count}" for one in found.messages]
    return "\n".join(lines)
