"""The guard: what is refused, as what, and what ordinary people write every day and must be let through.

Every number here is invented.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reminder.guard.numbers import LooksLike, forbidden, forbidden_at_length

L = LooksLike

REFUSED = [
    ("123456789018", L.MY_NUMBER, "twelve digits with the My Number's check digit"),
    ("123456789012", L.LONG_NUMBER, "a wrong check digit is a mistyped number, and still a number"),
    ("1234 5678 9018", L.MY_NUMBER, "as it is printed"),
    ("1234-5678-9018", L.MY_NUMBER, "hyphens"),
    ("1234−5678−9018", L.MY_NUMBER, "minus signs"),
    ("1234ー5678ー9018", L.MY_NUMBER, "the long-vowel mark, typed for a hyphen"),
    ("1234・5678・9018", L.MY_NUMBER, "middle dots"),
    ("1234/5678/9018", L.MY_NUMBER, "slashes"),
    ("1234.5678.9018", L.MY_NUMBER, "dots"),
    ("1234,5678,9018", L.MY_NUMBER, "commas"),
    ("1234_5678_9018", L.MY_NUMBER, "underscores"),
    ("1234の5678の9018", L.MY_NUMBER, "as it is dictated"),
    ("1234と5678と9018", L.MY_NUMBER, "as it is dictated, otherwise"),
    ("1234😀5678😀9018", L.MY_NUMBER, "pictures between"),
    ("1234\t5678\n9018", L.MY_NUMBER, "tabs and line breaks"),
    ("1\n2\n3\n4\n5\n6\n7\n8\n9\n0\n1\n8", L.MY_NUMBER, "one digit a line"),
    ("1 2 3 4 5 6 7 8 9 0 1 8", L.MY_NUMBER, "spaced out"),
    ("12\u200b34\u200d5678\ufeff9018", L.MY_NUMBER, "zero-width characters"),
    ("1234\u00ad5678\u00ad9018", L.MY_NUMBER, "soft hyphens"),
    ("\u202e1234 5678 9018\u202c", L.MY_NUMBER, "written backwards for the eye"),
    ("１２３４５６７８９０１８", L.MY_NUMBER, "full width"),
    ("１２３４－５６７８－９０１８", L.MY_NUMBER, "full width with hyphens"),
    ("①②③④⑤⑥⑦⑧⑨⓪①⑧", L.MY_NUMBER, "circled"),
    ("❶❷❸❹❺❻❼❽❾⓿❶❽", L.MY_NUMBER, "white on black circles"),
    ("⑴⑵⑶⑷⑸⑹⑺⑻⑼⑴⑵⑶", L.MY_NUMBER, "in brackets"),
    ("⒈⒉⒊⒋⒌⒍⒎⒏⒐⒈⒉⒊", L.MY_NUMBER, "with full stops"),
    ("¹²³⁴⁵⁶⁷⁸⁹⁰¹⁸", L.MY_NUMBER, "raised"),
    ("₁₂₃₄₅₆₇₈₉₀₁₈", L.MY_NUMBER, "lowered"),
    ("𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗𝟎𝟏𝟖", L.MY_NUMBER, "mathematical"),
    ("🄁🄂🄃🄄🄅🄆🄇🄈🄉🄁🄂🄃", L.LONG_NUMBER, "with commas in one sign"),
    ("1️⃣2️⃣3️⃣4️⃣5️⃣6️⃣7️⃣8️⃣9️⃣0️⃣1️⃣8️⃣", L.MY_NUMBER, "keys of a telephone"),
    ("٠١٢٣٤٥٦٧٨٩٠١", L.LONG_NUMBER, "Arabic"),
    ("०१२३४५६७८९०१", L.LONG_NUMBER, "Devanagari"),
    ("一二三四五六七八九〇一八", L.MY_NUMBER, "kanji"),
    ("壱弐参四五六七八九零壱八", L.MY_NUMBER, "kanji of deeds"),
    ("一二三四 五六七八 九〇一八", L.MY_NUMBER, "kanji in fours"),
    ("一2三4五6七8九0一8", L.MY_NUMBER, "kanji and digits mixed"),
    ("1２③四5６⑦八9０①八", L.MY_NUMBER, "everything mixed"),
    ("1234 5678 9O18", L.MY_NUMBER, "the letter O for nought"),
    ("l234 5678 9OI8", L.MY_NUMBER, "l and I for one"),
    ("1a2b3c4d5e6f7g8h9i0j1k8", L.MY_NUMBER, "letters between"),
    ("１あ２い３う４え５お６か７き８く９け０こ１さ８", L.MY_NUMBER, "kana between"),
    ("&#49;&#50;&#51;&#52; 5678 9018", L.MY_NUMBER, "HTML's way"),
    ("%31%32%33%34%35%36789018", L.MY_NUMBER, "an address's way"),
    ("\\u0031\\u0032\\u0033\\u0034\\u0035\\u0036789018", L.MY_NUMBER, "a program's way"),
    (repr("１２３４５６７８９０１８".encode()), L.MY_NUMBER, "full-width bytes, a program's way"),
    ("https://example.jp/?n=123456789018", L.MY_NUMBER, "in an address"),
    ("123456789018@example.jp", L.MY_NUMBER, "as a mail name"),
    ("123456789018.xlsx", L.MY_NUMBER, "as a file name"),
    ("母の番号は123456789018です", L.MY_NUMBER, "in a sentence"),
    ("ﾏｲﾅﾝﾊﾞｰ 1234 5678 9018 暗証1234", L.PASSCODE, "half-width kana, with its passcode"),
    ("12345678901234", L.LONG_NUMBER, "fourteen digits"),
    ("202603310900", L.LONG_NUMBER, "a time stamp without marks cannot be told from a number"),
    ("2026 03 31 1234", L.LONG_NUMBER, "a date's shape with something after it"),
    ("2026-03-31 1234", L.LONG_NUMBER, "a date does not shield what follows"),
    ("090-0000-0001 1234", L.LONG_NUMBER, "nor does a phone"),
    ("100-0001 12345", L.LONG_NUMBER, "nor does a postcode"),
    ("090-0000-00011", L.LONG_NUMBER, "a phone with one digit too many"),
    ("1234-5678-901-8", L.MY_NUMBER, "hyphens elsewhere"),
    ("2026-03-31-090-0000-0001-9", L.LONG_NUMBER, "and a last digit left over"),
    ("012345678901", L.LONG_NUMBER, "a licence begins with a commission's number"),
    ("30-12-345678-90", L.LONG_NUMBER, "a licence in its parts"),
    ("7000012050002", L.CORPORATE_NUMBER, "thirteen digits of a company, public and not ours either"),
    ("12345678901234567890123", L.APPLICATION_ID, "the id on the letter"),
    ("AB12345678CD", L.RESIDENCE_CARD_NUMBER, "a residence card"),
    ("ab12345678cd", L.RESIDENCE_CARD_NUMBER, "in small letters"),
    ("ＡＢ１２３４５６７８ＣＤ", L.RESIDENCE_CARD_NUMBER, "full width"),
    ("AB 1234 5678 CD", L.RESIDENCE_CARD_NUMBER, "spaced"),
    ("AB-12345678-CD", L.RESIDENCE_CARD_NUMBER, "hyphenated"),
    ("TR1234567", L.PASSPORT_NUMBER, "a passport"),
    ("ＴＲ１２３４５６７", L.PASSPORT_NUMBER, "full width"),
    ("TR 1234567", L.PASSPORT_NUMBER, "spaced"),
    ("P<JPNYAMADA<<HANAKO<<<<<<<<", L.MACHINE_READABLE_ZONE, "a passport's lower lines"),
    ("33120015", L.INSURANCE_NUMBER, "an insurer's number"),
    ("3312 0015", L.INSURANCE_NUMBER, "spaced"),
    ("0012345678", L.LONG_DIGITS, "ten digits that are no telephone number: a care-insurance number looks the same"),
    ("被保険者番号 0312345678", L.INSURANCE_NUMBER, "its name says that it is no telephone number"),
    ("被保険者番号 123456", L.INSURANCE_NUMBER, "six digits with their name"),
    ("123456", L.LONG_DIGITS, "six digits that nothing explains"),
    ("1234567", L.LONG_DIGITS, "seven"),
    ("080331", L.LONG_DIGITS, "a date without marks and without a century"),
    ("20261331", L.INSURANCE_NUMBER, "a thirteenth month is no date"),
    ("暗証番号 1234", L.PASSCODE, "a passcode"),
    ("暗証番号は１２３４です", L.PASSCODE, "full width"),
    ("暗証番号：「１２３４」", L.PASSCODE, "in quotes"),
    ("暗証1234", L.PASSCODE, "in short"),
    ("1234が暗証番号", L.PASSCODE, "the other way round"),
    ("パスワードはabc123", L.PASSCODE, "letters and digits"),
    ("ﾊﾟｽﾜｰﾄﾞ ABC123", L.PASSCODE, "half-width kana"),
    ("PIN:1234", L.PASSCODE, "in English"),
    ("pin code 1-2-3-4", L.PASSCODE, "spelled out"),
    ("ＰＩＮ　１２３４", L.PASSCODE, "full width"),
    ("password = hana1234", L.PASSCODE, "as in a file"),
    ("パスコード1 2 3 4", L.PASSCODE, "spaced"),
    ("暗証番号 一二三四", L.PASSCODE, "in kanji"),
    ("4938とか2716とか0454", L.MY_NUMBER, "groups joined by words"),
    ("よんきゅうさんはち にーななーいちろく ぜろよんごーよん", L.MY_NUMBER, "in kana"),
    ("四千九百三十八の二千七百十六の四百五十四", L.MY_NUMBER, "as numbers are read aloud"),
    ("four nine three eight two seven one six zero four five four", L.MY_NUMBER, "in English"),
    ("記号 1234 番号 567", L.INSURANCE_NUMBER, "an insured person's symbol and number"),
]

LET_THROUGH = [
    ("0312345678", "a telephone number without hyphens"),
    ("09000000001", "a practice phone without hyphens"),
    ("2026-0012", "a receipt"),
    ("128,000円", "an amount"),
    ("霞が関2-1-3 501号室", "an address"),
    ("1・2・3・4・5・6班", "a list of classes"),
    ("", "nothing"),
    ("母", "a label"),
    ("花子さん", "a name"),
    ("203号室 佐藤ハ", "a room and a name"),
    ("３０５", "a room in full width"),
    ("五十嵐 一二三", "a name of numbers"),
    ("三四郎", "another"),
    ("二〇二六年", "a year in kanji"),
    ("十二月二十三日", "a day in kanji"),
    ("一、二、三、四、五", "a list"),
    ("R10.1.26", "a short date"),
    ("令和8年3月31日", "a date"),
    ("2026年3月31日", "a date"),
    ("2026-03-31", "a date"),
    ("2026/3/31", "a date"),
    ("20260331", "a date of eight digits"),
    ("２０２６．３．３１", "a date in full width"),
    ("平成39年2月1日", "an old card's date"),
    ("2026年(令和08年)3月31日", "both calendars"),
    ("2027年2月20日（令和9年2月20日）", "both calendars, as we show it"),
    ("2026/3/31～2027/3/31", "from and to"),
    ("2026-03-31 09:00:00", "a spreadsheet's midnight"),
    ("2026年3月31日10時30分15秒", "to the second"),
    ("090-0000-0001", "a practice phone"),
    ("03-3500-0001", "a landline"),
    ("０９０－００００－０００１", "a phone in full width"),
    ("+81 90-0000-0001", "a phone from abroad"),
    ("0120-444-444", "a free number"),
    ("携帯 090-0000-0001、自宅 03-3500-0001", "two phones and words"),
    ("2026-03-31 090-0000-0001", "a date beside a phone accounts for every digit"),
    ("〒100-0001", "a postcode"),
    ("100-0001 東京都", "a postcode without its mark"),
    ("10,000円", "a price"),
    ("第12回 3名", "counts"),
    ("12345", "five digits are too few"),
    ("暗証番号はおたずねしません", "what our own texts say"),
    ("暗証番号を3回まちがえると使えません", "what a city's page says"),
    ("PINは聞きません。2027年3月31日まで", "a passcode word beside a date"),
    ("We never ask for a PIN, your My Number, a bank account or money.", "in English"),
    ("pineapple 1234", "a word that begins like one"),
    ("【期限だより・つばめ】母さん、マイナンバーカードの更新は3月31日（火）までです。", "a text of ours"),
    ("マイナンバーカードの更新 3月31日（火）、署名用 4月7日（水）、ほか2件", "several cards"),
    ("Kigen Dayori: Certificates in your My Number Card expire Wed 31 Mar 2027.", "an English text of ours"),
]


@pytest.mark.parametrize(("text", "looks_like", "why"), REFUSED)
def test_numbers_and_passcodes_are_recognised_in_every_disguise(
    text: str, looks_like: LooksLike | None, why: str
) -> None:
    assert forbidden(text) == looks_like, why


@pytest.mark.parametrize(("text", "why"), LET_THROUGH)
def test_what_people_ordinarily_write_is_let_through(text: str, why: str) -> None:
    assert forbidden(text) is None, why


ALPHABETS = (
    "0123456789", "０１２３４５６７８９", "⓪①②③④⑤⑥⑦⑧⑨", "〇一二三四五六七八九", "٠١٢٣٤٥٦٧٨٩", "०१२३४५६७८९", "𝟎𝟏𝟐𝟑𝟒𝟓𝟔𝟕𝟖𝟗", "⁰¹²³⁴⁵⁶⁷⁸⁹",
)  # fmt: skip
BETWEEN = st.sampled_from(
    ["", "", "", " ", "　", "-", "－", "ー", "・", ".", "/", "の", "\u200b", "\u2060", "\n", "_", "—", "😀"]
)
WORDS = st.sampled_from(["", "母の番号は ", "です", "number: ", "（", "）", "備考：", "https://example.jp/?n="])


@given(
    digits=st.lists(st.tuples(st.integers(0, 9), st.sampled_from(ALPHABETS), BETWEEN), min_size=12, max_size=16),
    before=WORDS,
    after=WORDS,
)
@settings(max_examples=400, deadline=None)
def test_no_twelve_digits_get_through_whatever_their_alphabet_and_what_stands_between(
    digits: list[tuple[int, str, str]], before: str, after: str
) -> None:
    hidden = "".join(alphabet[digit] + between for digit, alphabet, between in digits)

    assert forbidden(before + hidden + after) is not None


@given(st.dates(), st.sampled_from(["%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y年%m月%d日", "%Y%m%d"]))
@settings(max_examples=200, deadline=None)
def test_dates_of_living_people_and_their_cards_are_let_through(day, form: str) -> None:  # type: ignore[no-untyped-def]
    day = day.replace(year=1900 + day.year % 200)

    assert forbidden(day.strftime(form)) is None


CELLS = st.text(
    alphabet="0123456789０９②一二〇十百万 　-－/.,、・:年月日令平昭RHSr暗証番号パスワードPINpin花子室階A&%\\<#;ーのと",
    max_size=24,
)


@given(st.one_of(CELLS, st.text(max_size=24), st.sampled_from([text for text, *_ in REFUSED])))
@settings(max_examples=1500, deadline=None)
def test_the_short_ways_through_the_guard_come_to_the_same_as_the_long_one(text: str) -> None:
    assert forbidden(text) == forbidden_at_length(text)


@given(st.text(max_size=300))
@settings(max_examples=300, deadline=None)
def test_no_text_breaks_the_guard(text: str) -> None:
    assert forbidden(text) in (None, *LooksLike)


def test_a_text_that_no_field_could_hold_is_not_read() -> None:
    assert forbidden("母" * 1000) is None
    assert forbidden("母" * 1001) == LooksLike.TOO_LONG
    assert forbidden("1-O" * 20_000 + "z") == LooksLike.TOO_LONG
