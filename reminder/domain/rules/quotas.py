"""Quotas: how much one group may hold and use, and how often all groups together may write to one stranger.

config/quotas.toml holds the limits of a group on trial, a household and a home; the operator may change those of one
group. A limit of a group delays no other group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from reminder.domain.model.people import GroupKind
from reminder.errors import QuotaReachedError, RefusedInputError, SettingsError, UnknownChoiceError

Name = TypeVar("Name", bound=StrEnum)

FILE = "config/quotas.toml"
TRIAL, ADDRESS = "trial", "address"
# Larger than anything that one installation could hold.
_HIGHEST = 1_000_000_000


class Quota(StrEnum):
    """A limit of one group. Those that end in `_a_day` begin anew each day in Japan."""

    PEOPLE = "people"
    CONTACTS = "contacts"
    CONTACTS_OF_PERSON = "contacts_of_person"
    CARDS = "cards"
    MESSAGES_A_DAY = "messages_a_day"
    INVITATIONS = "invitations"
    INVITATIONS_A_DAY = "invitations_a_day"
    IMPORTS_OPEN = "imports_open"
    IMPORTS_A_DAY = "imports_a_day"
    TOKENS = "tokens"
    MEMBERS = "members"
    FEEDS = "feeds"


class AddressQuota(StrEnum):
    """A limit of one e-mail address or telephone number, for all groups together."""

    INVITATIONS_AN_HOUR = "invitations_an_hour"
    INVITATIONS_A_DAY = "invitations_a_day"
    CONSENT_REQUESTS_A_DAY = "consent_requests_a_day"


@dataclass(frozen=True)
class Quotas:
    """The limits of config/quotas.toml. `of_groups`: by `trial` or the kind of the group, and by quota."""

    of_groups: Mapping[str, Mapping[Quota, int]]
    of_address: Mapping[AddressQuota, int]

    def limit(self, quota: Quota, kind: GroupKind, *, is_on_trial: bool, own: Mapping[str, int]) -> int:
        """Return the limit of a group. `own`: the limits that the operator has set for this group."""
        return own.get(quota, self.of_groups[TRIAL if is_on_trial else kind][quota])


def read_quotas(table: Mapping[str, object]) -> Quotas:
    """Return the quotas of the parsed config/quotas.toml; raises SettingsError naming the entry."""
    sections = (TRIAL, *GroupKind, ADDRESS)
    for name in table.keys() - {*sections}:
        raise SettingsError(f"{FILE}: [{name}]", f"remove it; there are only {', '.join(sections)}")
    of_groups = {str(name): _section(table, name, Quota) for name in (TRIAL, *GroupKind)}
    return Quotas(of_groups, _section(table, ADDRESS, AddressQuota))


def _section(table: Mapping[str, object], name: str, known: type[Name]) -> dict[Name, int]:
    section = table.get(name)
    if not isinstance(section, Mapping):
        raise SettingsError(f"{FILE}: [{name}]", "add this section")
    for entry in section.keys() - {*known}:
        raise SettingsError(f"{FILE}: {name}.{entry}", f"remove it; there are only {', '.join(known)}")
    for entry in known:
        if not _is_limit(section.get(entry)):
            raise SettingsError(f"{FILE}: {name}.{entry}", "make it a whole number, 0 or more")
    return {entry: section[entry] for entry in known}


def _is_limit(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _HIGHEST


def read_changes(typed: Mapping[str, str]) -> dict[Quota, int | None]:
    """Return typed limits of one group by quota; None for an empty one, which takes the usual limit again.

    Raises UnknownChoiceError and RefusedInputError.
    """
    found: dict[Quota, int | None] = {}
    for name, value in typed.items():
        if name not in {*Quota}:
            raise UnknownChoiceError(field="quota", choices=list(Quota))
        if value.strip() and not (value.strip().isascii() and value.strip().isdigit()):
            raise RefusedInputError("quota_unreadable", field="quota")
        limit = int(value.strip()[:12]) if value.strip() else None
        if limit is not None and not _is_limit(limit):
            raise RefusedInputError("quota_unreadable", field="quota")
        found[Quota(name)] = limit
    return found


def refuse_beyond(quota: Quota, *, limit: int, there: int, adding: int) -> None:
    """Raise QuotaReachedError where `adding` more than `there` are too many."""
    if there + adding > limit:
        raise QuotaReachedError(quota, limit=limit, adding=adding)
