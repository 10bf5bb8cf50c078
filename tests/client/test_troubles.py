"""Any mixture of troubles, over many processes: at the end the server has what was told."""

from __future__ import annotations

import random
from typing import Any

import pytest

from pipeline_host.client import Drop, ExtensionClient

from .scripted import ScriptedServer

TROUBLES: list[dict[str, Any]] = [
    {"kind": "answer", "status": 500},
    {"kind": "answer", "status": 503, "headers": {"Retry-After": "0"}},
    {"kind": "answer", "status": 429, "headers": {"Retry-After": "0.01"}},
    {"kind": "answer", "status": 408},
    {"kind": "answer", "status": 200, "body": b"<html>"},
    {"kind": "truncate"},
    {"kind": "drop"},
]


@pytest.mark.parametrize("seed", range(4))
def test_the_server_has_what_was_told(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    chance = random.Random(seed)
    monkeypatch.setattr("random.uniform", lambda low, high: 0.01)  # shortens every pause
    drops: list[Drop] = []
    client = ExtensionClient(server.url, on_drop=drops.append)
    expected: dict[str, dict[str, Any]] = {}
    output: dict[str, str] = {}
    for step in range(300):
        if chance.random() < 0.2:
            where = chance.choice(["", "/processes", "/output", "PATCH", "DELETE", "/health"])
            server.fault(**chance.choice(TROUBLES), only=where)
        name = f"p{chance.randrange(12)}"
        if name not in expected:
            client.submit({"id": name, "promptPreview": "p", "fullPrompt": str(step)})
            expected[name], output[name] = {"fullPrompt": str(step)}, ""
        elif (what := chance.random()) < 0.6:
            client.output(name, f"{step}€ ")
            output[name] += f"{step}€ "
        elif what < 0.9:
            client.update(name, {"result": str(step)})
            expected[name]["result"] = str(step)
        else:
            client.remove(name)
            del expected[name], output[name]
        if chance.random() < 0.1:
            client.flush(0.05)
    assert client.flush(60)
    client.close()
    assert not drops
    assert set(server.processes) == set(expected)
    for name, fields in expected.items():
        assert server.output(name) == output[name].encode()
        process = server.processes[name].process
        assert {key: process.get(key) for key in fields} == fields
