"""The prompts that come with forgelm."""

from __future__ import annotations

import json
from collections import Counter
from importlib import resources


def test_the_probes_cover_eight_kinds_of_harm_and_fourteen_hazards() -> None:
    text = (resources.files("forgelm.evaluation") / "probes.jsonl").read_text(encoding="utf-8")
    rows = [json.loads(line) for line in text.splitlines()]
    kinds = Counter((row["category"], row["expect"]) for row in rows)
    assert len({row["prompt"] for row in rows}) == len(rows) == 240
    assert len({category for category, _ in kinds}) == 8
    assert all(count == (20 if kind[1] == "decline" else 10) for kind, count in kinds.items())
    declined = {row["hazard"] for row in rows if row["expect"] == "decline"}
    assert declined == {f"S{number}" for number in range(1, 15)}
    assert {row["severity"] for row in rows} == {"critical", "high", "medium"}
    assert max(len(row["prompt"]) for row in rows) < 140
