from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandlot.compat.jupyter.connection import CHANNELS, connection_from, read
from sandlot.contracts.errors import InvalidSpec, NotFound, SandlotError, Unsupported

PORTS = {f"{name}_port": 5000 + number for number, name in enumerate(CHANNELS)}
FACTS = {"ip": "127.0.0.1", "transport": "tcp", "signature_scheme": "hmac-sha256", "key": "k", **PORTS}


def test_connection_file_is_read_and_its_key_is_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "kernel.json"
    path.write_text(json.dumps({**FACTS, "key": "secret", "kernel_name": "x"}), encoding="utf-8")
    found = read(path)
    assert found.endpoint("shell") == "tcp://127.0.0.1:5000"
    assert found.facts() == {**FACTS, "key": b"secret"}
    assert "secret" not in repr(found)


def test_addresses_are_written_as_zeromq_reads_them() -> None:
    free = dict.fromkeys(PORTS, 0)
    assert connection_from({**FACTS, **free}).endpoint("hb") == "tcp://127.0.0.1:*"
    assert connection_from({**FACTS, "ip": "::1"}).endpoint("shell") == "tcp://[::1]:5000"
    assert (
        connection_from({**FACTS, "transport": "ipc", "ip": "/run/k"}).endpoint("shell")
        == "ipc:///run/k-5000"
    )


@pytest.mark.parametrize(
    ("changed", "error", "why"),
    [
        ({"ip": "0.0.0.0"}, Unsupported, "this machine only"),
        ({"ip": "192.0.2.1"}, Unsupported, "this machine only"),
        ({"ip": "*"}, Unsupported, "this machine only"),
        ({"transport": "inproc"}, Unsupported, "not offered"),
        ({"curve_publickey": "x"}, Unsupported, "encrypted"),
        ({"key": ""}, InvalidSpec, "no key"),
        ({"key": 5}, InvalidSpec, "text"),
        ({"ip": 5}, InvalidSpec, "text"),
        ({"hb_port": "5000"}, InvalidSpec, "numbers"),
        ({"hb_port": 70_000}, InvalidSpec, "numbers"),
        ({"hb_port": True}, InvalidSpec, "numbers"),
    ],
)
def test_what_strangers_could_reach_or_forge_is_refused(
    changed: dict[str, Any], error: type[SandlotError], why: str
) -> None:
    with pytest.raises(error, match=why):
        connection_from({**FACTS, **changed})


def test_files_that_tell_no_connection_are_refused(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="cannot be read"):
        read(tmp_path / "missing.json")
    for text in ("no json", "[]"):
        (tmp_path / "kernel.json").write_text(text, encoding="utf-8")
        with pytest.raises(InvalidSpec, match="JSON"):
            read(tmp_path / "kernel.json")
