"""Markdown becomes HTML in which nothing runs, whatever it says."""

from __future__ import annotations

import contextlib
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host_dashboard import rendering
from pipeline_host_dashboard.rendering import TooMuch, render

from .payloads import MARKUP

SAFE_TAGS = {
    *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s", "a", "span"),
    *("code", "pre", "blockquote", "ul", "ol", "li"),
    *("table", "thead", "tbody", "tr", "th", "td"),
}
SAFE_ATTRIBUTES = {"href", "title", "target", "rel", "start", "class"}


class Elements(HTMLParser):
    """Notes each element that a browser would make."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def assert_harmless(html: str) -> None:
    for tag, attributes in Elements(html).found:
        assert tag in SAFE_TAGS
        assert set(attributes) <= SAFE_ATTRIBUTES
        if "href" in attributes:
            assert re.match(r"(https?://|mailto:)", attributes["href"] or "", re.IGNORECASE)
            assert attributes["rel"] == "noopener noreferrer nofollow"
        for name in (attributes.get("class") or "").split():
            assert name.startswith(("tok-", "align-"))


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("# A *b* `c`", "<h1>A <em>b</em> <code>c</code></h1>"),
        ("one\ntwo", "<p>one<br>\ntwo</p>"),
        ("one\r\ntwo\rthree", "<p>one<br>\ntwo<br>\nthree</p>"),
        ("~~no~~", "<p><s>no</s></p>"),
        ("3. a", '<ol start="3">\n<li>a</li>\n</ol>'),
        ("```\na < b\n```", "<pre><code>a &lt; b\n</code></pre>"),
    ],
)
def test_it_reads_markdown(markdown: str, html: str) -> None:
    assert render(markdown).strip() == html


def test_code_of_a_known_language_is_coloured() -> None:
    html = render("```python\ndef f(): pass\n```")
    assert '<span class="tok-k">def</span>' in html
    assert "<span" not in render("```nobody-knows\ndef f(): pass\n```")
    assert "<span" not in render("```python\n" + "x = 1\n" * 20_000 + "```")


def test_tables_keep_their_alignment_without_styles() -> None:
    html = render("|a|b|\n|-:|:-:|\n|1|2|")
    assert '<th class="align-right">a</th>' in html
    assert '<td class="align-center">2</td>' in html


def test_links_to_the_web_open_elsewhere_and_tell_nothing() -> None:
    _, link = Elements(render("[a](https://example.org/x)")).found
    assert link == (
        "a",
        {
            "href": "https://example.org/x",
            "target": "_blank",
            "rel": "noopener noreferrer nofollow",
        },
    )


def test_pictures_become_links() -> None:
    html = render("![a *picture*](https://example.org/x.png)")
    assert "<img" not in html
    assert 'href="https://example.org/x.png"' in html
    assert ">a picture</a>" in html


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "&#106;avascript:alert(1)",
        "java&#10;script:alert(1)",
        "vbscript:x",
        "data:text/html,<script>alert(1)</script>",
        "file:///etc/passwd",
        "//example.org",
        "/api/processes",
        "../x",
        "#top",
        "http:///",
    ],
)
@pytest.mark.parametrize("form", ["[x]({})", "![x]({})", "<{}>", "[x]\n\n[x]: {}"])
def test_what_leads_elsewhere_is_no_link(form: str, target: str) -> None:
    html = render(form.format(target))
    assert "<a" not in html
    assert "<img" not in html


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "<svg onload=alert(1)>",
        "<a href='javascript:alert(1)'>x</a>",
        "<style>*{display:none}</style>",
        "<!-- --><iframe src=//example.org></iframe>",
        "<details open ontoggle=alert(1)>",
    ],
)
def test_html_stays_text(text: str) -> None:
    html = render(f"before {text} after\n\n{text}")
    assert {tag for tag, _ in Elements(html).found} <= {"p"}
    assert text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") in html.replace(
        "&quot;", '"'
    )


def test_what_would_hide_or_turn_text_around_is_shown_by_name() -> None:
    html = render("a\u202eb \u2066c\u2069 \x1b[31md \x00 \x7f")
    for shown in ("a{U+202E}b", "{U+2066}c{U+2069}", "\u241b[31md", "\u2400", "\u2421"):
        assert shown.replace("{", "\u2039").replace("}", "\u203a") in html


@given(st.text(alphabet=st.sampled_from("[]()!<>`*_~#|-:\\\n \tab\"'&;=/.\u202e\x00")))
def test_whatever_the_text_nothing_but_known_elements_comes_out(text: str) -> None:
    assert_harmless(render(text))


@given(st.text())
def test_any_text_can_be_rendered(text: str) -> None:
    assert_harmless(render(text.encode("utf-8", "replace").decode()))


def test_a_text_that_grows_without_bounds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "MAX_OUTPUT", 10_000)
    with pytest.raises(TooMuch):
        render("[a]: https://example.org/" + "x" * 1000 + "\n\n" + "[a] " * 100)


@pytest.mark.parametrize(("opening", "depth"), [("> ", 200), ("- ", 100), ("> - ", 50)])
def test_what_lies_too_deep_is_refused_and_not_left_out(opening: str, depth: int) -> None:
    assert "words" in render(opening * (depth // 10) + "words")
    with pytest.raises(TooMuch):
        render(opening * depth + "words")


@given(st.integers(1, 120), st.sampled_from(["> ", "- ", "1. ", "> - "]))
def test_nothing_is_left_out_however_deep(depth: int, opening: str) -> None:
    with contextlib.suppress(TooMuch):
        assert "words" in render(opening * depth + "words")


@pytest.mark.parametrize("html", MARKUP.values(), ids=MARKUP)
def test_html_that_got_past_the_parser_would_be_sanitised(html: str) -> None:
    cleaned = rendering._clean(f'<p class="x tok-k" id=main style="color:red">{html}</p>')
    assert_harmless(cleaned)


def test_nothing_but_known_classes_and_addresses_is_kept() -> None:
    html = '<span class="tok-k">a</span><span class="topbar">b</span><a href="/x" class="y">c</a>'
    assert Elements(rendering._clean(html)).found == [
        ("span", {"class": "tok-k"}),
        ("span", {}),
        ("a", {"target": "_blank", "rel": "noopener noreferrer nofollow"}),
    ]
