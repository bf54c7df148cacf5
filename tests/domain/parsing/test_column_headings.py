"""What stands over a column says what is in it, however it is written, in one row or in two."""

import json
from pathlib import Path

import pytest

from reminder.domain.model.imports import ColumnUse
from tests.rules import HEADINGS

MATCHING = json.loads((Path(__file__).parents[2] / "data" / "header_matching.json").read_text(encoding="utf-8"))
# What a home's sheet calls the fields of the examples; names in two parts are not taken.
TAKEN = {
    "phone number": "phone",
    "email address": "family_email",
    "電話番号": "phone",
    "メールアドレス": "family_email",
    "氏名": "name",
}
OWN_NUMBERS = {"携帯電話番号": "mobile", "携帯番号": "mobile"}


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        pytest.param(heading, OWN_NUMBERS.get(heading, TAKEN[example["canonical"]]), id=heading)
        for example in MATCHING
        if example["canonical"] in TAKEN
        for heading in [*example["must_match"], *example.get("alias_should_match", [])]
    ],
)
def test_a_heading_means_the_same_in_any_spelling(heading: str, field: str) -> None:
    meaning = HEADINGS.meaning(heading)

    assert (meaning.use, meaning.field) == (ColumnUse.MAPPED, field)


@pytest.mark.parametrize(
    "heading",
    [
        *(one for example in MATCHING if example["canonical"] == "有効期限" for one in example["must_match"]),
        *(one for example in MATCHING if example["canonical"] == "有効期限" for one in example["alias_should_match"]),
        "期日", "終了日", "有効期間", "満了", "次回更新日", "expiry", "Expiry Date", "expires", "valid until", "契約満了日", "健康保険証/有効期限",
        "マイナ保険証期限", "マイナンバー期限", "マイナンバー/有効期限", "個人番号 有効期限", "要介護認定の有効期間", "介護保険証・資格確認書 有効期限",
        "マイナンバーカード・電子証明書期限",
    ],
)  # fmt: skip
def test_an_end_that_names_no_card_or_more_than_one_is_never_taken_for_one(heading: str) -> None:
    meaning = HEADINGS.meaning(heading)

    assert (meaning.use, meaning.field, meaning.is_end) == (ColumnUse.UNKNOWN, "", True)


@pytest.mark.parametrize("heading", [word for example in MATCHING for word in example.get("must_not_match", [])])
def test_what_is_nearly_a_heading_is_not_taken_for_it(heading: str) -> None:
    assert HEADINGS.meaning(heading).use is not ColumnUse.MAPPED


@pytest.mark.parametrize(
    ("heading", "field"),
    [
        ("My Number Card expiry", "card:mynumber_card"),
        ("個人番号カード 有効期限", "card:mynumber_card"),
        ("ﾏｲﾅﾝﾊﾞｰｶｰﾄﾞ期限", "card:mynumber_card"),
        ("マイナンバーカード/有効期限", "card:mynumber_card"),
        ("マイナンバーカード/電子証明書期限", "card:mynumber_user_certificate"),
        ("医療/資格確認書 期限", "card:shikaku_kakuninsho_75plus"),
        ("資格確認書の有効期間満了年月日", "card:shikaku_kakuninsho_75plus"),
        ("介護保険/認定期限", "card:care_certification"),
        ("介護保険負担割合証の有効期限", "card:care_burden_ratio"),
        ("介護保険負担限度額認定証 有効期限", "card:care_burden_limit"),
        ("マイナンバーカードの電子証明書の有効期限", "card:mynumber_user_certificate"),
        ("署名用電子証明書の満了日", "card:mynumber_signature_certificate"),
        ("療育手帳 期限", "card:rehabilitation_handbook"),
        ("認定有効期間/終了", "card:care_certification"),
        ("要介護認定/有効期限", "card:care_certification"),
        ("在留カード/有効期限", "card:residence_card"),
        ("運転免許証/有効期限", "card:driving_licence"),
        ("家族/電話", "family_mobile"),
        ("身元引受人/電話番号", "family_mobile"),
        ("緊急連絡先1/電話", "family_mobile"),
        ("家族/メール", "family_email"),
        ("本人/氏名", "name"),
        ("本人/携帯", "mobile"),
        ("居室番号", "room"),
        ("施設の管理番号", "reference"),
    ],
)
def test_headings_of_homes_are_understood_also_below_another(heading: str, field: str) -> None:
    assert HEADINGS.meaning(heading).field == field


@pytest.mark.parametrize(
    "heading",
    [
        "個人番号", "ﾏｲﾅﾝﾊﾞｰ", "マイナンバーカード番号", "マイナンバーカード/番号", "マイナンバーカード/暗証番号", "MyNumber",
        "被保険者番号", "介護保険/番号", "健康保険証/記号", "記号・番号", "年金手帳/番号", "運転免許証/番号", "在留カード/No.",
        "受給者証番号", "公費負担者番号", "資格確認書/番号", "card number", "licence no", "ＰＩＮ", "PINコード", "パスワード",
        "口座番号", "通帳", "住民票コード", "備考（マイナンバー等）", "1234 5678 9018",
    ],
)  # fmt: skip
def test_a_column_of_numbers_is_never_read(heading: str) -> None:
    assert HEADINGS.meaning(heading).use is ColumnUse.REFUSED


@pytest.mark.parametrize(
    "heading",
    [
        "かかりつけ医/電話", "主治医 電話番号", "健康保険証/有効期限", "介護保険/認定有効期間", "保証人 氏名", "緊急連絡先2",
        "入居日", "退所日", "マイナンバーカードの有無", "shipping", "記号",
    ],
)  # fmt: skip
def test_what_may_mean_somebody_or_something_else_is_left_to_be_said(heading: str) -> None:
    assert HEADINGS.meaning(heading).use is ColumnUse.UNKNOWN


@pytest.mark.parametrize(
    "heading", ["年齢", "要介護度", "郵便番号", "利用者番号", "生年月日", "備考1", "家族/氏名", "認定有効期間/開始"]
)
def test_what_nobody_needs_is_forgotten(heading: str) -> None:
    assert HEADINGS.meaning(heading).use is ColumnUse.DISCARDED
