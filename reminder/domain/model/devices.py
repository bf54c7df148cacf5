"""What the owner of a browser calls it: the machine and the browser, from a closed list of names."""

from collections.abc import Sequence

# What a user agent says, and the name.
_MACHINES: Sequence[tuple[str, str]] = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "Mac"),
    ("CrOS", "Chromebook"),
    ("Linux", "Linux"),
)
_BROWSERS: Sequence[tuple[str, str]] = (
    ("Edg", "Edge"),
    ("Firefox", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_BETWEEN = "・"
_NAMES = frozenset(name for _, name in (*_MACHINES, *_BROWSERS))


def device_named(user_agent: str) -> str:
    """Return what its owner calls a browser with this user agent, "?" for one that is not known."""
    machine = next((name for mark, name in _MACHINES if mark in user_agent), "")
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    return _BETWEEN.join(part for part in (machine, browser) if part) or "?"


def is_known_device(device: str) -> bool:
    """Return whether this is such a name: nothing else may stand in a message."""
    return bool(device) and {*device.split(_BETWEEN)} <= _NAMES
