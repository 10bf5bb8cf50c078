from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from pipeline_host.errors import InvalidInput
from pipeline_host.models import Cancellation, CancellationPatch, Chunk, Lease, Process, Workspace
from pipeline_host.times import now_ms
from pipeline_host.wire import (
    MAX_DEPTH,
    check_id,
    check_offset,
    check_stream,
    decode_object,
    new_id,
    parse_output,
    parse_patch,
    parse_process,
    parse_workspace,
)

law = settings(max_examples=200, deadline=None)
ANY_STATUS = "one of queued, running, completed, failed, cancelled"
SMALLEST = {"promptPreview": "preview", "status": "running", "startTime": "2026-11-22T07:00:00Z"}

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
NAMES = st.sampled_from(
    [
        *("id", "type", "promptPreview", "fullPrompt", "status", "startTime", "endTime", "error"),
        *("result", "metadata", "groupMetadata", "exitCode", "cancellation", "lease", "name"),
        "leaseSeconds",
        *("workspaceId", "rootPath", "color", "content", "chunks", "stream", "offset", "unknown"),
        *("requestedTime", "outcome", "outcomeTime", "structuredResult"),
    ]
)
GOOD = st.sampled_from(["running", "failed", "2026-11-22T07:00:00Z", "killed", "\n", "a" * 300])
OBJECTS = st.dictionaries(
    NAMES, JSON | GOOD | st.dictionaries(NAMES, JSON | GOOD, max_size=3), max_size=6
)


class TestIds:
    def test_new_ids_are_uuids_of_version_7(self) -> None:
        made = uuid.UUID(new_id())
        assert (made.version, made.variant) == (7, uuid.RFC_4122)

    def test_new_ids_hold_the_time(self) -> None:
        before = now_ms()
        made = uuid.UUID(new_id()).int >> 80
        assert before <= made <= now_ms()

    def test_new_ids_are_unique_ids(self) -> None:
        made = {new_id() for _ in range(1000)}
        assert len(made) == 1000
        assert all(check_id(one) == one for one in made)

    @pytest.mark.parametrize(
        "good",
        ["a", "..", "a/b", "50%", "日本", "🧪", " ", "it's", "x" * 200, "界" * 200, "\u200b"],
    )
    def test_an_id_is_any_text(self, good: str) -> None:
        assert check_id(good) == good

    @pytest.mark.parametrize("bad", ["\0", "a\nb", "\r", "\t", "\x1f", "\x7f", "\x85", "\ud800"])
    def test_but_without_control_characters(self, bad: str) -> None:
        with pytest.raises(InvalidInput, match=r"^id: expected no control characters$"):
            check_id(bad)

    @pytest.mark.parametrize("bad", ["", "x" * 201])
    def test_from_1_to_200_characters_long(self, bad: str) -> None:
        with pytest.raises(InvalidInput, match=f"^name: expected 1 to 200 .* got {len(bad)}$"):
            check_id(bad, "name")

    @law
    @given(st.text(max_size=210))
    def test_every_text_is_an_id_or_refused(self, text: str) -> None:
        controls = any(ord(c) < 32 or 127 <= ord(c) < 160 for c in text)
        try:
            assert check_id(text) == text
        except InvalidInput:
            assert controls or not 1 <= len(text) <= 200
        else:
            assert not controls


