"""What clients and servers are told: where, with which key, and who may come."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec

needs_toml = pytest.mark.skipif(sys.version_info < (3, 11), reason="TOML is read from Python 3.11 on")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_key_is_never_shown() -> None:
    chosen = settings.load({}, {"SANDLOT_KEY": "sl_0_secret", "HOME": "/h"}, [])
    assert chosen.key == "sl_0_secret"
    assert chosen.to_json()["key"] == {"value": "set", "origin": "variable SANDLOT_KEY"}
    assert "secret" not in repr(chosen)
    assert settings.load({}, {"HOME": "/h"}, []).to_json()["key"] == {"value": None, "origin": "default"}
    with pytest.raises(InvalidSpec) as caught:
        settings.load({}, {"SANDLOT_KEY": "sl_0 secret"}, [])
    assert "secret" not in str(caught.value)


def test_services_of_documents_and_their_token_are_read() -> None:
    said = {
        "SANDLOT_DOCUMENT_SERVICES": "http://docs:9123/, https://store/a",
        "SANDLOT_DOCUMENT_TOKEN": "ey.secret",
        "SANDLOT_SESSION_TTL": "2h",
    }
    chosen = settings.load({}, said, [])
    assert chosen.document_services == ("http://docs:9123", "https://store/a")
    assert (chosen.document_token, float(chosen.session_ttl)) == ("ey.secret", 7200.0)
    assert chosen.to_json()["document_token"]["value"] == "set"
    assert "secret" not in repr(chosen)
    assert settings.load({}, {}, []).document_services == ()


def test_a_key_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    file = write(tmp_path / "key", "sl_0_filed\n")
    chosen = settings.load({}, {"SANDLOT_KEY_FILE": str(file)}, [])
    assert (chosen.key, chosen.origins["key"]) == ("sl_0_filed", f"file {file}")
    flag = settings.load({"key_file": str(file)}, {"SANDLOT_KEY": "sl_0_said"}, [])
    assert flag.key == "sl_0_filed"
    assert settings.load({}, {"SANDLOT_KEY": "a", "SANDLOT_KEY_FILE": str(file)}, []).key == "a"


@pytest.mark.parametrize("content", [b"", b"two words", b"\xff", b"x" * 5000])
def test_a_key_file_without_a_key_is_an_error_without_its_content(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(InvalidSpec, match="key") as caught:
        settings.load({}, {"SANDLOT_KEY_FILE": str(file)}, [])
    assert "words" not in str(caught.value)
    with pytest.raises(InvalidSpec, match="FileNotFoundError"):
        settings.load({}, {"SANDLOT_KEY_FILE": str(tmp_path / "none")}, [])


def test_the_server_is_named_by_our_variable_or_by_noxrunners() -> None:
    theirs = {"NOXRUNNER_BASE_URL": "http://there:1/"}
    chosen = settings.load({}, theirs, [])
    assert (chosen.url, chosen.origins["url"]) == ("http://there:1", "variable NOXRUNNER_BASE_URL")
    assert settings.load({}, {**theirs, "SANDLOT_URL": "https://here"}, []).url == "https://here"


@pytest.mark.parametrize(
    "url", ["", "localhost:80", "ftp://x", "http://", "http://u:p@x", "http://x?a", "http://x#a", "http://[x"]
)
def test_what_is_no_server_is_refused(url: str) -> None:
    with pytest.raises(InvalidSpec) as caught:
        settings.load({"url": url}, {}, [])
    assert "u:p" not in str(caught.value)


def test_lists_and_tables_are_read_from_text_and_from_values() -> None:
    said = settings.load(
        {"allow_hosts": ["A.example", "[::1]:80"], "images": ["python:3.11=default"]},
        {"SANDLOT_ALLOW_ORIGINS": "https://a.example,http://b:1", "SANDLOT_ALLOW_PROCESS": "true"},
        [],
    )
    assert said.allow_hosts == ("a.example", "[::1]:80")
    assert said.allow_origins == ("https://a.example", "http://b:1")
    assert said.images == {"python:3.11": "default"}
    assert said.allow_process is True
    assert said.origins["allow_hosts"] == "flag --allow-host"
    written = settings.load({}, {"SANDLOT_IMAGES": "a/b:1=x, c=y"}, [])
    assert written.to_json()["images"]["value"] == {"a/b:1": "x", "c": "y"}


@needs_toml
def test_images_are_a_table_in_a_file(tmp_path: Path) -> None:
    user = write(tmp_path / "config.toml", '[images]\n"python:3.11" = "default"\n')
    assert settings.load({}, {}, [user]).images == {"python:3.11": "default"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", "65536"),
        ("port", "-1"),
        ("host", "a b"),
        ("unix", "relative"),
        ("auth", "none"),
        ("allow_hosts", "http://x"),
        ("allow_hosts", "*"),
        ("allow_hosts", 5),
        ("allow_origins", "x"),
        ("allow_origins", "https://x/path"),
        ("images", "python"),
        ("images", {"a": "../b"}),
        ("images", 5),
        ("allow_process", "yes please"),
        ("workspaces", "cloud"),
        ("most_commands", "0"),
        ("most_upload", "0"),
        ("grace", "-1"),
        ("session_ttl", "0"),
        ("document_services", "unix:///run/x.sock"),
        ("document_services", "http://user:secret@docs"),
        ("document_token", "two words"),
    ],
)
def test_a_bad_value_of_a_server_is_an_error(name: str, value: object) -> None:
    with pytest.raises(InvalidSpec, match="flag --"):
        settings.load({name: value}, {}, [])


@needs_toml
@pytest.mark.parametrize("line", ['url = "http://evil"', 'key = "k"', "allow_process = true", 'host = "::"'])
def test_a_project_file_chooses_no_server(tmp_path: Path, line: str) -> None:
    with pytest.raises(InvalidSpec, match="project file may not set"):
        settings.load({}, {}, [write(tmp_path / settings.PROJECT_FILE, line)])


def test_what_kubernetes_tells_of_a_service_called_sandlot_is_not_for_us() -> None:
    environ = {
        "SANDLOT_SERVICE_HOST": "10.0.0.1",
        "SANDLOT_SERVICE_PORT_HTTP": "80",
        "SANDLOT_PORT": "tcp://10.0.0.1:80",
        "SANDLOT_PORT_80_TCP_ADDR": "10.0.0.1",
    }
    assert settings.load({}, environ, []).port == 8080
    assert settings.load({}, {"SANDLOT_PORT": "80"}, []).port == 80


def test_proxies_are_found_in_either_case_but_not_where_a_request_could_set_them() -> None:
    environ = {"http_proxy": "a", "HTTP_PROXY": "b", "NO_PROXY": "c", "FTP_PROXY": "d", "HTTPS_PROXY": ""}
    assert settings.proxy_variables(environ) == {
        "http_proxy": "a",
        "HTTP_PROXY": "b",
        "NO_PROXY": "c",
        "HTTPS_PROXY": "",
    }
    assert "HTTP_PROXY" not in settings.proxy_variables({**environ, "REQUEST_METHOD": "GET"})


def test_a_service_manager_is_heard_of_by_its_variable() -> None:
    assert settings.notify_socket({"NOTIFY_SOCKET": "/run/n"}) == "/run/n"
    assert settings.notify_socket({"NOTIFY_SOCKET": ""}) is None
    assert settings.notebook_client({"JPY_PARENT_PID": "4711"}) == 4711
    assert [settings.notebook_client({"JPY_PARENT_PID": text}) for text in ("", "0", "-1", "x")] == [None] * 4
