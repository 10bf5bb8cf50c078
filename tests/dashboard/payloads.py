"""Texts that try to run, to break out of where they are shown, or to look like something else.

Each that can run something sets ``window.pwned``. Names say what is tried.
"""

from __future__ import annotations

from typing import Final

RUN: Final = "window.pwned=1"
ELSEWHERE: Final = "http://elsewhere.invalid/x"

MARKUP: Final = {
    "script": f"<script>{RUN}</script>",
    "script with an end before it": f"</title></textarea></script><script>{RUN}</script>",
    "script from elsewhere": f'<script src="{ELSEWHERE}.js"></script>',
    "module from elsewhere": f'<script type="module">import "{ELSEWHERE}.js"</script>',
    "picture that fails": f"<img src=x onerror={RUN}>",
    "picture with an encoded handler": "<img src=x onerror=&#119;indow.pwned=1>",
    "picture from elsewhere": f'<img src="{ELSEWHERE}.png">',
    "handler without spaces": f"<svg/onload={RUN}>",
    "drawing with a script": f"<svg><script>{RUN}</script></svg>",
    "drawing that animates a link": (
        f'<svg><a><animate attributeName=href values="javascript:{RUN}"/>'
        "<text x=20 y=20>click</text></a></svg>"
    ),
    "drawing that uses a document": (
        f"<svg><use href='data:image/svg+xml,<svg id=x onload={RUN}>#x'/></svg>"
    ),
    "formula that hides an element": (
        f"<math><mtext><table><mglyph><style><img src=x onerror={RUN}></style></mglyph></table>"
    ),
    "frame": f'<iframe srcdoc="<script>parent.{RUN}</script>"></iframe>',
    "frame of a script": f'<iframe src="javascript:parent.{RUN}"></iframe>',
    "object": f'<object data="{ELSEWHERE}"></object><embed src="{ELSEWHERE}">',
    "style": "<style>*{display:none!important}</style>",
    "style from elsewhere": f'<link rel=stylesheet href="{ELSEWHERE}.css">',
    "style that covers the page": (
        '<div style="position:fixed;inset:0;z-index:9999;background:red">covered</div>'
    ),
    "base": '<base href="http://elsewhere.invalid/">',
    "refresh": f'<meta http-equiv=refresh content="0;url={ELSEWHERE}">',
    "form": f'<form action="{ELSEWHERE}"><input autofocus onfocus={RUN}></form>',
    "details": f"<details open ontoggle={RUN}>x</details>",
    "media": f"<video><source onerror={RUN}></video><audio src=x onerror={RUN}></audio>",
    "template": f"<template><img src=x onerror={RUN}></template><slot onslotchange={RUN}>",
    "attribute ends": f'"><img src=x onerror={RUN}><a href="',
    "attribute ends with apostrophe": f"' onmouseover='{RUN}' x='",
    "comment ends": f"--><img src=x onerror={RUN}><!--",
    "entity": f"&lt;img src=x onerror={RUN}&gt;&#60;script&#62;{RUN}&#60;/script&#62;",
    "names of elements that the page looks for": (
        "<div id=main></div><img name=getElementById><form id=toasts></form>"
    ),
    "template of other libraries": f"{{{{constructor.constructor('{RUN}')()}}}} ${{{RUN}}}",
    "prototype": '{"__proto__": {"pwned": 1}, "constructor": {"prototype": {"pwned": 1}}}',
}
MARKDOWN: Final = {
    "link that runs": f"[click](javascript:{RUN})",
    "link that runs, encoded": f"[click](&#x6A;avascript:{RUN}) [x](java\tscript:{RUN})",
    "link of data": "[click](data:text/html;base64,PHNjcmlwdD53aW5kb3cucHduZWQ9MTwvc2NyaXB0Pg==)",
    "link in the words of another": f"[![x](x)](javascript:{RUN})",
    "automatic link that runs": f"<javascript:{RUN}>",
    "picture with a handler": f'![x](x"onerror="{RUN})',
    "picture from elsewhere in markdown": f"![x]({ELSEWHERE}.png)",
    "reference that runs": f"[click][1]\n\n[1]: javascript:{RUN}",
    "language of code": f'```"><img src=x onerror={RUN}>\ncode\n```',
    "code that ends": f"`</code><script>{RUN}</script>`",
    "link that hides where it leads": "[https://example.org](https://elsewhere.invalid)",
    "quotations without end": ">" * 3000,
    "brackets without end": "[" * 3000,
}
TEXT: Final = {
    "override of the direction": "safe\u202egnp.exe\u202c",
    "isolates left open": "\u2066\u2067\u2068 left open",
    "marks of direction": "a\u200eb\u200fc\u061cd",
    "nothing to see": "\u200b\u2060\ufeff",
    "another direction": "\u05d0\u05d1\u05d2 (\u0645\u0631\u062d\u0628\u0627) abc",
    "lines of another kind": "one\u2028two\u2029three\x85four",
    "control characters": "bell\x07 back\x08\x08\x08\x08 null\x00 escape\x1b unit\x1f delete\x7f",
    "marks on marks": "z" + "\u0300\u0301\u0302\u0303" * 100,
    "a long word": "w" * 4000,
    "many lines": "\n" * 300 + "end",
    "not a character": "\ufffe\uffff\ufdd0",
    "another plane": "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U000e0001\U000e0041",
    "upwards": "../../etc/passwd",
    "a path": "a/b//c?d=e#f&g;h",
    "percent": "50%25%2F%zz%",
    "a name of the page": "constructor",
}
TERMINAL: Final = {
    "title": "\x1b]0;pwned\x07 title",
    "link of the terminal": f"\x1b]8;;javascript:{RUN}\x07click\x1b]8;;\x07",
    "clipboard": "\x1b]52;c;cHduZWQ=\x07 clipboard",
    "clear": "before\x1b[2J\x1b[3J\x1b[H\x1bcafter",
    "far away": "\x1b[999999999C\x1b[999999999;999999999H far",
    "repeat": "x\x1b[999999999b\x1b[999999999@ many",
    "string without end": "\x1bPq#0;2;0;0;0" + "~" * 100,
    "other screen": "\x1b[?1049h\x1b[?25l\x1b[8m hidden\x1b[0m",
    "answers": "\x1b[6n\x1b[c\x1bZ\x05 answers",
    "eight bits": "\x9b31mred\x9d0;title\x9c\x90q\x9c",
    "colours out of bounds": "\x1b[38;2;999;-1;99999m\x1b[48;5;99999m\x1b[;;;;m colours",
    "backwards": "\b" * 500 + "\r" * 500 + "\x1b[500D\x1b[1K back",
    "colour that is a script": f"\x1b[38;2;url(javascript:{RUN})m colour",
}
PAYLOADS: Final = MARKUP | MARKDOWN | TEXT | TERMINAL