class TestDecodeObject:
    @law
    @given(st.dictionaries(st.text(), JSON))
    def test_it_reads_json_as_everybody_does(self, value: dict[str, Any]) -> None:
        assert decode_object(json.dumps(value).encode()) == value
        assert decode_object(json.dumps(value, ensure_ascii=False).encode()) == value

    @law
    @given(st.binary(max_size=30))
    @example(b'{"a":"\\ud800"}')
    @example(b'{"a":"\\ud800\\u0041"}')
    @example(b'{"a":"\xed\xa0\x80"}')
    @example(b'{"a":"\xff"}')
    @example(b'{"a":NaN}')
    @example(b'{"a":-Infinity}')
    @example(b'{"a":1e999}')
    @example(b'{"a":' + b"1" * 5000 + b"}")
    @example(b'\xef\xbb\xbf{"a":1}')
    @example(b'{"a":1')
    @example(b'{"a":1} {}')
    @example(b"{'a':1}")
    @example(b'{"a":"\n"}')
    @example(b"")
    def test_anything_else_is_refused(self, body: bytes) -> None:
        sentence, value = "", None
        try:
            value = decode_object(body)
        except InvalidInput as error:
            sentence = str(error)
        assert sentence.startswith("Invalid JSON") if sentence else value == json.loads(body)

    @pytest.mark.parametrize("body", [b"[]", b"1", b"null", b'"{}"', b"true"])
    def test_it_must_be_an_object(self, body: bytes) -> None:
        with pytest.raises(InvalidInput, match=r"^Invalid JSON: expected an object$"):
            decode_object(body)

    @pytest.mark.parametrize(("open_", "close"), [(b'{"a":', b"}"), (b"[", b"]")])
    def test_it_may_be_64_levels_deep(self, open_: bytes, close: bytes) -> None:
        def nested(levels: int) -> bytes:
            return b'{"a":' + open_ * (levels - 1) + b"1" + close * (levels - 1) + b"}"

        assert MAX_DEPTH == 64
        decode_object(nested(64))
        for levels in (65, 1000, 1_000_000):
            with pytest.raises(InvalidInput, match=r"^Invalid JSON: expected at most 64 levels$"):
                decode_object(nested(levels))

    def test_an_unfinished_deep_body_is_refused_too(self) -> None:
        with pytest.raises(InvalidInput, match=r"^Invalid JSON"):
            decode_object(b'{"a":' * 1_000_000)


