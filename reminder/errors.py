"""Every error raised on purpose, one tree.

    KigenError                      has a stable `code`; config/wording/*.toml turns the code into a sentence
    ├── RefusedInputError           what came in cannot be taken: exit 2, HTTP 422
    │   ├── ForbiddenNumberError    it looks like a card's number or a passcode
    │   ├── UnsafeWordError         a word that could mislead whoever reads it in a message of ours
    │   ├── DateError               a typed date is ambiguous, impossible, incomplete or unreadable
    │   ├── NeedsConfirmationError  it may be right, but is so unusual that we ask first
    │   ├── AddressError            a phone number or e-mail address that cannot be used
    │   ├── UnknownChoiceError      a kind, mode, channel … that does not exist
    │   ├── TooManyRequestsError    a limit is reached; when to try again is known (HTTP 429)
    │   ├── NotFoundError           no such person, card … (HTTP 404)
    │   └── ConflictError           it is there already, or no longer in the state this needs (HTTP 409)
    │       └── QuotaReachedError   the group holds or uses as much as it may
    ├── SettingsError               a setting or file of config/ is missing or wrong: nothing starts
    │   └── KeysMissingError        the database knows a key that this program was not given
    ├── DatabaseNotReadyError       the database cannot be reached, or is of another version
    └── ChannelError                a provider did not take a message
        ├── TemporaryChannelError   try again later; certainly not sent
        ├── PermanentChannelError   this address will never take it, or its owner said no
        ├── SetupChannelError       the operator's account, sender or setting is at fault
        └── UnknownOutcomeError     it may or may not have been taken: ask before sending again

A refusal holds the kind of thing and the place, never the value: its text reaches screens, reports and logs.
"""

from collections.abc import Mapping, Sequence
from datetime import date


class KigenError(Exception):
    """The base of all errors. `details` fill the placeholders of the sentence; they never hold a refused value."""

    code: str = "failure"

    def __init__(self, code: str | None = None, **details: object) -> None:
        if code is not None:
            self.code = code
        self.details: Mapping[str, object] = details
        shown = ", ".join(f"{name}={value}" for name, value in details.items())
        super().__init__(f"{self.code}({shown})")


class RefusedInputError(KigenError):
    """Input that cannot be accepted."""

    code = "refused"

    def __init__(self, code: str | None = None, *, field: str | None = None, **details: object) -> None:
        self.field = field
        super().__init__(code, **({"field": field} if field else {}), **details)


class ForbiddenNumberError(RefusedInputError):
    """Input that looks like a card's number or a passcode; `looks_like` is a member of guard.numbers.LooksLike.

    For "too_long" the code is text_too_long: the text was refused without being read.
    """

    code = "forbidden_number"

    def __init__(self, *, field: str | None = None, looks_like: str) -> None:
        self.looks_like = looks_like
        super().__init__("text_too_long" if looks_like == "too_long" else None, field=field, looks_like=looks_like)


class UnsafeWordError(RefusedInputError):
    """A word that may not leave us in a message.

    Codes: word_too_long, word_invisible, word_lookalike, word_link, word_at, word_digits, word_phone, word_money.

    `most`: the digits that may follow one another in this field.
    """

    code = "word_unsafe"

    def __init__(self, code: str, *, field: str | None = None, most: int = 3) -> None:
        super().__init__(code, field=field, most=most)


class DateError(RefusedInputError):
    """A date that cannot be used.

    Codes: date_ambiguous, date_incomplete, date_impossible, date_unreadable.

    `choices` are the possible meanings, or the nearest dates that exist; they may be empty.
    """

    code = "date_unreadable"

    def __init__(self, code: str, *, field: str | None = None, choices: Sequence[date] = ()) -> None:
        self.choices = tuple(choices)
        super().__init__(code, field=field)


class NeedsConfirmationError(RefusedInputError):
    """Unusual input that is accepted once it is confirmed. Codes: date_past, date_far."""

    code = "needs_confirmation"


class AddressError(RefusedInputError):
    """A phone number or e-mail address that cannot be used.

    Codes: phone_unreadable, phone_landline, phone_ip, phone_tollfree, phone_pager, phone_premium, phone_foreign,
    phone_emergency, phone_two_numbers, phone_digits_lost, email_unreadable.
    """

    code = "address_unreadable"


