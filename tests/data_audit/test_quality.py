"""The quality checks flag bad prose and are not fooled by what is no prose."""

from __future__ import annotations

import json

import pytest

from forgelm.data_audit import audit_dataset, list_quality_checks, quality_flags

PROSE = (
    "The parcel left our warehouse on Monday.\n"
    "It should reach you within three working days.\n\n"
    "Please write to us when it has not come by then, and we will look into it."
)


def flags_of(tmp_path, text):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": text}), encoding="utf-8")
    report = audit_dataset(path, enable_quality_filter=True)
    return set(report.splits["train"]["quality_flags_counts"])


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("low_alpha_ratio", "Total: 100 + 250 = 350, 12 % of 2916.67 is 350.0004 (see 7.2.1)."),
        ("low_punct_endings", "one two three four\nfive six seven eight\nit ends well, this line."),
        ("abnormal_mean_word_length", "it is so as we do as he is at it or so we go on up."),
        ("abnormal_mean_word_length", "Donaudampfschifffahrtsgesellschaft Kapitaenspatentinhaber."),
        ("short_paragraphs", "Hello.\n\nYes.\n\nNo way.\n\nThis one has some more words in it."),
        ("repeated_lines", "Buy now and save.\n" * 5 + PROSE),
    ],
)
def test_each_check_flags_what_it_is_for(tmp_path, check, text):
    assert check in flags_of(tmp_path, text)


@pytest.mark.parametrize(
    "text",
    [
        PROSE,
        PROSE + "\n\n```python\nx = {1: [2, 3]}\nx[1] += [4]\n```\n",
        PROSE + "\n\n~~~\nnever closed {}()[]\n1\n2\n3\n",
        PROSE + "\n\n    for (i = 0; i < 10; i++) { a[i] = 0; }\n    a[0] = 1;\n",
        PROSE + "\n\n| id | n |\n|---|---|\n| 1 | 2 |\n| 3 | 4 |\n",
        PROSE + "\n\n- milk\n- eggs\n* flour\n1. oven\n2. wait\n",
        PROSE + "\n\n## Terms\n\n> as quoted\n\n---\n",
        "我们的仓库星期一发出了包裹。\n三个工作日内送达。\n\n请在账户设置中取消订阅。",
        "弊社の倉庫から月曜日に発送しました。三営業日以内に届きます。",
        "พัสดุออกจากคลังสินค้าเมื่อวันจันทร์ และควรถึงภายในสามวันทำการ",
        "غادر الطرد مستودعنا يوم الاثنين. هل وصل إليك خلال ثلاثة أيام؟",
        "החבילה יצאה מהמחסן שלנו ביום שני ותגיע אליך בתוך שלושה ימים.",
        "पार्सल सोमवार को हमारे गोदाम से निकला और तीन दिनों में आप तक पहुँच जाना चाहिए।",
        "It works.",
        "我们的仓库星期一发出了包裹——三个工作日内送达。" * 3 + "\n- 牛奶\n- 鸡蛋\n",
        "غادر الطرد مستودعنا يوم الاثنين.\n\n| رقم | سعر |\n|---|---|\n| ١ | ٢ |\n",
        "Sözleşme 12.03.2024 tarihinde imzalandı ve taraflara “elden” teslim edildi…",
    ],
    ids=[
        *("prose", "fence", "open fence", "indented code", "table", "list", "headings"),
        *(
            "Chinese",
            "Japanese",
            "Thai",
            "Arabic",
            "Hebrew",
            "Hindi",
            "short answer",
            "Chinese list",
            "Arabic table",
            "Turkish",
        ),
    ],
)
def test_code_tables_lists_and_other_scripts_are_not_flagged(tmp_path, text):
    assert flags_of(tmp_path, text) == set()


def test_a_row_without_prose_is_not_judged(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "```\ncode only\n```"}), encoding="utf-8")

    report = audit_dataset(path, enable_quality_filter=True)

    assert report.quality_summary["samples_evaluated"] == 0
    assert report.quality_summary["overall_quality_score"] == 1.0