class TestParseProcess:
    def test_the_smallest_process_gets_an_id_and_the_defaults(self) -> None:
        process = parse_process(SMALLEST)
        assert uuid.UUID(process.id).version == 7
        assert (process.type, process.full_prompt) == ("clarification", "")
        assert process.start_time == "2026-11-22T07:00:00.000Z"
        assert process.end_time is None

    def test_every_field_is_read(self) -> None:
        sent = SMALLEST | {
            "id": "p",
            "type": "my-own",
            "fullPrompt": "f",
            "endTime": "2026-11-22T08:00:00+01:00",
            "error": "e",
            "result": "r",
            "structuredResult": "s",
            "resultFilePath": "/r",
            "rawStdoutFilePath": "/o",
            "parentProcessId": "parent",
            "sdkSessionId": "session",
            "backend": "b",
            "workingDirectory": "/w",
            "metadata": {"a": None, "b": [1]},
            "groupMetadata": {"c": 1},
            "codeReviewMetadata": {"d": 1},
            "discoveryMetadata": {"e": 1},
            "codeReviewGroupMetadata": {"f": 1},
            "exitCode": -9,
            "cancellation": {"requestedTime": "2026-11-22T07:00:00Z", "outcome": "killed"},
        }
        told = msgspec.to_builtins(parse_process(sent))
        times = {
            "startTime": "2026-11-22T07:00:00.000Z",
            "endTime": "2026-11-22T07:00:00.000Z",
            "cancellation": {"requestedTime": "2026-11-22T07:00:00.000Z", "outcome": "killed"},
        }
        assert told == sent | times

    def test_unknown_fields_are_ignored(self) -> None:
        sent = SMALLEST | {"id": "p", "unknown": {"a": 1}, "lease": "not the client's"}
        assert parse_process(sent) == parse_process(SMALLEST | {"id": "p"})

    @pytest.mark.parametrize("seconds", [1, 1.0, 30, 0.5 * 3, 86_400])
    def test_a_lease_that_is_asked_for_has_not_begun(self, seconds: float) -> None:
        process = parse_process(SMALLEST | {"leaseSeconds": seconds, "lease": "not the client's"})
        assert process.lease == Lease(seconds=seconds)

    @pytest.mark.parametrize(
        "seconds", [0, -1, 0.999, 86_401, 1e300, 10**400, True, "30", [30], {"seconds": 30}]
    )
    def test_a_lease_has_from_a_second_to_a_day(self, seconds: object) -> None:
        with pytest.raises(InvalidInput, match="leaseSeconds: expected a number from 1 to"):
            parse_process(SMALLEST | {"leaseSeconds": seconds})

    def test_no_lease_is_asked_for_with_null(self) -> None:
        assert parse_process(SMALLEST | {"leaseSeconds": None}).lease is None

    def test_what_was_sent_is_not_touched(self) -> None:
        sent = SMALLEST | {"workspaceId": "w", "metadata": {"a": 1}, "lease": 1}
        before = json.dumps(sent)
        parse_process(sent)
        assert json.dumps(sent) == before

    def test_null_means_no_value(self) -> None:
        names = ("id", "type", "fullPrompt", "endTime", "metadata", "workspaceId", "exitCode")
        process = parse_process(SMALLEST | dict.fromkeys(names))
        assert (process.type, process.full_prompt, process.metadata) == ("clarification", "", None)
        assert process.id

    @pytest.mark.parametrize(
        ("metadata", "kept"),
        [
            (UNSET, {"workspaceId": "w"}),
            (None, {"workspaceId": "w"}),
            ({"a": 1}, {"a": 1, "workspaceId": "w"}),
            ({"workspaceId": "other"}, {"workspaceId": "w"}),
        ],
    )
    def test_a_workspace_id_lands_in_the_metadata(self, metadata: Any, kept: Any) -> None:
        sent = SMALLEST | {"workspaceId": "w"}
        process = parse_process(sent if metadata is UNSET else sent | {"metadata": metadata})
        assert process.metadata == kept
        assert process.workspace_id == "w"

    @pytest.mark.parametrize("name", ["promptPreview", "status", "startTime"])
    @pytest.mark.parametrize("value", [UNSET, None])
    def test_a_required_field_is_asked_for_by_its_name(self, name: str, value: Any) -> None:
        sent = {key: given for key, given in SMALLEST.items() if key != name}
        sent |= {} if value is UNSET else {name: value}
        with pytest.raises(InvalidInput, match=f"^{name}: expected a value, but it is missing$"):
            parse_process(sent)

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"id": 5}, "id: expected a string, got an integer"),
            ({"id": ""}, "id: expected 1 to 200 characters, got 0"),
            ({"id": "a\nb"}, "id: expected no control characters"),
            ({"type": ["a"]}, "type: expected a string, got an array"),
            ({"promptPreview": {}}, "promptPreview: expected a string, got an object"),
            (
                {"status": "done"},
                f"status: expected {ANY_STATUS}, got 'done'",
            ),
            (
                {"status": 1},
                f"status: expected {ANY_STATUS}, got an integer",
            ),
            (
                {"startTime": "yesterday"},
                "startTime: expected a time such as 2026-11-22T07:00:00.000Z",
            ),
            ({"startTime": 1795330800}, "startTime: expected a string, got an integer"),
            ({"endTime": "x"}, "endTime: expected a time such as 2026-11-22T07:00:00.000Z"),
            ({"result": True}, "result: expected a string or null, got true or false"),
            ({"exitCode": 1.5}, "exitCode: expected an integer or null, got a number"),
            ({"metadata": []}, "metadata: expected an object or null, got an array"),
            ({"metadata": {"workspaceId": 1}}, "metadata.workspaceId: expected a string"),
            ({"workspaceId": 1}, "metadata.workspaceId: expected a string"),
            ({"workspaceId": "\0"}, "metadata.workspaceId: expected no control characters"),
            ({"cancellation": 1}, "cancellation: expected an object or null, got an integer"),
            (
                {"cancellation": {}},
                "cancellation.requestedTime: expected a value, but it is missing",
            ),
            (
                {"cancellation": {"requestedTime": "x"}},
                "cancellation.requestedTime: expected a time such as 2026-11-22T07:00:00.000Z",
            ),
            (
                {"cancellation": {"requestedTime": "2026-11-22T07:00:00Z", "outcome": "x"}},
                "cancellation.outcome: expected one of terminated, killed, ignored, got 'x'",
            ),
        ],
    )
    def test_a_wrong_field_is_named_with_what_was_expected(
        self, fields: dict[str, Any], sentence: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            parse_process(SMALLEST | fields)
        assert str(refused.value) == sentence


class TestParsePatch:
    def test_what_is_not_given_is_unset(self) -> None:
        patch = parse_patch({})
        assert all(getattr(patch, name) is UNSET for name in patch.__struct_fields__)

    def test_every_field_that_can_be_patched_is_read(self) -> None:
        patch = parse_patch(
            {
                "status": "failed",
                "result": "r",
                "error": "e",
                "endTime": "2026-11-22T07:00:00Z",
                "structuredResult": "s",
                "metadata": {"a": None},
                "exitCode": 3,
                "cancellation": {"outcome": "killed", "outcomeTime": "2026-11-22T07:00:00Z"},
            }
        )
        assert (patch.status, patch.result, patch.error) == ("failed", "r", "e")
        assert patch.end_time == "2026-11-22T07:00:00.000Z"
        assert (patch.structured_result, patch.metadata, patch.exit_code) == ("s", {"a": None}, 3)
        assert patch.cancellation == CancellationPatch(
            outcome="killed", outcome_time=patch.end_time
        )

    def test_null_clears_an_optional_field(self) -> None:
        names = ("result", "error", "endTime", "structuredResult", "metadata", "exitCode")
        patch = parse_patch(dict.fromkeys((*names, "cancellation")))
        given_fields = [n for n in patch.__struct_fields__ if getattr(patch, n) is None]
        assert len(given_fields) == 7

    def test_null_for_the_status_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match=r"^status: expected one of .*, got null$"):
            parse_patch({"status": None})

    def test_other_fields_are_ignored_whatever_they_are(self) -> None:
        """Older clients patch with the whole process."""
        sent = {"id": 5, "promptPreview": [], "startTime": "2026-11-22T07:00:00Z", "lease": {}}
        assert parse_patch(sent) == parse_patch({})

    def test_a_wrong_workspace_is_refused(self) -> None:
        with pytest.raises(InvalidInput, match=r"^metadata\.workspaceId: expected"):
            parse_patch({"metadata": {"workspaceId": "\n"}})


