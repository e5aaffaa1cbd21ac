"""Z01 to Z15: what no honest archive holds is refused whole, and what a workspace holds comes out safe."""

from __future__ import annotations

import gzip
import io
import tarfile
import time
from collections.abc import Iterable
from pathlib import PurePosixPath

import pytest

from sandlot.client import Client
from sandlot.contracts.errors import InvalidSpec
from sandlot.testing import tars
from sandlot.testing.hostile.canary import Canaries
from sandlot.testing.servers import RunningServer
from tests.threats.proof import resident
from tests.threats.raw import Answer, ask

pytestmark = [pytest.mark.engine, pytest.mark.timeout(60)]

_TARGET = PurePosixPath("/workspace/target")
_MIB = 2**20
_HALF = tars.archive(tars.Entry(b"half-extracted", data=b"x"))[: -2 * tars.BLOCK]


@pytest.fixture
def target(server: RunningServer, box: str) -> str:
    """A directory that holds one file, which must be as it was after every refusal."""
    assert _upload(server, box, tars.plain("kept")).json == {"dest": str(_TARGET)}
    return box


@pytest.mark.parametrize("case", tars.REFUSED)
def test_z_an_archive_that_breaks_a_rule_is_refused_whole(
    server: RunningServer, target: str, case: str
) -> None:
    taken = {}
    for what, data in tars.REFUSED[case]:
        is_packed = data[:2] == b"\x1f\x8b"
        variants = (data, gzip.compress(data)) if is_packed else (_HALF + data, gzip.compress(_HALF + data))
        for number, variant in enumerate(variants):
            answer = _upload(server, target, variant)
            if (answer.status, answer.code) != (400, "invalid_spec"):
                taken[what, number] = answer
    assert taken == {}
    assert _tree(server, target) == ["./target", "./target/kept"]


def test_z07_odd_metadata_is_made_harmless(server: RunningServer, target: str) -> None:
    entries = (
        tars.Entry(b"set-uid", data=b"x", mode=0o6755),
        tars.Entry(b"sticky", data=b"x", mode=0o1777),
        tars.Entry(b"owned", data=b"x", uid=0o1777777),
        tars.Entry(b"unreadable", data=b"x", mode=0),
        tars.Entry(b"future", data=b"x", mtime=b"\x80" + (2**40).to_bytes(11, "big")),
        tars.Entry(b"past", data=b"x", mtime=b"\xff" * 12),
    )
    for entry in entries:
        assert _upload(server, target, tars.archive(entry)).status in (200, 400)
    listed = ask(server, "GET", f"/v1/sandboxes/{target}/files/list?path=target").json["entries"]
    assert {"set-uid", "owned", "kept"} <= {each["name"] for each in listed}
    for each in listed:
        assert each["mode"] & 0o7000 == 0
        assert 0 <= each["mtime"] <= 2**33


def test_z08_bombs_are_refused_early_and_fill_no_memory(
    server: RunningServer, client: Client, target: str
) -> None:
    memory = resident(server)
    nested = gzip.compress(b"".join(tars.zeros_bomb(512 * _MIB)))
    bombs: tuple[Iterable[bytes], ...] = (tars.zeros_bomb(10 * 2**30), [nested])
    for bomb in bombs:
        began = time.monotonic()
        with pytest.raises(InvalidSpec):
            client.reach(target).put(_TARGET, bomb)
        assert time.monotonic() - began < 10
    assert resident(server) - memory < 32 * _MIB
    assert _tree(server, target) == ["./target", "./target/kept"]