class UnknownChoiceError(RefusedInputError):
    """A choice that does not exist. `choices` are the existing ones."""

    code = "unknown_choice"

    def __init__(self, *, field: str, choices: Sequence[str]) -> None:
        self.choices = tuple(choices)
        super().__init__(field=field, choices=", ".join(choices))


class TooManyRequestsError(RefusedInputError):
    """A limit was reached. `retry_after`: the seconds after which it is worth trying again, at least one."""

    code = "too_many_requests"

    def __init__(self, code: str | None = None, *, field: str | None = None, retry_after: int) -> None:
        self.retry_after = max(1, retry_after)
        super().__init__(code, field=field, retry_after=self.retry_after)


class TooBusyError(TooManyRequestsError):
    """A request that this process has no room for now, whoever asks. Code: too_many_sheets."""

    code = "too_many_sheets"


class NotFoundError(RefusedInputError):
    """A row that does not exist, or belongs to another group."""

    code = "not_found"


class ConflictError(RefusedInputError):
    """A row that exists already, or is not in the required state."""

    code = "conflict"


class QuotaReachedError(ConflictError):
    """More than a group may hold or use. `quota` names the limit, `limit` is its value, `adding` how many were asked.

    The code is quota_people, quota_cards … : a sentence for each limit.
    """

    def __init__(self, quota: str, *, limit: int, adding: int = 1) -> None:
        self.quota, self.limit = quota, limit
        super().__init__(f"quota_{quota}", limit=limit, adding=adding)


class SettingsError(KigenError):
    """A setting or a file of config/ that is missing or wrong.

    `setting` is its name, `fix` what to do, in one English clause; it never holds the value.
    """

    code = "setting_wrong"

    def __init__(self, setting: str, fix: str) -> None:
        self.setting, self.fix = setting, fix
        super().__init__(setting=setting, fix=fix)


class KeysMissingError(SettingsError):
    """A database that knows keys which this program was not given: what they sealed could not be opened.

    `keys` are their names; `place` is where they are looked for.
    """

    code = "keys_missing"

    def __init__(self, keys: Sequence[str], place: str) -> None:
        self.keys, self.setting = tuple(keys), place
        self.fix = "give the keys back; nothing was changed"
        KigenError.__init__(self, keys=", ".join(keys), place=place)


class DatabaseNotReadyError(KigenError):
    """A database that cannot be used.

    Codes: database_unreachable, database_locked, database_busy, database_full, database_read_only, database_damaged,
    database_behind, database_ahead, database_moved, database_not_leader, database_not_synchronous,
    database_role_confined, database_not_begun.
    """

    code = "database_unreachable"

    @property
    def is_final(self) -> bool:
        """Whether this process can never use the database again."""
        return self.code in ("database_ahead", "database_moved")

    @property
    def is_short(self) -> bool:
        """Whether it usually passes within seconds."""
        return self.code in _SHORT

    @property
    def retry_after(self) -> int:
        """The seconds after which a request is worth repeating."""
        return 5 if self.is_short else 60


_SHORT = ("database_unreachable", "database_locked", "database_busy", "database_not_leader")


class ChannelError(KigenError):
    """A message that a provider did not accept.

    `reason` is the provider's own code or a short word of ours, never the text or the address.
    """

    code = "channel_failed"

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason=reason)


class TemporaryChannelError(ChannelError):
    """A message that may be retried.

    `retry_after`: seconds the provider asked us to wait, if it did. `maybe_taken`: it had the whole message when it
    refused, and some providers deliver what they have refused so late.
    """

    code = "channel_temporary"

    def __init__(self, reason: str, retry_after: float | None = None, *, maybe_taken: bool = False) -> None:
        self.retry_after, self.maybe_taken = retry_after, maybe_taken
        super().__init__(reason)


class PermanentChannelError(ChannelError):
    """A message that this provider will never deliver.

    `opted_out`: the owner of the address asked the provider to stop. `address_is_gone`: not this message but the
    address is at fault.
    """

    code = "channel_permanent"

    def __init__(self, reason: str, *, opted_out: bool = False, address_is_gone: bool = True) -> None:
        self.opted_out, self.address_is_gone = opted_out, address_is_gone
        super().__init__(reason)


class SetupChannelError(ChannelError):
    """An error of the operator's account, sender or setting; messages wait."""

    code = "channel_setup"


class UnknownOutcomeError(ChannelError):
    """A message whose outcome is unknown: it may have been accepted."""

    code = "channel_unknown"
