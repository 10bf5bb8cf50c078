"""What a workspace is called: the same everywhere, from its folder's path alone."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_host.client import workspace_id, workspace_identity
from pipeline_host.client.ids import _color


def test_the_first_client_gives_the_same_folder_the_same_id() -> None:
    # printf %s /home/me/project | sha256sum
    assert workspace_id("/home/me/project") == "225df3094012a213"
    assert workspace_identity("/home/me/project").id == "225df3094012a213"


def test_a_path_is_made_absolute_as_node_does_it(tmp_path: Path) -> None:
    ways = ["//a/b", "///a", "//", "/a//b/", "/a/../../b", "a/./b", "..", "", "~/a", "//a/../.."]
    program = "console.log(JSON.stringify(process.argv.slice(1).map(p => path.resolve(p))))"
    done = subprocess.run(
        ["node", "-e", program, "--", *ways], cwd=tmp_path, stdout=subprocess.PIPE, check=True
    )
    with contextlib.chdir(tmp_path):
        assert [workspace_identity(way).root_path for way in ways] == json.loads(done.stdout)


def test_a_workspace_is_called_as_its_folder() -> None:
    found = workspace_identity("/home/me/project/")
    assert (found.name, found.root_path) == ("project", "/home/me/project")
    assert workspace_identity("/").name == "/"


def test_every_way_to_write_a_path_gives_the_same_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ways = (tmp_path, str(tmp_path), ".", "a/..", f"{tmp_path}/./")
    assert len({workspace_identity(way) for way in ways}) == 1


def test_a_link_is_a_workspace_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "folder")
    assert workspace_id(tmp_path / "link") != workspace_id(tmp_path / "folder")


def test_a_path_that_is_no_utf8_can_still_be_sent() -> None:
    found = workspace_identity("/tmp/\udcff")
    found.record()["name"].encode()
    found.record()["rootPath"].encode()


def test_its_record_is_what_the_server_takes() -> None:
    found = workspace_identity("/home/me/project")
    assert found.record() == {
        "id": "225df3094012a213",
        "name": "project",
        "rootPath": "/home/me/project",
        "color": found.color,
    }
    assert re.fullmatch("#[0-9a-f]{6}", found.color)


def contrast(one: float, other: float) -> float:
    """The contrast ratio of WCAG 2.2 between two luminances."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@given(st.floats(0, 1))
def test_a_colour_can_be_read_on_white_and_on_black(hue: float) -> None:
    found = luminance(_color(hue))
    assert contrast(found, 1) >= 4.4
    assert contrast(found, 0) >= 4.4