_TRAPS = """
import os, socket
secret = {secret!r}
ends = dict(passwd='/etc/passwd', canary=secret, up='../../../..' + secret, proc='/proc/self/root' + secret,
            root='/', loop='link-loop', dangling='nowhere', inside='honest')
for name, end in ends.items():
    os.symlink(end, 'link-' + name)
os.mkdir('through'); os.symlink(os.path.dirname(secret), 'through/out')
open('honest', 'w').write('honest'); os.link('honest', 'hard'); os.chmod('honest', 0o6755)
os.mkfifo('fifo'); socket.socket(socket.AF_UNIX).bind('socket')
for name in (b'bad\\xff', b'new\\nline', b'-rf', b' lead', b'x' * 255, '\\u202egpj.exe'.encode()):
    open(name, 'wb').write(b'odd')
deep = 'deep'
for _ in range(60):
    deep += '/' + 'd' * 50
os.makedirs(deep)
os.mkdir('closed'); open('closed/kept', 'w').write('kept'); os.chmod('closed', 0)
open('unreadable', 'w').write('mine'); os.chmod('unreadable', 0)
"""


def test_z15_a_workspace_full_of_traps_comes_out_as_a_safe_archive(
    server: RunningServer, client: Client, box: str, canaries: Canaries
) -> None:
    made = ask(
        server, "POST", f"/v1/sandboxes/{box}/exec", {"code": _TRAPS.format(secret=str(canaries.secret))}
    ).json
    assert made["exitCode"] == 0, made["stderr"]
    data = b"".join(client.reach(box).get(PurePosixPath("/workspace")))
    with tarfile.open(fileobj=io.BytesIO(data)) as opened:
        members = opened.getmembers()
        read = {m.name: opened.extractfile(m) for m in members if m.isreg()}
        contents = {name: file.read() for name, file in read.items() if file is not None}
    assert all(m.isreg() or m.isdir() or m.issym() for m in members)
    assert all(m.mode & 0o7000 == 0 for m in members)
    assert not [m.name for m in members if m.name.startswith("/") or ".." in m.name.split("/")]
    out = [
        m.linkname for m in members if m.issym() and (m.linkname[:1] == "/" or ".." in m.linkname.split("/"))
    ]
    assert out == []
    assert not [
        name for name, content in contents.items() if canaries.seen_in(content) or b"root:" in content
    ]
    assert contents["honest"] == b"honest"
    assert contents["-rf"] == b"odd"


def test_z15_a_link_is_shown_and_never_followed_by_any_verb(
    server: RunningServer, box: str, canaries: Canaries
) -> None:
    code = _TRAPS.format(secret=str(canaries.secret))
    assert ask(server, "POST", f"/v1/sandboxes/{box}/exec", {"code": code}).json["exitCode"] == 0
    files = f"/v1/sandboxes/{box}/files"
    for name in (
        "link-passwd",
        "link-canary",
        "link-up",
        "link-proc",
        "through/out/secret",
        "link-root/etc/passwd",
    ):
        for verb in ("content", "download", "list"):
            parameter = "src" if verb == "download" else "path"
            answer = ask(server, "GET", f"{files}/{verb}?{parameter}={name}")
            told = (
                gzip.decompress(answer.body) if answer.status == 200 and verb == "download" else answer.body
            )
            assert not canaries.seen_in(told)
            assert b"root:" not in told
            assert answer.status in (400, 404, 409) or verb == "download", (name, verb, answer)
        for method, target, body in (
            ("PUT", f"/content?path={name}", b"changed"),
            ("POST", "/move", {"path": "honest", "to": f"{name}/moved"}),
            ("POST", "/mkdir", {"path": f"{name}/made", "parents": True}),
            ("POST", f"/upload?dest={name}", tars.plain("uploaded")),
        ):
            answer = ask(server, method, files + target, body)
            assert answer.status in (400, 404, 409) or target.startswith("/content"), (name, target, answer)
    assert ask(server, "GET", f"{files}/stat?path=link-root").json["kind"] == "symlink"
    assert canaries.disturbances() == ()


def _upload(server: RunningServer, box: str, data: bytes) -> Answer:
    target = f"/v1/sandboxes/{box}/files/upload?dest=target"
    return ask(server, "POST", target, data, Content_Type="application/x-tar")


def _tree(server: RunningServer, box: str) -> list[str]:
    """Every name in the workspace, hidden ones too."""
    found = ask(server, "POST", f"/v1/sandboxes/{box}/exec", {"cmd": ["find", ".", "-mindepth", "1"]})
    return sorted(found.json["stdout"].split())
