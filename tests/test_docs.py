"""The documentation's links lead somewhere, and its reference names everything.  (`.ci/run` executes its code.)"""

import re
import sys
from pathlib import Path

import pytest

import glmbayes
from glmbayes.priors.sigma import SigmaPrior

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *ROOT.glob("*.md"),
    *(page for page in ROOT.glob("docs/**/*.md") if "_build" not in page.parts),
    *ROOT.glob("data/*.md"),
]
LINK = re.compile(r"\]\((?P<target>[^)\s#]+)[^)]*\)")
TOCTREE = re.compile(r"^```\{toctree\}\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


def links(page):
    """The files that a page links to, relative to it, but for the reference: Sphinx writes that when it builds."""
    text = page.read_text(encoding="utf-8")
    found = [target for target in LINK.findall(text) if "://" not in target]
    for tree in TOCTREE.finditer(text):
        lines = [line.strip() for line in tree["body"].splitlines()]
        found += [f"{line}.md" for line in lines if line and not line.startswith(":")]
    return [target for target in found if "api" not in Path(target).parts]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page):
    assert [target for target in links(page) if not (page.parent / target).exists()] == []


def test_every_page_can_be_reached():
    linked = {(page.parent / target).resolve() for page in PAGES for target in links(page)}
    entries = {ROOT / "README.md", ROOT / "docs" / "index.md"}
    assert {page.resolve() for page in PAGES} - linked - entries == set()


@pytest.fixture
def api_pages(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "docs" / "_ext")
    import api_pages

    yield api_pages
    sys.modules.pop("api_pages")


@pytest.mark.parametrize("module", [glmbayes, glmbayes.kernels, glmbayes.families], ids=lambda module: module.__name__)
def test_the_reference_has_every_public_name(api_pages, module):
    text = "\n".join(api_pages.pages().values())
    documented = set(re.findall(r"^\.\. auto(?:function|class|data):: (\S+)$", text, re.MULTILINE))
    modules = {"datasets", "families", "kernels", "priors"}  # have pages of their own, or repeat names
    assert {f"{module.__name__}.{name}" for name in module.__all__ if name not in modules} - documented == set()
    assert set(api_pages.PAGES) <= set(re.findall(r"^   (\w+)$", api_pages.pages()["index"], re.MULTILINE))


def test_a_new_public_name_finds_a_page(api_pages, monkeypatch):
    def surprise(a, b):
        """Something new."""

    class dSurprise(SigmaPrior):
        """A new prior."""

    new = {"surprise": surprise, "dSurprise": dSurprise, "SURPRISES": 7}
    for name, value in new.items():
        monkeypatch.setattr(glmbayes, name, value, raising=False)
    monkeypatch.setattr(glmbayes, "__all__", [*glmbayes.__all__, *new])
    found = api_pages.public()
    assert {"glmbayes.surprise", "glmbayes.SURPRISES"} <= set(found["more"])
    assert "glmbayes.dSurprise" in found["sd_priors"]
    assert ".. autodata:: glmbayes.SURPRISES" in api_pages.pages()["more"]
