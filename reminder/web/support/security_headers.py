"""The headers that every answer has, also a refusal, a file, and an answer before the application is asked."""

from collections.abc import Mapping
from functools import lru_cache

from reminder.settings import Settings

# Powers that no page of ours uses; passkeys are used on our own pages only.
_UNUSED = (
    "accelerometer",
    "autoplay",
    "bluetooth",
    "camera",
    "display-capture",
    "encrypted-media",
    "fullscreen",
    "gamepad",
    "geolocation",
    "gyroscope",
    "hid",
    "idle-detection",
    "local-fonts",
    "magnetometer",
    "microphone",
    "midi",
    "payment",
    "picture-in-picture",
    "screen-wake-lock",
    "serial",
    "usb",
    "web-share",
    "xr-spatial-tracking",
)
_OUR_OWN = ("publickey-credentials-create", "publickey-credentials-get")

HEADERS: Mapping[str, str] = {
    # No framing, and nothing from other origins.
    "content-security-policy": "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    # Not "no-referrer": browsers would then send our own forms with an origin of "null".
    "referrer-policy": "same-origin",
    "permissions-policy": ", ".join([f"{name}=()" for name in _UNUSED] + [f"{name}=(self)" for name in _OUR_OWN]),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
# Two years, as the lists that browsers ship ask for; the names below ours are ours, too (ASVS 5.0, 3.4.1).
HSTS = {"strict-transport-security": "max-age=63072000; includeSubDomains"}


@lru_cache(maxsize=8)
def _headers(*, is_https: bool) -> Mapping[str, str]:
    return {**HEADERS, **(HSTS if is_https else {})}


def is_https(settings: Settings) -> bool:
    """Return whether the public address uses https."""
    return (settings.public_url or "").startswith("https:")


def headers_of(settings: Settings) -> Mapping[str, str]:
    """Return the headers: with https also the one that keeps browsers from ever using http."""
    return _headers(is_https=is_https(settings))
