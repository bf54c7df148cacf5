"""The operator's settings: the environment (REMINDER_…) over config/reminder.toml, read once into frozen Settings.

Unknown or wrong values refuse to start and name the setting and the fix, never the value.
"""

import ipaddress
import os
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import AwareDatetime, BaseModel, Field, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from reminder.errors import SettingsError

P = TypeVar("P", bound=BaseModel)

PREFIX = "REMINDER_"
SECRET = frozenset(
    {
        "database_url",
        "web_database_url",
        "secret_keys",
        "twilio_auth_token",
        "smtp_url",
        "heartbeat_url",
        "heartbeat_fail_url",
        "metrics_token",
        "backup_key",
    }
)
# The names of settings until the previous release.
RENAMED = {
    "sms_replies": "two_way_sms",
    "calls": "voice_enabled",
    "as_if": "clock_override",
    "tick_seconds": "pass_seconds",
}
# The former values of a setting, in small letters, with the present ones. They work for one more release.
_ON, _OFF = ("on", "true", "yes", "y", "t", "1"), ("off", "false", "no", "n", "f", "0")
OLD_VALUES = {"sign_up": {**dict.fromkeys(_ON, "open"), **dict.fromkeys(_OFF, "invited")}}
ON_THIS_MACHINE = ("127.0.0.1", "localhost", "::1")


def web_address(value: str) -> str:
    """Return the address without a slash at its end; raises ValueError where it is no web address."""
    if urlsplit(value).scheme not in ("http", "https") or not urlsplit(value).netloc:
        raise ValueError("write it with https:// in front")
    return value.rstrip("/")


