"""The quality checks flag bad prose and are not fooled by what is no prose."""

from __future__ import annotations

import json

import pytest

from forgelm.data_audit import audit_dataset

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
    ],
    ids=[
        *("prose", "fence", "open fence", "indented code", "table", "list", "headings"),
        *("Chinese", "Japanese", "Thai", "Arabic", "Hebrew", "Hindi", "short answer"),
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
