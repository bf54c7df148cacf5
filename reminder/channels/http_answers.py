"""What the status of an HTTP answer proves of a request that makes something: that it was not done, or nothing."""

# Answers that are given before a request is worked on: it is malformed, not allowed, too long, too early or misdirected
# (RFC 9110, RFC 6585, RFC 7725, RFC 8470). Each other one may come from a proxy that has passed the request on and then
# did not wait for, or did not like, what came back: 408 and 499 (time is up), 424 (what it depends on has failed), 460
# (a load balancer), and all that no register knows.
_BEFORE_WORK = frozenset(
    {
        *(301, 302, 307, 308),  # the address is another one, or a portal stands before it: nothing was followed
        *(400, 401, 402, 403, 404, 405, 407, 410, 411, 412, 413, 414, 415, 417),
        *(418, 421, 422, 425, 426, 428, 429, 431, 451),  # 418: from walls against robots
    }
)
# A provider that names its own reason has refused, except where it says that the time was up.
_NEVER_SURE = frozenset({408, 424, 499})


def is_certain_refusal(status: int, *, has_own_reason: bool = False) -> bool:
    """Return whether an answer with this status proves that nothing was done.

    `has_own_reason`: the provider's own code stands in the answer, so that no proxy has made it up.
    """
    if has_own_reason and 400 <= status < 500:
        return status not in _NEVER_SURE
    return status in _BEFORE_WORK
