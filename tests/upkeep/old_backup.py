"""Makes tests/data/backup_of_0004.kigen: `python -m tests.upkeep.old_backup`. Everybody in it is invented."""

import tempfile
from datetime import date
from pathlib import Path

from alembic import command

from reminder.storage.db import schema
from reminder.storage.db.session import Database
from reminder.upkeep import backup
from tests.village import open_village

FILE = Path(__file__).parents[1] / "data" / "backup_of_0004.kigen"
VERSION = "0004"
# It opens that file and no other.
KEY = b"k" * 32


def make(file: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/kigen.db"
        with open_village(url, Path(folder), "2026-12-01 08:00") as village:
            village.member("娘", "musume@example.jp")
            village.person("母", phone="090-0000-0001")
            village.card("母", date(2027, 3, 31))
            village.run_until("2027-01-20 00:00")
            schema.move(village.app.database, command.downgrade, VERSION)
            database = Database(url)
            backup.make(database, village.app.keys, KEY, file, village.now)
            database.close()


if __name__ == "__main__":
    make(FILE)