class TestParseWorkspace:
    def test_it_is_read(self) -> None:
        sent = {"id": "w", "name": "one", "rootPath": "/1", "color": "#fff", "other": 1}
        assert parse_workspace(sent) == Workspace(id="w", name="one", root_path="/1", color="#fff")

    @pytest.mark.parametrize(
        ("sent", "missing"),
        [
            ({}, "id, name, rootPath"),
            ({"id": "w", "name": ""}, "name, rootPath"),
            ({"id": "w", "name": "n", "rootPath": None}, "rootPath"),
        ],
    )
    def test_all_missing_fields_are_named(self, sent: dict[str, Any], missing: str) -> None:
        with pytest.raises(InvalidInput, match=f"^Missing required fields: {missing}$"):
            parse_workspace(sent)

    @pytest.mark.parametrize(
        ("field", "value"), [("id", 1), ("id", "\0"), ("name", []), ("rootPath", {}), ("color", 1)]
    )
    def test_a_wrong_field_is_named(self, field: str, value: Any) -> None:
        with pytest.raises(InvalidInput, match=f"^{field}: expected"):
            parse_workspace({"id": "w", "name": "n", "rootPath": "/", field: value})


class TestParseOutput:
    def test_one_content(self) -> None:
        chunks, offset = parse_output({"content": "x", "stream": "stdout", "offset": 3})
        assert (chunks, offset) == ((Chunk(content="x", stream="stdout"),), 3)

    def test_several_chunks(self) -> None:
        sent = {"chunks": [{"content": "a"}, {"content": "b", "stream": "stderr"}]}
        chunks, offset = parse_output(sent)
        assert chunks == (Chunk(content="a"), Chunk(content="b", stream="stderr"))
        assert offset is None

    def test_a_client_does_not_set_places(self) -> None:
        sent = {"chunks": [{"content": "a", "offset": 9, "length": 9, "time": 9}]}
        assert parse_output(sent)[0] == (Chunk(content="a"),)

    @pytest.mark.parametrize("sent", [{"content": ""}, {"chunks": []}])
    def test_nothing_may_be_written(self, sent: dict[str, Any]) -> None:
        chunks, offset = parse_output(sent)
        assert "".join(chunk.content for chunk in chunks) == ""
        assert offset is None

    @pytest.mark.parametrize(
        ("sent", "sentence"),
        [
            ({}, "content: expected a string, or chunks instead"),
            ({"content": None}, "content: expected a string, or chunks instead"),
            ({"content": "a", "chunks": []}, "content: expected a string, or chunks instead"),
            ({"content": 5}, "content: expected a string or null, got an integer"),
            ({"content": "a", "offset": -1}, "offset: expected an integer of 0 or more, got -1"),
            (
                {"content": "a", "offset": 2**63},
                f"offset: expected an integer of 0 or more, got {2**63}",
            ),
            ({"content": "a", "offset": "0"}, "offset: expected an integer or null, got a string"),
            (
                {"content": "a", "offset": True},
                "offset: expected an integer or null, got true or false",
            ),
            ({"content": "a", "stream": ""}, "stream: expected a name of 1 to 100 characters"),
            ({"content": "a", "stream": 1}, "stream: expected a string or null, got an integer"),
            ({"chunks": {}}, "chunks: expected an array or null, got an object"),
            ({"chunks": [1]}, "chunks[0]: expected an object, got an integer"),
            ({"chunks": [{}]}, "chunks[0].content: expected a value, but it is missing"),
            ({"chunks": [{"content": None}]}, "chunks[0].content: expected a string, got null"),
        ],
    )
    def test_a_wrong_write_is_named(self, sent: dict[str, Any], sentence: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            parse_output(sent)
        assert str(refused.value) == sentence

    def test_offsets_and_streams_are_checked_for_raw_bodies_too(self) -> None:
        assert check_offset(0) == 0
        assert check_offset(2**63 - 1) == 2**63 - 1
        assert check_stream(None) is None
        assert check_stream("stdout") == "stdout"
        with pytest.raises(InvalidInput, match=r"^stream: expected"):
            check_stream("x" * 101)


@pytest.mark.parametrize("parse", [parse_process, parse_patch, parse_workspace, parse_output])
@law
@given(sent=OBJECTS)
@example(sent=SMALLEST | {"exitCode": 2**70})
@example(sent=SMALLEST | {"metadata": {"n": -(2**70)}})
@example(sent=SMALLEST | {"endTime": "0001-01-01T00:00:00+23:59"})
def test_any_object_is_read_or_refused_with_the_name_of_a_field(
    parse: Callable[[dict[str, Any]], Any], sent: dict[str, Any]
) -> None:
    try:
        value = parse(sent)
    except InvalidInput as error:
        name, _, expected = str(error).partition(": ")
        assert expected
        known = {"Missing required fields", *_paths(sent), *_REQUIRED}
        assert re.sub(r"^chunks\[\d\].*", "chunks", name) in known
    else:
        msgspec.json.encode(value)


_REQUIRED = (
    *("id", "promptPreview", "status", "startTime", "name", "rootPath", "content"),
    *("cancellation.requestedTime", "metadata.workspaceId", "chunks[0]", "chunks[0].content"),
)


def _paths(sent: dict[str, Any]) -> set[str]:
    """The names of all fields in what was sent, one level deep."""
    objects = {key: value for key, value in sent.items() if isinstance(value, dict)}
    return {f"{key}.{name}" for key, value in objects.items() for name in value} | set(sent)


@law
@given(OBJECTS)
def test_a_process_that_was_read_can_be_kept_and_read_again(sent: dict[str, Any]) -> None:
    try:
        process = parse_process(SMALLEST | {"id": "p"} | sent)
    except InvalidInput:
        return
    kept = msgspec.json.encode(process)
    assert msgspec.json.decode(kept, type=Process) == process
    assert parse_process(msgspec.json.decode(kept)) == process
    assert isinstance(process.cancellation, Cancellation | None)