def network_of_proxy(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    """Return the network that an address such as 127.0.0.1 or 10.0.0.0/8 means; raises ValueError for anything else."""
    try:
        return ipaddress.ip_network(value)
    except ValueError:
        raise ValueError("write addresses or networks, separated by commas: 127.0.0.1,10.0.0.0/8") from None


class Settings(BaseSettings):
    """All settings, each with a default, so that the first run needs none."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid", hide_input_in_errors=True
    )

    parts: ClassVar[tuple["SettingsPart", ...]] = ()  # settings that single channels add

    config: Path | None = Field(None, description="folder that replaces the shipped config/")
    database_url: str | None = Field(
        None, description="postgresql://… or sqlite:///…; default: a SQLite file in DATA_DIR"
    )
    web_database_url: str | None = Field(
        None, description="the same PostgreSQL for `reminder web`, as a role that sees one group at a time"
    )
    leader_url: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="addresses of Patroni's REST interface, one for each PostgreSQL server, separated by commas"
    )
    data_dir: Path = Field(Path("data"), description="where the SQLite file and the keys are kept")
    secret_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="keys that encrypt addresses and texts, newest first; made at the first run on SQLite"
    )
    backup_key: str | None = Field(None, description="seals and opens back-ups; `reminder backup key` makes one")
    public_url: str | None = Field(None, description="https address under which providers reach the webhooks")
    twilio_account_sid: str | None = Field(None, description="from Twilio's console")
    twilio_auth_token: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="from Twilio's console; two, separated by a comma, while it is being changed"
    )
    twilio_from: str | None = Field(None, description="the one sender of every text")
    twilio_messaging_service_sid: str | None = Field(None, description="instead of TWILIO_FROM")
    twilio_base_url: str = Field("https://api.twilio.com", description="another address only for tests")
    sms_per_second: float = Field(10, gt=0, le=100_000, description="what the sender may send")
    smtp_url: str | None = Field(None, description="smtp://user:password@host:port or smtps://…")
    mail_from: str | None = Field(None, description="the one sender of every e-mail; needed with SMTP_URL")
    bounce_address: str | None = Field(
        None,
        description="where mail that comes back is sent to, with a part of its own for each: bounces@example.jp",
        # With the rest of a return path at most the 64 characters that a mail server accepts.
        pattern=r"^[A-Za-z0-9._-]{1,16}@[A-Za-z0-9]([A-Za-z0-9.-]{0,120}[A-Za-z0-9])?$",
    )
    clock_override: AwareDatetime | None = Field(
        None, description="a rehearsal: live as if it were this instant now; never with a real provider"
    )
    home_session_hours: int | None = Field(
        None, ge=1, le=8760, description="after how many hours a session of a home's staff ends; default: a year"
    )
    home_idle_minutes: int | None = Field(
        None,
        ge=5,
        le=86400,
        description="after how many minutes without use a session of a home's staff ends; default: 60 days",
    )
    keep_messages_days: int | None = Field(
        None, ge=400, description="messages that were over so many days ago are deleted; default: kept for ever"
    )
    heartbeat_url: str | None = Field(
        None, description="address asked for once a minute while an audit finds nothing wrong; its silence is the alarm"
    )
    heartbeat_fail_url: str | None = Field(None, description="address asked for instead while something is wrong")
    metrics_token: str | None = Field(
        None, min_length=16, description="what a program must show to read /metrics from elsewhere"
    )
    pass_seconds: float = Field(5, gt=0, le=3600, description="how often the worker looks for what is due")
    web_threads: int = Field(
        2, ge=1, le=64, description="how many requests for pages are worked on at once; Python gains nothing by more"
    )
    web_connections: int = Field(
        500, ge=1, le=20_000, description="how many connections the web server keeps open; fewer where files are few"
    )
    web_connections_per_client: int = Field(
        64, ge=1, le=20_000, description="how many of these one client may hold: an IPv4 address or an IPv6 /64"
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="addresses or networks of proxies whose X-Forwarded-For and -Proto are believed; default: none"
    )
    api_requests_per_minute: int = Field(
        300, ge=1, le=1_000_000, description="how many requests of one API token are answered in a minute"
    )
    api_wrong_tokens_per_minute: int = Field(
        30, ge=1, le=1_000_000, description="how many wrong API tokens of one network are answered in a minute"
    )
    two_way_sms: bool = Field(
        default=False, description="texts can be answered: your sender receives, and Twilio tells PUBLIC_URL of it"
    )
    voice_enabled: bool = Field(
        default=False, description="telephone calls to those who agreed to them (contacts `voice`)"
    )
    twilio_voice_from: str | None = Field(None, description="the one domestic number of every call: +81…")
    twilio_voice_base_url: str = Field(
        "https://api.tokyo.us1.twilio.com",
        description="calls within Japan go through Tokyo; another one only for tests",
    )
    call_voice: str = Field("Polly.Kazuha-Neural", description="who speaks in a Japanese call, by Twilio's name")
    call_rate: str = Field("85%", description="how fast, from 50% to 100%", pattern=r"^([5-9][0-9]|100)%$")
    links_in_carer_mail: bool = Field(
        default=False, description="links in e-mails to carers: one page with one button (needs PUBLIC_URL)"
    )
    sign_up: Literal["first", "invited", "open"] = Field(
        "first",
        description="who may begin: first (the first owner, by the code that the terminal shows; then who is invited), "
        "invited, open (anybody; new groups are on trial)",
    )
    operator: str | None = Field(None, description="who runs this service, as every page says", max_length=60)
    operator_contact: str | None = Field(
        None,
        description="where people ask about their personal information and report faults, as /privacy says",
        max_length=300,
    )
    operator_email: str | None = Field(
        None,
        description="where the operator reads of faults by e-mail, while e-mails leave, and weekly how many were told",
        max_length=254,
    )
    operator_phone: str | None = Field(
        None,
        description="the telephone (+81…) on which the operator reads of a fault by text, while texts leave",
        pattern=r"^\+[1-9][0-9]{6,14}$",
    )
    canary_sms: str | None = Field(
        None,
        description="a telephone of your own (+81…), to which a text goes that must arrive",
        pattern=r"^\+[1-9][0-9]{6,14}$",
    )
    canary_email: str | None = Field(
        None,
        description="a mailbox of your own, to which a mail goes; best one that sends it on to BOUNCE_ADDRESS",
        pattern=r"^[^@\s]{1,64}@[^@\s]{1,189}$",
    )
    canary_every: Literal["hour", "day"] = Field("day", description="how often these two are sent: hour or day")
    card_grace: bool = Field(
        default=False, description="the health-insurance grace also covers an expired card itself (confirm it first)"
    )

    @field_validator("secret_keys", "twilio_auth_token", "trusted_proxies", "leader_url", mode="before")
    @classmethod
    def _separated_by_commas(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("leader_url")
    @classmethod
    def _addresses_of_managers(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(web_address(one) for one in value)

    @field_validator("trusted_proxies")
    @classmethod
    def _addresses_of_proxies(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(network_of_proxy(one)) for one in value)

    @field_validator(*OLD_VALUES, mode="before")
    @classmethod
    def _former_value(cls, value: object, about: ValidationInfo) -> object:
        return _present_value(about.field_name or "", value) or value

    @field_validator("public_url", "twilio_base_url", "twilio_voice_base_url")
    @classmethod
    def _an_address(cls, value: str | None) -> str | None:
        return None if value is None else web_address(value)

    @field_validator("heartbeat_url", "heartbeat_fail_url")
    @classmethod
    def _an_address_as_it_is(cls, value: str | None) -> str | None:
        cls._an_address(value)
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Return the sources in order of precedence: arguments, environment, config/reminder.toml."""
        del dotenv_settings, file_secret_settings
        file = config_dir() / "reminder.toml"
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, file)

    def part(self, model: type[P]) -> P:
        """Return the settings of one channel; raises TypeError where they were read without those of the channels."""
        if not isinstance(self, model):
            raise TypeError(f"read the settings by wiring.read_settings: {model.__name__} is not among these")
        return self

    @classmethod
    def secrets(cls) -> frozenset[str]:
        """Return the names of the settings whose values are never shown."""
        return SECRET.union(*(part.secret for part in cls.parts))

    @property
    def has_twilio(self) -> bool:
        """Whether Twilio's account is set."""
        return self.twilio_account_sid is not None

    @property
    def can_verify_contacts(self) -> bool:
        """Whether contacts can be verified: receipts and buttons come back, or a sender may change."""
        return self.public_url is not None or self.has_twilio

    @property
    def is_rehearsal_safe(self) -> bool:
        """Whether no provider outside this machine would be contacted."""
        reached = [self.twilio_base_url] if self.has_twilio else []
        reached += [self.twilio_voice_base_url] if self.has_twilio and self.voice_enabled else []
        reached += [self.smtp_url] if self.smtp_url else []
        reached += [address for part in self.parts for address in part.reached(self)]
        # The monitor of the real service would get a heartbeat.
        reached += [address for address in (self.heartbeat_url, self.heartbeat_fail_url) if address]
        return all(urlsplit(address).hostname in ON_THIS_MACHINE for address in reached)

    @property
    def is_public(self) -> bool:
        """Whether a proxy may be in front, so that its clients may appear to be this machine."""
        return urlsplit(self.public_url or "").hostname not in (None, *ON_THIS_MACHINE)

    @property
    def database(self) -> str:
        """The URL of the database; where only the web server runs, the one of its role."""
        return self.database_url or self.web_database_url or f"sqlite:///{(self.data_dir / 'kigen.db').resolve()}"

    def for_web(self) -> "Settings":
        """Return the settings of the web server, which uses the database as a role of its own where there is one."""
        if self.web_database_url is None:
            return self
        return self.model_copy(update={"database_url": self.web_database_url})

    @property
    def on_sqlite(self) -> bool:
        """Whether the database is SQLite."""
        return self.database.startswith("sqlite:")


