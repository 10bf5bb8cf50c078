"""Raw bytes become the same text however they are cut."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline_host_rest.decoding import TextDecoder


def decode(*parts: bytes) -> str:
    decoder = TextDecoder()
    return "".join([*map(decoder.feed, parts), decoder.end()])


def test_a_character_split_over_pieces_is_put_together() -> None:
    decoder = TextDecoder()
    euro = "€".encode()
    assert [decoder.feed(euro[:1]), decoder.feed(euro[1:2]), decoder.feed(euro[2:])] == [
        "",
        "",
        "€",
    ]


def test_bytes_that_are_not_utf8_become_replacement_characters() -> None:
    assert decode(b"a\xffb") == "a\ufffdb"
    assert decode(b"\xed\xa0\x80") == "\ufffd\ufffd\ufffd"
    assert decode(b"\xe2\x82", b"A") == "\ufffdA"


def test_an_incomplete_character_at_the_end_becomes_one_replacement_character() -> None:
    assert decode(b"ok \xf0\x9f\x98") == "ok \ufffd"


def test_a_byte_order_mark_and_nul_are_text_like_any_other() -> None:
    assert decode("\ufeff\0x".encode()) == "\ufeff\0x"


@given(st.text(max_size=50), st.integers(0, 200))
def test_text_comes_through_unchanged_wherever_it_is_cut(text: str, cut: int) -> None:
    data = text.encode()
    assert decode(data[:cut], data[cut:]) == text


@given(st.lists(st.binary(max_size=4)))
@example([b"\xf0", b"\x9f", b"\xff"])
def test_any_bytes_give_the_same_text_in_pieces_as_at_once(parts: list[bytes]) -> None:
    text = decode(*parts)
    assert text == b"".join(parts).decode("utf-8", "replace")
    assert text.encode().decode() == text
