"""The command line in a language that was added as files alone."""

import re
from pathlib import Path

from reminder.planning.preview import Sample
from tests import pseudo
from tests.cli.terminal import Terminal

SAMPLE = (Sample.label, Sample.mark, Sample.from_)


def test_a_preview_and_a_refusal_are_in_the_made_up_language(reminder: Terminal, tmp_path: Path) -> None:
    folder = pseudo.add_pseudo_language(tmp_path / "config")
    data = (*SAMPLE, *pseudo.quoted(folder))
    reminder.set(REMINDER_CONFIG=str(folder), LANG=f"{pseudo.CODE}_XX.UTF-8")

    planned = reminder.answer("preview", "mynumber_user_certificate", "2027-02-20", "--lang", pseudo.CODE)
    refused = reminder.refusal("preview", "no_such_kind", "2027-02-20")

    texts = [text for one in planned for text in (one["subject"] or "", one["text"])]
    assert len(texts) > 10
    assert [found for text in texts for found in pseudo.foreign(text, data=data)] == []
    assert re.search("[а-я]{4}", refused["message"])


def test_a_language_that_lacks_a_word_is_refused_with_its_file_and_key(reminder: Terminal, tmp_path: Path) -> None:
    folder = pseudo.add_pseudo_language(tmp_path / "config")
    reminder.set(REMINDER_CONFIG=str(folder))
    file = folder / "wording" / f"{pseudo.CODE}.toml"
    whole = file.read_text(encoding="utf-8")

    for left_out, named in (('html = "', "language.html"), ("call_suffix = ", "call_suffix")):
        file.write_text(re.sub(f"(?m)^{left_out}.*\n", "", whole), encoding="utf-8")
        # Each file is read once by one process.
        from reminder.settings import read_table

        read_table.cache_clear()
        refused = reminder.refusal("kinds")
        assert f"config/wording/{pseudo.CODE}.toml: {named}" in refused["message"]
    read_table.cache_clear()