@pytest.mark.timeout(60)
@pytest.mark.parametrize("run", ["```\n", "~~~\n```\n", " ", "\n", "|", "- ", "a\n", "。"])
def test_a_megabyte_of_anything_is_judged_in_linear_time(tmp_path, run):
    flags_of(tmp_path, run * (1_000_000 // len(run)))


LONG = " ".join(
    f"The parcel number {word} left our warehouse on {day} and it should reach you in {n} days."
    for n, (word, day) in enumerate(
        zip(
            ("apple", "birch", "cedar", "dogwood", "elm"),
            ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday"),
            strict=True,
        ),
        3,
    )
)
AD = "Buy now in any of our shops, in town or out of town."
VARIED = (
    "Our oldest warehouse stands by the river, where barges used to bring timber from the north. "
    "Nobody remembers who built it. In winter the water freezes and the loading dock is closed. "
    "When spring comes, a small crew repairs the roof and paints the doors green again. Visitors "
    "may walk in without a ticket, but they must not climb the crane. Its chain is very old."
)


@pytest.mark.parametrize(
    ("check", "text"),
    [
        ("gopher_word_count", "Only a few words are in here."),
        ("gopher_mean_word_length", "Internationalisierung Bundesverfassungsgericht der Rechte."),
        ("gopher_symbol_ratio", "so # one # two # three and so on ... and so on ... to the end."),
        ("gopher_bullet_lines", "\n".join(["The list:"] + ["- an item of it"] * 20)),
        ("gopher_ellipsis_lines", "It goes on and on...\nIt never ends…\nOr does it?"),
        ("gopher_alphabetic_words", "The sum of 1 2 3 4 5 6 7 8 is 36."),
        ("gopher_stop_words", "Parcel refund invoice router password account."),
        ("gopher_duplicate_lines", "Buy now and save.\n" * 3 + "Or do it later."),
        ("gopher_duplicate_paragraphs", "Buy now and save.\n\n" * 3 + "Or do it later."),
        ("gopher_top_ngrams", "buy now " * 10 + "or do it later."),
        ("gopher_duplicate_ngrams", LONG + " " + LONG),
        ("c4_few_sentences", "One sentence. And two."),
        ("c4_curly_bracket", "if (a) { return b; } is what it says."),
        ("c4_boilerplate", "Lorem ipsum dolor sit amet."),
        ("c4_boilerplate", "Please enable JavaScript to go on."),
        ("fineweb_line_punctuation", "Home page of ours\nAbout us and them\nContact the shop"),
        ("fineweb_duplicate_line_chars", f"{AD}\n{AD}\n{VARIED}"),
        ("fineweb_short_lines", "A short line.\nAnother one.\nAnd a third."),
    ],
)
def test_each_check_of_the_papers_flags_what_it_is_for(check, text):
    assert [flag.check for flag in quality_flags(text, [check])] == [check]
    assert check not in [flag.check for flag in quality_flags(VARIED, "all")]


def test_good_prose_passes_every_check():
    assert quality_flags(VARIED, "all") == []


@pytest.mark.parametrize(
    "text",
    [
        "我们的仓库星期一发出了包裹。三个工作日内送达。请在账户设置中取消订阅。",
        "弊社の倉庫から月曜日に発送しました。三営業日以内に届きます。ありがとうございます。",
        "غادر الطرد مستودعنا يوم الاثنين. هل وصل إليك خلال ثلاثة أيام من الآن؟ شكرا.",
    ],
    ids=["Chinese", "Japanese", "Arabic"],
)
def test_other_scripts_pass_the_checks_that_do_not_count_words(text):
    flags = {flag.check for flag in quality_flags(text, "all")}

    assert flags <= {"gopher_word_count", "gopher_stop_words"}


def test_a_flag_says_its_reason_in_figures():
    assert quality_flags("Total: 100 + 250 = 350.") == [
        ("low_alpha_ratio", "28 % of the visible characters are letters, under 70 %")
    ]


def test_every_check_is_listed_with_its_meaning_and_its_paper():
    checks = list_quality_checks()

    assert [check.name for check in checks if check.group == "default"] == [
        "low_alpha_ratio",
        "low_punct_endings",
        "abnormal_mean_word_length",
        "short_paragraphs",
        "repeated_lines",
    ]
    assert {check.group for check in checks} == {"default", "gopher", "c4", "fineweb"}
    assert all(check.meaning.endswith(".") for check in checks)
    assert all(check.source for check in checks if check.group != "default")


def test_an_audit_counts_the_checks_that_were_asked_for_by_name(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"text": "1 + 1 = 2. It is so."}), encoding="utf-8")

    report = audit_dataset(path, enable_quality_filter=True, quality_checks=["c4", "gopher"])

    assert report.quality_summary["by_check"] == {
        "gopher_word_count": 1,
        "gopher_mean_word_length": 1,
        "gopher_alphabetic_words": 1,
        "c4_few_sentences": 1,
    }


def test_an_unknown_check_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"quality_checks has 'gofer'; choose from: default"):
        audit_dataset(tmp_path, enable_quality_filter=True, quality_checks="gofer")


@pytest.mark.parametrize("value", [None, 7, b"text", ""])
def test_what_has_no_prose_fails_no_check(value):
    assert quality_flags(value, "all") == []


@pytest.mark.timeout(60)
@pytest.mark.parametrize("run", ["a ", "a b c d e ", "é ", "。", "...", "̀", "a.\n\n"])
def test_all_checks_judge_a_megabyte_in_linear_time(run):
    quality_flags(run * (1_000_000 // len(run)), "all")