@dataclass(frozen=True)
class SettingsPart:
    """Settings that one channel adds.

    `model` has their fields; `reached` are the addresses that the channel would contact, so that a rehearsal can avoid
    them; `check` raises SettingsError where some are missing.
    """

    model: type[BaseModel]
    secret: frozenset[str] = frozenset()
    reached: Callable[[Settings], Sequence[str]] = lambda _: ()
    check: Callable[[Settings], None] = lambda _: None


@cache
def settings_with(parts: tuple[SettingsPart, ...]) -> type[Settings]:
    """Return the class of all settings: those of this module and those of the parts."""
    if not parts:
        return Settings
    # type() does what pydantic's create_model does, with a type that can be checked.
    bases: tuple[type, ...] = (Settings, *(part.model for part in parts))
    return cast(type[Settings], type("Settings", bases, {"parts": parts, "__module__": __name__}))


def read_settings(*, parts: tuple[SettingsPart, ...] = (), **given: object) -> Settings:
    """Return the settings of the environment and config/reminder.toml; `given` takes precedence.

    Raises SettingsError, the first of `find_problems`. `parts` are the settings of channels: wiring.read_settings
    passes those of all channels.
    """
    settings, problems = find_problems(parts=parts, **given)
    if settings is None or problems:
        raise problems[0]
    return settings


