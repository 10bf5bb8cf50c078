"""Settings: where they come from, in which order, and what is said of a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import click
import msgspec
import pytest
from click.testing import CliRunner

from pipeline_host.cli.options import settings_options
from pipeline_host.config import Settings, load_settings, plugin_options, settings_reference
from pipeline_host.errors import InvalidSettings
from pipeline_host.settings import DECLARATIONS

WriteConfig = Callable[[str], Path]


class Options(msgspec.Struct, frozen=True):
    durability: Literal["full", "os"] = "full"
    size: Annotated[int, msgspec.Meta(ge=1)] = 10
    folder: Path | None = None


@pytest.fixture
def write_config(tmp_path: Path) -> WriteConfig:
    def write(text: str) -> Path:
        file = tmp_path / "settings.toml"
        file.write_text(text, "utf-8")
        return file

    return write


def refusal(*args: Any, **kwargs: Any) -> str:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(*args, **kwargs)
    return str(caught.value)


def test_without_anything_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings(env={"XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)})
    assert settings == Settings(data_dir=tmp_path / "pipeline_host")
    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 4000, 1)


def test_the_data_directory_is_below_the_home_where_no_other_is_told() -> None:
    settings = load_settings(env={"HOME": "/home/ada"})
    assert settings.data_dir == Path("/home/ada/.local/share/pipeline_host")


def test_a_flag_wins_over_the_environment_over_the_file(write_config: WriteConfig) -> None:
    file = write_config("port = 1\nworkers = 2\nheartbeat = 3\nstore = 'a'")
    env = {"PIPELINE_HOST_PORT": "11", "PIPELINE_HOST_WORKERS": "12"}
    settings = load_settings({"port": "21", "workers": None}, env, file)
    assert (settings.port, settings.workers, settings.heartbeat) == (21, 12, 3.0)
    assert settings.origins == {
        "port": "--port",
        "workers": "PIPELINE_HOST_WORKERS",
        "heartbeat": str(file),
        "store": str(file),
    }


def test_the_file_is_found_by_flag_environment_and_custom(tmp_path: Path) -> None:
    usual = tmp_path / "pipeline_host" / "config.toml"
    usual.parent.mkdir()
    usual.write_text("port = 1", "utf-8")
    named = tmp_path / "named.toml"
    named.write_text("port = 2", "utf-8")
    env = {"XDG_CONFIG_HOME": str(tmp_path)}
    assert load_settings(env=env).port == 1
    assert load_settings(env=env | {"PIPELINE_HOST_CONFIG": str(named)}).port == 2
    assert (
        load_settings(env=env | {"PIPELINE_HOST_CONFIG": "/nowhere"}, config_file=named).port == 2
    )


@pytest.mark.parametrize("name", DECLARATIONS)
def test_every_setting_can_be_set_from_everywhere(name: str, write_config: WriteConfig) -> None:
    texts = {
        "host": "::1",
        "data_dir": "/tmp/data",
        "store": "acme",
        "block": "a,b",
        "allowed_hosts": "box,lan",
        "allowed_origins": "https://a.example,https://b.example",
        "log_level": "debug",
        "open": "false",
    }
    text = texts.get(name, "true" if DECLARATIONS[name].is_switch else "1024")
    from_env = load_settings(env={f"PIPELINE_HOST_{name.upper()}": text})
    value = getattr(from_env, name)
    assert value != getattr(Settings(), name)
    flag = tuple(text.split(",")) if DECLARATIONS[name].is_list else text
    assert getattr(load_settings({name: flag}, {}), name) == value
    written = str(value) if isinstance(value, Path) else value
    file = write_config(f"{name} = {msgspec.json.encode(written).decode()}")
    assert getattr(load_settings(env={}, config_file=file), name) == value


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("port", "many", "an integer from 0 to 65535"),
        ("port", "-1", "an integer from 0 to 65535"),
        ("port", "65536", "an integer from 0 to 65535"),
        ("port", "80.5", "an integer from 0 to 65535"),
        ("workers", "0", "an integer from 1 to 1024"),
        ("host", "a b", "a host name or an IP address"),
        ("host", "http://x", "a host name or an IP address"),
        ("open", "perhaps", "true or false"),
        ("heartbeat", "0", "a number above 0, at most 86400"),
        ("heartbeat", "nan", "a number above 0, at most 86400"),
        ("keepalive", "inf", "a number from 0 to 86400"),
        ("log_level", "loud", "one of debug, info, warning, error, critical"),
        ("retention_max_age", "-1", "a number above 0, at most 3153600000"),
        ("retention_max_age", "1e14", "a number above 0, at most 3153600000"),
        ("retention_max_count", "x", "an integer from 0 to 1000000000000"),
        ("allowed_hosts", "box:80", "a list, each of it a host name, no port"),
        ("allowed_origins", "null", "a list, each of it an origin, https://example.org"),
        ("allowed_origins", "https://x/y", "a list, each of it an origin, https://example.org"),
    ],
)
def test_a_wrong_value_is_named_with_its_place_and_what_was_expected(
    name: str, text: str, expected: str, write_config: WriteConfig
) -> None:
    got = [text] if DECLARATIONS[name].is_list else text
    variable = f"PIPELINE_HOST_{name.upper()}"
    assert refusal(env={variable: text}) == f"{name} ({variable}): expected {expected}, got {got!r}"
    given = refusal({name: tuple(text.split(",")) if DECLARATIONS[name].is_list else text}, {})
    assert given.startswith(f"{name} ({DECLARATIONS[name].flag}): expected {expected}, got ")
    file = write_config(f"{name} = {msgspec.json.encode(got).decode()}")
    assert refusal(env={}, config_file=file).startswith(f"{name} ({file}): expected {expected}, ")


def is_number(name: str) -> bool:
    return type(DECLARATIONS[name].default) in (int, float) or name.startswith("retention_max")


@pytest.mark.parametrize("text", ["1e14", "inf", "nan", "-inf", str(10**30), "-1e14", "1e400"])
@pytest.mark.parametrize("name", [name for name in DECLARATIONS if is_number(name)])
def test_a_number_of_any_size_is_refused(name: str, text: str) -> None:
    assert ": expected a" in refusal({name: text}, {})


def test_a_value_in_the_file_has_its_type(write_config: WriteConfig) -> None:
    file = write_config("port = '4000'")
    assert refusal(env={}, config_file=file) == (
        f"port ({file}): expected an integer from 0 to 65535, got '4000'"
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("prot = 1", "prot ({file}): no such setting; did you mean port?"),
        ("origins = {}", "origins ({file}): no such setting"),
        ("[server]\nport = 1", "server ({file}): no such setting"),
        ("plugins = 1", "plugins ({file}): expected tables, [plugins.NAME]"),
        ("[plugins]\nfile = 1", "plugins.file ({file}): expected a table, [plugins.file]"),
    ],
)
def test_an_unknown_key_in_the_file_is_refused(
    text: str, sentence: str, write_config: WriteConfig
) -> None:
    file = write_config(text)
    assert refusal(env={}, config_file=file).startswith(sentence.format(file=file))


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    missing = tmp_path / "none.toml"
    assert refusal(env={}, config_file=missing) == f"{missing}: no such settings file"
    assert "no such settings file" in refusal(env={"PIPELINE_HOST_CONFIG": str(missing)})
    assert "can't be read: Is a directory" in refusal(env={}, config_file=tmp_path)


@pytest.mark.parametrize("text", ["port = ", "port", "\x00", "port = 1\nport = 2"])
def test_a_file_that_is_no_toml_is_refused_by_name(text: str, write_config: WriteConfig) -> None:
    file = write_config(text)
    assert refusal(env={}, config_file=file).startswith(f"{file}: expected TOML, but ")


def test_a_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_bytes(b"port = 1 # \xff")
    assert refusal(env={}, config_file=file).startswith(f"{file}: expected TOML, but ")


def test_variables_that_are_empty_or_unknown_are_not_set() -> None:
    env = {"PIPELINE_HOST_PORT": "", "PIPELINE_HOST_NOTHING": "1", "PIPELINE_HOST_BLOCK": ""}
    assert load_settings(env=env).origins == {}


def test_relative_paths_start_where_they_were_written(
    write_config: WriteConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    file = write_config("data_dir = 'data'")
    assert load_settings(env={}, config_file=file).data_dir == tmp_path / "data"
    assert load_settings({"data_dir": "data"}, {}).data_dir == elsewhere / "data"
    assert load_settings({"data_dir": "~/data"}, {}).data_dir == Path.home() / "data"
    assert refusal({"data_dir": ""}, {}) == "data_dir (--data-dir): expected a path, got ''"


def test_options_of_plugins_come_from_everywhere_too(write_config: WriteConfig) -> None:
    file = write_config("[plugins.acme]\ndurability = 'os'\nsize = 2\nfolder = 'x'")
    env = {"PIPELINE_HOST_PLUGINS_ACME_SIZE": "3"}
    settings = load_settings(env=env, config_file=file)
    assert plugin_options(settings, "acme", Options) == Options("os", 3, Path.cwd() / "x")
    settings = load_settings({"set": ("acme.size=4",)}, env, file)
    assert plugin_options(settings, "acme", Options).size == 4
    assert plugin_options(settings, "other", Options) == Options()
    settings = load_settings({"plugins": {"acme": {"size": 5}}}, {})
    assert plugin_options(settings, "acme", Options).size == 5


@pytest.mark.parametrize(
    ("assignment", "sentence"),
    [
        ("acme.size=0", "plugins.acme.size (--set acme.size): expected an integer of 1 or more"),
        ("acme.size=x", "plugins.acme.size (--set acme.size): expected an integer of 1 or more"),
        ("acme.durability=no", "plugins.acme.durability (--set acme.durability): expected one of"),
        ("acme.siz=1", "plugins.acme.siz (--set acme.siz): no such setting; did you mean size?"),
    ],
)
def test_a_wrong_option_of_a_plugin_is_named_like_any(assignment: str, sentence: str) -> None:
    settings = load_settings({"set": [assignment]}, {})
    with pytest.raises(InvalidSettings) as caught:
        plugin_options(settings, "acme", Options)
    assert str(caught.value).startswith(sentence)


@pytest.mark.parametrize("assignment", ["acme.size", "size=1", "acme.=1", ".size=1", "", "="])
def test_set_has_one_form(assignment: str) -> None:
    sentence = f"--set {assignment}: expected NAME.KEY=VALUE"
    assert refusal({"set": [assignment]}, {}) == sentence


def test_a_value_may_hold_an_equals_sign() -> None:
    assert load_settings({"set": ["a.b=c=d"]}, {}).plugins == {"a": {"b": "c=d"}}


def test_an_unknown_flag_is_refused() -> None:
    assert refusal({"prot": 1}, {}) == "prot (the program): no such setting; did you mean port?"


def test_the_reference_tells_of_every_setting() -> None:
    reference = settings_reference()
    for name, declaration in DECLARATIONS.items():
        row = next(line for line in reference.splitlines() if line.startswith(f"| `{name}` "))
        assert declaration.flag in row
        assert declaration.variable in row
        assert declaration.description in row
    assert "| `port` | `--port` | `PIPELINE_HOST_PORT` | `4000` |" in reference
    assert "an integer from 0 to 65535" in reference


def run(*args: str, env: dict[str, str] | None = None) -> Any:
    """What a command of ours gets, or the error that it would tell."""

    @click.command()
    @settings_options()
    def command(settings: Settings) -> None:
        results.append(settings)

    results: list[Settings] = []
    outcome = CliRunner().invoke(command, args, env=env or {})
    return results[0] if results else (outcome.exception if outcome.exception else outcome)


def test_commands_get_a_flag_for_each_setting() -> None:
    settings = run(
        *("--port", "0", "--no-open", "--safe-mode", "--block", "a", "--block", "b"),
        *("--allowed-host", "box", "--set", "file.durability=os", "--data-dir", "/tmp/x"),
    )
    assert (settings.port, settings.open, settings.safe_mode) == (0, False, True)
    assert (settings.block, settings.allowed_hosts) == (("a", "b"), ("box",))
    assert settings.plugins == {"file": {"durability": "os"}}
    assert settings.data_dir == Path("/tmp/x")


def test_a_flag_that_isnt_given_leaves_the_environment_alone() -> None:
    env = {"PIPELINE_HOST_OPEN": "false", "PIPELINE_HOST_BLOCK": "a"}
    settings = run(env=env)
    assert (settings.open, settings.block) == (False, ("a",))


def test_a_wrong_flag_is_told_like_any_wrong_setting() -> None:
    error = run("--port", "x")
    assert isinstance(error, InvalidSettings)
    assert str(error) == "port (--port): expected an integer from 0 to 65535, got 'x'"


def test_help_says_what_each_flag_expects() -> None:
    text = " ".join(run("--help").output.split())
    assert "--port VALUE The TCP port to listen on; 0 picks a free one." in text
    assert "[an integer from 0 to 65535; default: 4000]" in text
