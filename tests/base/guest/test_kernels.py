"""Contexts of other languages, as far as they need no kernel: which there are, and what a kernel says."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any, Dict, List

import pytest

from sandlot.guest.contexts import kernel_messages, kernels
from sandlot.guest.contexts.channel import Channel
from sandlot.guest.contexts.outlet import Outlet
from sandlot.wire import json_object
from sandlot.wire.frames import Kind
from tests.base.guest.driver import Host

SPEC = {"argv": ["x", "{connection_file}"], "display_name": "X", "language": "x"}


def told(kind: str, content: Dict[str, Any]) -> List[Dict[str, Any]]:
    """The events that a message of a kernel becomes."""
    reading, writing = os.pipe()
    asking, _ = os.pipe()
    kernel_messages.tell(Outlet(Channel(asking, writing, -1)), kind, content)
    os.close(writing)
    with open(reading, "rb") as lines:
        return [json_object.parse(line, max_depth=64) for line in lines]


def test_messages_of_a_kernel_become_events() -> None:
    bundle = {"data": {"text/plain": "1"}, "metadata": {}}
    assert told("stream", {"name": "stderr", "text": "a"}) == [
        {"event": "text", "stream": "stderr", "text": "a"}
    ]
    (shown,) = told("update_display_data", {**bundle, "transient": {"display_id": "d"}})
    assert (shown["event"], shown["id"], shown["update"], shown["data"]) == (
        "display",
        "d",
        True,
        bundle["data"],
    )
    assert told("display_data", bundle)[0]["id"] is None
    assert told("execute_result", {**bundle, "execution_count": 3})[0]["count"] == 3
    (failed,) = told("error", {"ename": "", "evalue": "2", "traceback": []})
    assert (failed["name"], failed["value"], failed["traceback"]) == ("Error", "2", ["Error: 2\n"])
    assert told("clear_output", {"wait": True}) == [{"event": "clear", "wait": True}]
    assert told("status", {"execution_state": "idle"}) == told("comm_open", {}) == []
    assert told("display_data", {"data": [], "metadata": 1})[0]["data"] == {}


def test_kernels_are_those_whose_specifications_can_be_read(tmp_path: Path) -> None:
    for name, text in (("a", json.dumps(SPEC)), ("b", "{"), ("c", "{}"), ("d", None)):
        folder = tmp_path / "share" / "jupyter" / "kernels" / name
        folder.mkdir(parents=True)
        if text is not None:
            (folder / "kernel.json").write_text(text)
    (found,) = kernels.specs_below(str(tmp_path))
    assert found == {**SPEC, "folder": str(tmp_path / "share" / "jupyter" / "kernels" / "a")}
    assert kernels.specs_below(str(tmp_path / "none")) == []


@pytest.mark.skipif(sys.platform != "linux", reason="the agent needs Linux")
def test_a_language_that_the_environment_lacks_is_refused_and_says_what_it_has(tmp_path: Path) -> None:
    with Host(str(tmp_path)) as host:
        stream = host.open("run", code=True, context=True, stdin=True, language="cobol")
        host.send(stream, Kind.SOURCE_END)
        assert host.finish(stream).ok["exit_code"] == 3
        refused = json_object.parse(host.replies[stream].value)
    assert refused["event"] == "refused"
    assert "no Jupyter kernel for cobol" in refused["message"]
    assert "python" in refused["message"]
