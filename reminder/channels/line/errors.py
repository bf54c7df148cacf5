"""The meaning of LINE's refusals after a message has failed: the client's error already held it."""

from reminder.domain.model.channels import Fault, ProviderError


def read_error(reason: str | None) -> ProviderError:
    """Return the meaning of the HTTP status stored with a message. LINE sends no receipts."""
    del reason
    return ProviderError(Fault.RETRY)
