"""What happens to an account or a group of which its owner is told by e-mail, in case it was somebody else."""

from enum import StrEnum

# Where an act was done, if not in a browser.
OPERATORS_TERMINAL = "terminal"


class AccountAct(StrEnum):
    """An act of which the owner of the account, or the owners of the group, are told."""

    NEW_DEVICE = "new_device"
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    TOKEN_MADE = "token_made"  # noqa: S105  # no secret: an act
    TOKEN_REVOKED = "token_revoked"  # noqa: S105  # no secret: an act
    CALENDAR_MADE = "calendar_made"
    EXPORTED = "exported"
    ROLE_CHANGED = "role_changed"
    MEMBER_ADDED = "member_added"
    MEMBER_REMOVED = "member_removed"
