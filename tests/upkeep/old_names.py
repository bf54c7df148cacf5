"""What was called otherwise before migration 0010."""

from collections.abc import Mapping

# By a table's name at 0009, what it is called now.
TABLES: Mapping[str, str] = {
    "uploads": "imports",
    "upload_rows": "import_rows",
    "takings": "assignments",
    "paces": "rate_limits",
    "beats": "heartbeats",
    "tallies": "counters",
    "remembered": "service_state",
    "kept_answers": "idempotency_keys",
    "feeds": "calendar_feeds",
    "journal": "activity_log",
    "sign_ins": "login_codes",
}
