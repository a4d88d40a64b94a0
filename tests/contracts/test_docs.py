"""Docs follow the code: generated pages are up to date, links lead somewhere, decisions are numbered."""

import re
from pathlib import Path

import pytest

from tests.contracts.test_tidy import ROOT, project_files, report, source
from tools.docs import fields, pages

LINK = re.compile(r"\[[^\]]*\]\((?!https?:|mailto:|#)([^)#\s]+)")
DECISIONS = ROOT / "docs" / "why" / "decisions"


@pytest.mark.parametrize("file", pages(), ids=lambda file: str(file.relative_to(ROOT)))
def test_generated_pages_are_fresh(file: Path) -> None:
    assert file.is_file(), "missing: run make docs"
    assert file.read_text() == pages()[file], "out of date: run make docs"


def test_every_setting_is_described() -> None:
    report([name for name, _, _, description in fields() if not description.endswith(".")])


def test_env_example_names_every_setting_once() -> None:
    named = re.findall(r"^#?(CITYNET_\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert named == [name for name, *_ in fields()]


def test_links_lead_somewhere() -> None:
    found = [(f, link) for f in project_files() if f.suffix == ".md" for link in LINK.findall(source(f))]
    report([f"{f}: {link}" for f, link in found if not (ROOT / f.parent / link).exists()])


def test_a_number_is_one_decision() -> None:
    """Numbers may have gaps: they are given when a decision is begun."""
    names = sorted(f.name for f in DECISIONS.glob("[0-9]*.md"))
    numbers = [n[:4] for n in names]
    report([f"{n} is used twice" for n in {n for n in numbers if numbers.count(n) > 1}])
    report([n for n in names if not re.fullmatch(r"\d{4}-[a-z0-9-]+\.md", n)])


def test_every_decision_says_why_and_what_follows() -> None:
    texts = {f.name: f.read_text() for f in DECISIONS.glob("[0-9]*.md")}
    parts = ("## Why", "## Consequences")
    report([f"{name}: no '{part}'" for name, text in texts.items() for part in parts if part not in text])


def test_make_targets_are_explained() -> None:
    makefile = source(Path("Makefile"))
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets
    report([t for t in targets[1].split() if not re.search(rf"^{t}:.*##", makefile, re.MULTILINE)])
