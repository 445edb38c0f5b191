"""What chapters have found: headlines, links, and the line on the front page."""

from types import SimpleNamespace

import pytest

from fedlib.evidence.found import Found, Headed
from fedlib.evidence.links import Link, Linked
from fedlib.evidence.pages import found as page_of_found


@pytest.fixture
def headed():
    return Headed("Krum & 75 % hold.", "It keeps ", Linked("75 %", [Link("75 %", "#cell")]), ".")


def test_a_finding_is_its_headline_and_what_follows(headed):
    assert headed == "Krum & 75 % hold. It keeps 75 %."
    assert (headed.head, headed.body) == ("Krum & 75 % hold.", "It keeps 75 %.")
    assert headed.links == (Link("75 %", "#cell"),)


def test_the_headline_is_bold_and_has_no_link(headed):
    html = Found((headed, "Plain."))._repr_html_()
    assert "<li><strong>Krum &amp; 75\u00a0% hold.</strong> It keeps " in html
    assert html.count("<a ") == 1 and '<a href="#cell">75\u00a0%</a>.</li>' in html
    assert "<li>Plain.</li>" in html
    assert repr(Found((headed,))) == f"What we found\n- {headed}"


def test_the_front_page_has_the_first_finding_folded_below_its_headline(headed, monkeypatch):
    sentences = (headed, "Another.")
    monkeypatch.setattr(page_of_found, "found_in", lambda slug, archive: Found(sentences))
    monkeypatch.setattr(page_of_found, "opened", lambda slug: None)
    monkeypatch.setattr(page_of_found, "load_grid", lambda slug: SimpleNamespace(name="A toy"))
    assert page_of_found.found(None, "toy") == (
        '```{raw} html\n<details class="fedlib-finding"><summary><span class="fedlib-of">A toy:'
        '</span> Krum &amp; 75\u00a0% hold.</summary><p>It keeps <a href="#cell">75\u00a0%</a>. '
        '<a href="../notebooks/toy.html">The chapter</a> says more.</p></details>\n```'
    )


def test_the_first_sentence_of_a_headline_stands_out():
    long = Headed("Krum has 7.5 % here (5 of 25). The median has more. So it wins.", "More.")
    assert long.first_and_rest == (
        "Krum has 7.5 % here (5 of 25).",
        "The median has more. So it wins.",
    )
    assert "</strong> The median has more. So it wins. More.</li>" in Found((long,))._repr_html_()
    summary = page_of_found.folded(long, "A toy", "a.html", "The chapter")
    assert '(5 of 25). <span class="fedlib-rest">The median has more. So it wins.</span>' in summary


def test_a_finding_without_a_headline_is_not_folded():
    said = "Krum's runs are not computed yet."
    assert page_of_found.folded(said, "Arena", "a.html", "The arena") == (
        '```{raw} html\n<p class="fedlib-finding"><span class="fedlib-of">Arena:</span> '
        "Krum\u2019s runs are not computed yet. "
        '<a href="a.html">The arena</a> says more.</p>\n```'
    )
