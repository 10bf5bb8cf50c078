"""Markdown to HTML that is safe to put into the page. Pure, but it may take long: see ``renderer``.

Nothing in a result is trusted. HTML in it stays text, pictures become links, what would lead
elsewhere than to the web stays as it was written, and what comes out is sanitised once more,
against a list of what may be there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any, Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.token import STANDARD_TYPES
from pygments.util import ClassNotFound

MAX_OUTPUT: Final = 4 * 1024 * 1024
"""How much HTML may come out, in characters: references let a small text grow without bounds."""
MAX_HIGHLIGHTED: Final = 64 * 1024
"""A longer piece of code is shown without colours, in characters."""
MAX_NESTING: Final = 100
"""How deep lists and quotations may lie in each other; the parser leaves out what lies deeper."""

_PREFIX: Final = "tok-"
_HIDDEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2064\u2066-\u206f"
    r"\ufeff\ufff9-\ufffb]"
)
_WEB: Final = re.compile(r"(?:https?://|mailto:)[^/]", re.IGNORECASE)
_TAGS: Final = frozenset(
    {
        *("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "em", "strong", "s", "a", "span"),
        *("code", "pre", "blockquote", "ul", "ol", "li"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }
)
_ALIGNED: Final = frozenset({"align-left", "align-right", "align-center"})
_CLASSES: Final = {
    "span": frozenset(_PREFIX + name for name in STANDARD_TYPES.values() if name),
    "th": _ALIGNED,
    "td": _ALIGNED,
}
_ATTRIBUTES: Final = {"a": {"href", "title"}, "ol": {"start"}} | {
    tag: {"class"} for tag in _CLASSES
}
_FORMATTER: Final = HtmlFormatter(nowrap=True, classprefix=_PREFIX)


class TooMuch(Exception):
    """What would come out is more than a page should hold, or less than what went in."""


def render(markdown: str) -> str:
    """The text as sanitised HTML.

    Line breaks are kept, so that plain text stays readable. Control characters, and those that
    change the direction of text, are shown by name: they could make a line read as another one.

    Raises:
        TooMuch: it has more than :data:`MAX_OUTPUT` characters, or lies too deep.
    """
    text = _HIDDEN.sub(_name, markdown.replace("\r\n", "\n").replace("\r", "\n"))
    env: dict[str, Any] = {}
    tokens = _parser.parse(text, env)
    if any(token.level >= MAX_NESTING - 1 for token in tokens):
        raise TooMuch
    html = _parser.renderer.render(tokens, _parser.options, env)
    if len(html) > MAX_OUTPUT:
        raise TooMuch
    return _clean(html)


def _clean(html: str) -> str:
    return nh3.clean(
        html,
        tags=set(_TAGS),
        attributes=_ATTRIBUTES,
        attribute_filter=_allowed,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _allowed(tag: str, attribute: str, value: str) -> str | None:
    """An attribute's value if it may stay, else nothing."""
    if attribute == "class":
        return value if value in _CLASSES[tag] else None
    if attribute == "href":
        return value if _leads_to_the_web(value) else None
    return value


def _name(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code < 0x20:
        return chr(0x2400 + code)
    return "\u2421" if code == 0x7F else f"\u2039U+{code:04X}\u203a"


def _highlight(code: str, language: str, attrs: str) -> str:
    """Code with its words in spans of classes; as it is, where the language isn't known."""
    if language and len(code) <= MAX_HIGHLIGHTED:
        try:
            return highlight(code, get_lexer_by_name(language), _FORMATTER)
        except ClassNotFound:
            pass
    return escape(code)


def _leads_to_the_web(url: str) -> bool:
    """Whether a link is made; any other stays as it was written."""
    return _WEB.match(url) is not None


def _picture(
    self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any
) -> str:
    """A picture as a link to it: the page loads nothing from elsewhere."""
    token = tokens[index]
    words = self.renderInlineAsText(token.children or [], options, env)
    source = str(token.attrs.get("src", ""))
    return f'<a href="{escape(source)}">{escape(words or source)}</a>'


def _cell(self: RendererHTML, tokens: Sequence[Token], index: int, options: Any, env: Any) -> str:
    """A table's cell; its alignment is a class, as the page allows no styles in attributes."""
    token = tokens[index]
    style = str(token.attrs.pop("style", ""))
    if style:
        token.attrSet("class", f"align-{style.removeprefix('text-align:')}")
    return self.renderToken(tokens, index, options, env)


def _make_parser() -> MarkdownIt:
    options = {
        "html": False,
        "breaks": True,
        "maxNesting": MAX_NESTING,
        "highlight": _highlight,
    }
    parser = MarkdownIt("commonmark", options).enable(["table", "strikethrough"])
    parser.validateLink = _leads_to_the_web  # type: ignore[method-assign]
    parser.add_render_rule("image", _picture)
    parser.add_render_rule("th_open", _cell)
    parser.add_render_rule("td_open", _cell)
    return parser


_parser: Final = _make_parser()
