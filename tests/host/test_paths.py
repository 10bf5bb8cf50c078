"""Paths as they were sent: what routing sees of them, and what a parameter becomes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.errors import InvalidInput
from pipeline_host.paths import (
    authority_of,
    canonical_path,
    decode_parameter,
    raw_path,
    template_key,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"RAW_URI": "/api/processes/a%2Fb?x=1", "PATH_INFO": "/api/processes/a/b"}, "a%2Fb"),
        ({"REQUEST_URI": "/api/processes/a%2Fb", "PATH_INFO": "/api/processes/a/b"}, "a%2Fb"),
        ({"RAW_URI": "http://host:1/api/processes/x?y"}, "x"),
        ({"RAW_URI": "/api/processes/x#y"}, "x"),
        ({"RAW_URI": "/api/processes/?x"}, ""),
        ({"PATH_INFO": "/api/processes/50%"}, "50%25"),
        ({"PATH_INFO": "/api/processes/\xe6\x97\xa5"}, "%E6%97%A5"),
    ],
)
def test_the_path_is_taken_as_it_was_sent(environ: dict[str, Any], path: str) -> None:
    assert raw_path(environ) == f"/api/processes/{path}"


@pytest.mark.parametrize(
    ("environ", "path"),
    [
        ({"RAW_URI": "/mount/api/x", "SCRIPT_NAME": "/mount"}, "/api/x"),
        ({"RAW_URI": "/mount", "SCRIPT_NAME": "/mount"}, "/"),
        ({"RAW_URI": "/api/x", "SCRIPT_NAME": "/mount"}, "/api/x"),
        ({"RAW_URI": "http://host"}, "/"),
        ({"RAW_URI": "http://host?x"}, "/"),
        ({"RAW_URI": "*"}, "*"),
        ({"RAW_URI": "?x"}, "/"),
        ({"PATH_INFO": ""}, "/"),
        ({}, "/"),
    ],
)
def test_unusual_targets_have_a_path_too(environ: dict[str, Any], path: str) -> None:
    assert raw_path(environ) == path


@pytest.mark.parametrize(
    ("target", "authority"),
    [
        ("/x", None),
        ("*", None),
        ("http://a:1/x", "a:1"),
        ("http://a?x", "a"),
        ("HTTP://A", "A"),
        ("http:///x", ""),
    ],
)
def test_only_a_target_in_absolute_form_has_an_authority(
    target: str, authority: str | None
) -> None:
    assert authority_of(target) == authority


@pytest.mark.parametrize(
    ("path", "canonical"),
    [
        ("/", "/"),
        ("/api/health", "/api/health"),
        ("/api/health/", "/api/health/"),
        ("/%61pi/health", "/api/health"),
        ("/api/a%2fb", "/api/a%2Fb"),
        ("/api/a%252Fb", "/api/a%252Fb"),
        ("/api/%2e%2E", "/api/.."),
        ("/api/../x", "/api/../x"),
        ("/api/50%", "/api/50%25"),
        ("/api/%zz", "/api/%25zz"),
        ("/api/\xe6\x97\xa5", "/api/%E6%97%A5"),
        ("/api/%e6%97%a5", "/api/%E6%97%A5"),
        ("/api/a:b@c", "/api/a:b@c"),
        ("/api/%3Ab", "/api/:b"),
        ("/api/a%20b", "/api/a%20b"),
        ("/api/%00", "/api/%00"),
        ("/api//x", "/api//x"),
    ],
)
def test_each_segment_is_decoded_once_and_encoded_again(path: str, canonical: str) -> None:
    assert canonical_path(path) == canonical
    assert canonical_path(canonical) == canonical


def test_two_slashes_at_the_start_are_not_one() -> None:
    assert canonical_path("//api/health") == "/./api/health"


@given(TEXT)
def test_any_text_comes_back_from_a_segment(text: str) -> None:
    segment = canonical_path(f"/x/{quote(text, safe='')}").removeprefix("/x/")
    assert "/" not in segment
    assert decode_parameter("id", segment) == text


@given(st.text(st.characters(max_codepoint=255), max_size=30))
def test_a_canonical_path_is_plain_and_stays_as_it_is(text: str) -> None:
    canonical = canonical_path(f"/{text}")
    assert canonical.isascii()
    assert canonical.isprintable()
    assert canonical_path(canonical) == canonical


@pytest.mark.parametrize("value", ["%FF", "a%C3", "%ED%A0%80"])
def test_a_parameter_that_is_no_utf8_is_refused_by_name(value: str) -> None:
    with pytest.raises(InvalidInput, match=r"^process_id: expected UTF-8, percent-encoded$"):
        decode_parameter("process_id", value)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("/a/{id}", "/a/{name}", True),
        ("/a/{id}", "/a/{id}/b", False),
        ("/a/{id}", "/b/{id}", False),
        ("/a/{id:int}", "/a/{id}", False),
        ("/a/{x}.{y}", "/a/{p}.{q}", True),
    ],
)
def test_templates_are_the_same_whatever_their_parameters_are_called(
    one: str, other: str, same: bool
) -> None:
    assert (template_key(one) == template_key(other)) is same
