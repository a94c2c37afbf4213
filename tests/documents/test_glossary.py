"""The glossary says of a term what the pages of runs say."""

import re
from pathlib import Path

import pytest

from launch.page.terms import SURFACE_TERMS, TERMS

DOCS = Path(__file__).parents[2] / "docs"
_, RUN, SURFACES, ELSEWHERE = re.split(r"^## .*\n", (DOCS / "glossary.md").read_text(), flags=re.M)


def rows(section: str) -> list[tuple[str, str]]:
    """(term, explanation) of each row of a table."""
    return re.findall(r"^\| (.+?) \| (.+) \|$", section, re.M)


@pytest.mark.parametrize("section, terms", [(RUN, TERMS), (SURFACES, SURFACE_TERMS)], ids=["run", "surfaces"])
def test_the_terms_of_pages_are_there_in_the_same_words_and_order(section, terms):
    assert rows(section)[1:] == list(terms.items())


def test_other_terms_stand_in_order_each_once_in_one_sentence():
    terms = rows(ELSEWHERE)[1:]
    names = [term for term, _ in terms]
    assert len(terms) > 20 and names == sorted(names, key=str.casefold) and not set(names) & set(TERMS)
    for term, text in terms:
        assert text.endswith(".") and ". " not in text, term


@pytest.mark.parametrize("page", [DOCS.parent / "README.md", *sorted((DOCS / "guides").glob("*.md"))])
def test_the_readme_and_the_guides_lead_to_it(page):
    assert "glossary.md)" in page.read_text()
