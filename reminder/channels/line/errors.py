"""The meaning of LINE's refusals after a message has failed: the client's error already held it."""

from reminder.domain.model.channels import Fault, ProviderError

# The token, the plan, the address that is called, and the month's messages that are used up.
_OF_ACCOUNT = frozenset({"401", "403", "404", "token", "monthly_limit"})


def read_error(reason: str | None) -> ProviderError:
    """Return the meaning of the HTTP status, or of the word, stored with a message. LINE sends no receipts."""
    return ProviderError(Fault.ACCOUNT if reason in _OF_ACCOUNT else Fault.RETRY)
