"""Whatever JSON a client sends, no answer is a 5xx and the next request is served."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .client import START, Api, item, new_process, unique

LIMITS = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
FIELDS = [
    "id", "type", "promptPreview", "fullPrompt", "status", "startTime", "endTime", "error",
    "result", "structuredResult", "parentProcessId", "metadata", "groupMetadata", "exitCode",
    "cancellation", "lease", "leaseSeconds", "workspaceId", "content", "stream", "chunks", "offset",
]  # fmt: skip
KEYS = st.sampled_from([*FIELDS, "requestedTime", "outcome", "workspaceName"]) | st.text(max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["running", "completed", START, "9999-12-31T23:59:59.999999Z", "killed"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=6)


def check(api: Api, method: str, path: str, value: Any) -> None:
    answer = api.send(method, path, value)
    assert answer.status < 500, (answer, value)
    if answer.status >= 400:
        assert answer.error
    else:
        json.loads(answer.body)


@given(OBJECTS)
@LIMITS
def test_creates(api: Api, fields: dict[str, Any]) -> None:
    check(api, "POST", "/api/processes", fields)
    check(api, "POST", "/api/processes", new_process() | fields)
    check(api, "POST", "/api/workspaces", {"id": unique(), "name": "n", "rootPath": "/"} | fields)


@given(OBJECTS, OBJECTS)
@LIMITS
def test_patches_and_output(api: Api, first: dict[str, Any], second: dict[str, Any]) -> None:
    path = item(api.create()["id"])
    check(api, "PATCH", path, first)
    check(api, "PATCH", path, second)
    check(api, "POST", f"{path}/output", first)
    check(api, "POST", f"{path}/output", {"content": "x"} | second)
    assert api.get(path).status == 200


@given(VALUES, st.binary(max_size=40))
@LIMITS
def test_any_json_and_any_bytes(api: Api, value: Any, data: bytes) -> None:
    path = item(api.create()["id"])
    for body in (value, data, json.dumps(value).encode() + data):
        for method, target in (
            ("POST", "/api/processes"),
            ("PATCH", path),
            ("POST", f"{path}/output"),
            ("POST", f"{path}/cancel"),
        ):
            check(api, method, target, body)
