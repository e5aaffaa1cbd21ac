from __future__ import annotations

import gzip
import io
import socket
import tarfile
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from sandlot.testing import tars
from sandlot.testing.servers import RunningServer
from tests.unit.native.calls import Calls, Told, until

HOSTILE = [(case, name, data) for case, rows in tars.REFUSED.items() for name, data in rows]
TAR = "application/x-tar"


def _upload(call: Calls, box: str, body: object, dest: str = "/workspace") -> Told:
    return call("POST", f"{box}/files/upload?dest={dest}", body, Content_Type=TAR)


def _names(call: Calls, box: str, path: str = "/workspace") -> set[str]:
    return {each["name"] for each in call("GET", f"{box}/files/list?path={path}").json["entries"]}


def test_an_upload_comes_back_as_a_gzip_tar(call: Calls, box: str) -> None:
    """NoxRunner's clients name the type of a tar and send gzip."""
    files = {"d/f": b"hello", "g": bytes(300_000)}
    told = _upload(call, box, tars.honest_by_library(files), "%2Fworkspace%2Fnew+place")
    assert (told.status, told.json) == (200, {"dest": "/workspace/new place"})
    packed = call("GET", f"{box}/files/download?src=%2Fworkspace%2Fnew+place")
    assert (packed.status, packed.headers["content-type"]) == (200, TAR)
    with tarfile.open(fileobj=io.BytesIO(packed.body), mode="r:gz") as opened:
        found = {member.name: opened.extractfile(member) for member in opened if member.isfile()}
        assert {name: file.read() for name, file in found.items() if file} == files


def test_an_upload_in_chunks_without_compression_is_taken(call: Calls, box: str) -> None:
    def pieces() -> Iterator[bytes]:
        data = tars.plain("one", "two")
        for begin in range(0, len(data), 700):
            yield data[begin : begin + 700]

    assert _upload(call, box, pieces(), "chunks").status == 200
    assert _names(call, box, "chunks") == {"one", "two"}


def test_one_file_is_downloaded_by_its_own_name(call: Calls, box: str) -> None:
    call("PUT", f"{box}/files/content?path=alone", b"content")
    packed = call("GET", f"{box}/files/download?src=alone").body
    with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as opened:
        assert opened.getnames() == ["alone"]


def test_what_is_not_there_is_not_downloaded(call: Calls, box: str) -> None:
    assert call("GET", f"{box}/files/download?src=nothing").code == "not_found"
    assert call("GET", f"{box}/files/download?src=../x").code == "path_escape"
    assert call("GET", f"{box}/files/download?src=/etc").code == "path_escape"
    assert _upload(call, box, tars.plain("a"), "/etc").code == "path_escape"


@pytest.mark.parametrize(
    ("case", "name", "data"), HOSTILE, ids=[f"{case}-{name}" for case, name, _ in HOSTILE]
)
def test_a_hostile_archive_is_refused_whole(call: Calls, box: str, case: str, name: str, data: bytes) -> None:
    """Z01 to Z14."""
    del case, name
    before = _names(call, box), _names(call, box, "/tmp")
    assert _upload(call, box, data).code in ("invalid_spec", "path_escape")
    assert (_names(call, box), _names(call, box, "/tmp")) == before


def test_a_bomb_ends_at_the_quota(call: Calls) -> None:
    """Z08, Z09: the sandbox's own disk is the bound, and nothing of the bomb is left."""
    path = "/v1/sandboxes/bombed"
    call("PUT", path, {"limits": {"disk": "8Mi", "inodes": 500}})
    began = time.monotonic()
    assert _upload(call, path, tars.zeros_bomb(2**30)).status in (400, 507)
    assert _upload(call, path, tars.many(50_000)).status in (400, 507)
    assert time.monotonic() - began < 20
    assert _names(call, path) == set()
    call("DELETE", path)


def test_a_client_that_leaves_in_the_middle_leaves_nothing(
    call: Calls, box: str, server: RunningServer
) -> None:
    """E23."""
    data = tars.plain("half", "whole")
    host = urlsplit(server.url)
    before = _names(call, box)
    with socket.create_connection((host.hostname, host.port)) as raw:
        head = f"POST {box}/files/upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n"
        raw.sendall(head.encode() + data[:1000])
        until(lambda: bool(_names(call, box) >= before))
    until(lambda: _names(call, box) == before)


def test_other_clients_are_served_while_large_trees_are_packed(call: Calls, box: str) -> None:
    """D07."""
    call("POST", f"{box}/exec", {"cmd": ["sh", "-c", "mkdir -p big && head -c 60M /dev/urandom > big/file"]})
    slowest = 0.0
    with call.begun("GET", f"{box}/files/download?src=big") as answer:
        size = 0
        while piece := answer.read(4_000_000):
            size += len(piece)
            began = time.monotonic()
            call("GET", "/healthz")
            slowest = max(slowest, time.monotonic() - began)
    assert size > 60_000_000
    assert slowest < 0.5
    call("DELETE", f"{box}/files?path=big&recursive=true")


def test_a_download_of_hostile_things_is_a_safe_archive(call: Calls) -> None:
    """Z15."""
    path = "/v1/sandboxes/hostile-tree"
    call("PUT", path, {})
    program = (
        "import os, socket\n"
        "os.symlink('/etc/passwd', 'link'); os.symlink('/', 'root'); os.mkfifo('fifo')\n"
        "socket.socket(socket.AF_UNIX).bind('socket')\n"
        "open('new\\nline', 'w').write('x'); open('setuid', 'w').write('y'); os.chmod('setuid', 0o4755)\n"
    )
    assert call("POST", f"{path}/exec", {"code": program}).json["exitCode"] == 0
    packed = call("GET", f"{path}/files/download")
    assert packed.status == 200
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(packed.body))) as opened:
        for member in opened:
            assert not member.name.startswith("/")
            assert ".." not in member.name.split("/")
            assert member.isfile() or member.isdir() or member.issym()
            assert not member.mode & 0o6000
            assert (
                b"root:" not in opened.fileobj.getvalue() if isinstance(opened.fileobj, io.BytesIO) else True
            )
    call("DELETE", path)
