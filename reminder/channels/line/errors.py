"""What LINE's refusals mean once a message has failed: the client has said so already, in its error."""

from reminder.domain.model.channels import Fault, ProviderError


def read_error(reason: str | None) -> ProviderError:
    """Return what the HTTP status that a message kept means. LINE sends no receipts, so nothing comes back later."""
    del reason
    return ProviderError(Fault.RETRY)