def find_problems(
    *, parts: tuple[SettingsPart, ...] = (), **given: object
) -> tuple[Settings | None, list[SettingsError]]:
    """Return the settings and everything that is wrong with them; None where they cannot be read at all.

    What contradicts each other is found only where each setting alone can be read.
    """
    whole = settings_with(parts)
    known = {PREFIX + name.upper() for name in whole.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    problems = [SettingsError(name, _unknown(name.removeprefix(PREFIX))) for name in unknown]
    try:
        settings = whole(**given)  # type: ignore[arg-type]  # values are validated here
    except ValidationError as wrong:
        return None, [
            *problems,
            *map(_refused, wrong.errors(include_input=False, include_url=False, include_context=False)),
        ]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        file = str(config_dir() / "reminder.toml")
        return None, [*problems, SettingsError(file, "it is not readable as TOML")]
    for part in parts:
        try:
            part.check(settings)
        except SettingsError as refused:
            problems.append(refused)
    return settings, [*problems, *_half_settings(settings), *_contradictions(settings)]


def _refused(error: ErrorDetails) -> SettingsError:
    named = str(error["loc"][0])
    is_unknown = error["type"] == "extra_forbidden"
    why = _unknown(named) if is_unknown else str(error["msg"]).removeprefix("Value error, ")
    return SettingsError(PREFIX + named.upper(), why)


def _present_value(name: str, value: object) -> str | None:
    """Return what replaces a former value of a setting; None where it is no former one."""
    return OLD_VALUES.get(name, {}).get(str(value).strip().lower())


def former_values() -> dict[str, str]:
    """Return the settings that still have a former value, by their full name, with the value to write instead."""
    try:
        in_file = read_table(config_dir() / "reminder.toml")
    except SettingsError:
        in_file = {}
    found = {}
    for name in OLD_VALUES:
        value = os.environ.get(PREFIX + name.upper()) or in_file.get(name)
        present = None if value is None else _present_value(name, value)
        if present is not None:
            found[PREFIX + name.upper()] = present
    return found


def _unknown(name: str) -> str:
    """Return what to do about an unknown setting: the new name of one that was renamed."""
    new = RENAMED.get(name.lower())
    return (
        "there is no such setting; `reminder doctor` lists them all"
        if new is None
        else f"it is called {PREFIX}{new.upper()} now"
    )


def _half_settings(settings: Settings) -> Iterator[SettingsError]:
    """Yield what is missing beside what is set."""
    if settings.has_twilio:
        if not settings.twilio_auth_token:
            yield SettingsError(PREFIX + "TWILIO_AUTH_TOKEN", "set it too: TWILIO_ACCOUNT_SID is set")
        if not (settings.twilio_from or settings.twilio_messaging_service_sid):
            yield SettingsError(
                PREFIX + "TWILIO_FROM", "set it, or TWILIO_MESSAGING_SERVICE_SID: texts need one sender"
            )
    elif settings.twilio_auth_token:
        yield SettingsError(PREFIX + "TWILIO_ACCOUNT_SID", "set it too: TWILIO_AUTH_TOKEN is set")
    needs_address = {
        "TWO_WAY_SMS": settings.two_way_sms and (settings.has_twilio or settings.smtp_url),
        "LINKS_IN_CARER_MAIL": settings.links_in_carer_mail and (settings.has_twilio or settings.smtp_url),
        "VOICE_ENABLED": settings.voice_enabled and settings.has_twilio,
    }
    missing = [name for name, needs in needs_address.items() if needs and not settings.public_url]
    if missing:
        yield SettingsError(PREFIX + "PUBLIC_URL", f"set it too: {missing[0]} is on")
    if settings.voice_enabled and settings.has_twilio and not _DOMESTIC.fullmatch(settings.twilio_voice_from or ""):
        yield SettingsError(PREFIX + "TWILIO_VOICE_FROM", "set it to your domestic number, +81…: VOICE_ENABLED is on")
    if settings.canary_sms and not settings.has_twilio:
        yield SettingsError(PREFIX + "TWILIO_ACCOUNT_SID", "set it too, or unset CANARY_SMS: nothing sends its texts")
    if settings.canary_email and not settings.smtp_url:
        yield SettingsError(PREFIX + "SMTP_URL", "set it too, or unset CANARY_EMAIL: nothing sends its mails")
    if settings.smtp_url and not settings.mail_from:
        yield SettingsError(PREFIX + "MAIL_FROM", "set it too: SMTP_URL is set")
    if settings.clock_override is not None and not settings.is_rehearsal_safe:
        yield SettingsError(PREFIX + "CLOCK_OVERRIDE", "unset it: real people would be told of another day")
    if not settings.on_sqlite and not settings.secret_keys:
        yield SettingsError(
            PREFIX + "SECRET_KEYS",
            "set it: with PostgreSQL every process needs the same keys (`reminder keys new` makes one)",
        )


_DOMESTIC = re.compile(r"\+81[1-9][0-9]{8,9}")
# A telephone number or a short one can be answered; a name of letters cannot.
_CAN_RECEIVE = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}")
# The ports on which a mail server expects TLS from the first byte, and on which it does not.
_TLS_AT_ONCE, _TLS_LATER = frozenset({465}), frozenset({25, 587, 2525})


