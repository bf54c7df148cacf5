"""Garbage collection: how often a process of ours looks for objects that refer to each other in circles."""

import gc

# By default it looks after every 700 new objects, and among all that there are. But the thousands of messages being
# sent, of cards of a page or of rows of an export are no garbage: that cost a seventh of the sending time, and more
# than half of the time of a large home's pages.
GARBAGE_AFTER = 10_000


def collect_less_often() -> None:
    """Look less often from now on, in the whole process, and pass over what exists now.

    Only what runs a process may call this, once more when it has loaded what it needs.
    """
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER, *gc.get_threshold()[1:])