def _contradictions(settings: Settings) -> Iterator[SettingsError]:
    """Yield settings of which each could be right, and which together, or in this use, cannot work."""
    web = settings.web_database_url
    if web and (settings.on_sqlite or not web.startswith(("postgresql:", "postgresql+psycopg:"))):
        yield SettingsError(PREFIX + "WEB_DATABASE_URL", "unset it, or set both to PostgreSQL: SQLite has no roles")
    elif web and settings.database_url and _name_of_database(web) != _name_of_database(settings.database_url):
        yield SettingsError(PREFIX + "WEB_DATABASE_URL", "name the same database as DATABASE_URL, as another role")
    is_sender = settings.has_twilio and not settings.twilio_messaging_service_sid
    sender = settings.twilio_from if is_sender else None
    if settings.two_way_sms and sender and not _CAN_RECEIVE.fullmatch(sender):
        fix = "set it to a number, or unset TWO_WAY_SMS: a sender of letters cannot be answered, nor stopped"
        yield SettingsError(PREFIX + "TWILIO_FROM", fix)
    if settings.canary_sms is not None and settings.canary_sms == settings.twilio_from:
        yield SettingsError(PREFIX + "CANARY_SMS", "set it to another telephone than TWILIO_FROM, which sends to it")
    if settings.public_url is not None:
        yield from _contradictions_of_public_url(settings, settings.public_url)
    if settings.smtp_url:
        yield from _contradictions_of_smtp_url(settings.smtp_url)
    if settings.heartbeat_url is not None and settings.heartbeat_url == settings.heartbeat_fail_url:
        yield SettingsError(
            PREFIX + "HEARTBEAT_FAIL_URL", "set it to another address than HEARTBEAT_URL: a fault would look well"
        )


def _name_of_database(url: str) -> str:
    return urlsplit(url).path.strip("/")


def _contradictions_of_public_url(settings: Settings, url: str) -> Iterator[SettingsError]:
    name, parts = PREFIX + "PUBLIC_URL", urlsplit(url)
    is_here = parts.hostname in ON_THIS_MACHINE
    if parts.scheme != "https" and not is_here:
        yield SettingsError(name, "write it with https://: links and sessions must not travel in the open")
    if parts.username is not None or parts.password is not None:
        yield SettingsError(name, "leave user and password out: it stands in e-mails")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        yield SettingsError(name, "leave everything after the host out: the pages are served at its root")
    is_real = settings.has_twilio and urlsplit(settings.twilio_base_url).hostname not in ON_THIS_MACHINE
    for switch, is_on in (("TWO_WAY_SMS", settings.two_way_sms), ("VOICE_ENABLED", settings.voice_enabled)):
        if is_on and is_real and is_here:
            yield SettingsError(name, f"set it to an address that Twilio reaches, or unset {switch}")


def _contradictions_of_smtp_url(url: str) -> Iterator[SettingsError]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return  # the client of mails refuses it
    if parts.scheme == "smtp" and port in _TLS_AT_ONCE:
        yield SettingsError(PREFIX + "SMTP_URL", f"write smtps:// with port {port}, or smtp:// with port 587")
    if parts.scheme == "smtps" and port in _TLS_LATER:
        yield SettingsError(PREFIX + "SMTP_URL", f"write smtp:// with port {port}, or smtps:// with port 465")


def config_dir() -> Path:
    """Return REMINDER_CONFIG, else config/ inside the installed package, else config/ of this checkout."""
    chosen = os.environ.get(PREFIX + "CONFIG")
    if chosen:
        if not Path(chosen).is_dir():
            raise SettingsError(PREFIX + "CONFIG", "it must name a folder like the shipped config/")
        return Path(chosen)
    return shipped("config")


def shipped(name: str) -> Path:
    """Return a top-level folder that is part of the wheel."""
    here = Path(__file__).parent
    inside = here / "shipped" / name
    return inside if inside.is_dir() else here.parent / name


@cache
def read_table(path: Path) -> Mapping[str, object]:
    """Return one parsed TOML file of config/; raises SettingsError."""
    try:
        return cast(Mapping[str, object], tomllib.loads(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, IsADirectoryError):
        raise SettingsError(str(path), "this file is missing; copy it from the shipped config/") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as wrong:
        raise SettingsError(str(path), f"it is not readable as TOML ({type(wrong).__name__})") from None
