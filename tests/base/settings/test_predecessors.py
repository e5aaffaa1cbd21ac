"""Variables of the predecessors: what they mean, what goes before them, and what they may not say."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Dict

import pytest

from sandlot import settings
from sandlot.contracts.errors import InvalidSpec
from sandlot.contracts.spec import Network

needs_toml = pytest.mark.skipif(sys.version_info < (3, 11), reason="TOML is read from Python 3.11 on")

DEPLOYED = {
    "SANDBOX_CPU_QUOTA": "2",
    "SANDBOX_MEMORY_LIMIT": "131072",
    "SANDBOX_ALLOW_NETWORK": "true",
    "SANDBOX_TIMEOUT_SECONDS": "300",
    "SANDBOX_MAX_USER_PROGRESS": "10",
    "SANDBOX_POOL_SIZE": "2",
}
"""What the original's chart sets."""


def test_what_the_original_was_deployed_with_means_what_its_names_say() -> None:
    chosen = settings.load({}, DEPLOYED, [])
    assert (chosen.cpu, chosen.memory, chosen.pids) == (2.0, 128 * 2**20, 10)
    assert (chosen.timeout, chosen.pool_depth) == (300.0, 2)
    assert (chosen.network, chosen.allow_network) == (Network.FULL, True)
    assert chosen.limits.asked() == ("memory", "cpu", "pids")


def test_each_of_them_is_told_as_an_origin() -> None:
    shown = settings.load({}, DEPLOYED, []).to_json()
    named = {entry["origin"] for entry in shown.values()} - {"default"}
    assert {f"variable {variable}" for variable in DEPLOYED} <= named


@pytest.mark.parametrize("environ", [{}, {"SANDBOX_ALLOW_NETWORK": ""}])
def test_the_network_stays_off_where_nobody_said_anything(environ: Dict[str, str]) -> None:
    chosen = settings.load({}, environ, [])
    assert (chosen.network, chosen.allow_network) == (Network.NONE, False)
    assert chosen.origins["network"] == "default"


@pytest.mark.parametrize("word", ["true", "1", "YES", " on "])
def test_the_network_is_on_for_the_words_of_the_original(word: str) -> None:
    assert settings.load({}, {"SANDBOX_ALLOW_NETWORK": word}, []).network is Network.FULL


@pytest.mark.parametrize("word", ["false", "0", "No", "off"])
def test_the_network_is_off_for_their_opposites(word: str) -> None:
    chosen = settings.load({}, {"SANDBOX_ALLOW_NETWORK": word}, [])
    assert (chosen.network, chosen.allow_network) == (Network.NONE, False)
    assert chosen.origins["network"] == "variable SANDBOX_ALLOW_NETWORK"


def test_our_own_name_goes_before_theirs() -> None:
    ours = {"SANDLOT_MEMORY": "1Gi", "SANDLOT_NETWORK": "none", "SANDLOT_ALLOW_NETWORK": "false"}
    chosen = settings.load({}, {**DEPLOYED, **ours}, [])
    assert (chosen.memory, chosen.origins["memory"]) == (2**30, "variable SANDLOT_MEMORY")
    assert (chosen.network, chosen.allow_network) == (Network.NONE, False)
    assert chosen.origins["cpu"] == "variable SANDBOX_CPU_QUOTA"


@needs_toml
def test_theirs_go_before_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('memory = "1Gi"\ncpu = 0.5\n', encoding="utf-8")
    chosen = settings.load({}, {"SANDBOX_CPU_QUOTA": "2"}, [file])
    assert (chosen.cpu, chosen.memory) == (2.0, 2**30)


@pytest.mark.parametrize(
    ("variable", "text", "said"),
    [
        ("SANDBOX_MEMORY_LIMIT", "128Mi", "131072 for 128 MiB"),
        ("SANDBOX_MEMORY_LIMIT", "-1", "not memory in KB"),
        ("SANDBOX_MEMORY_LIMIT", "\u0661\u0662\u0663\u0664\u0665\u0666", "not memory in KB"),
        ("SANDBOX_MEMORY_LIMIT", "256", "'256' MB is 262144 KB"),
        ("SANDBOX_CPU_QUOTA", "many", "number of cores such as 0.5"),
        ("SANDBOX_CPU_QUOTA", "0", "use 1m to 4096"),
        ("SANDBOX_TIMEOUT_SECONDS", "5m", "one such as 300"),
        ("SANDBOX_TIMEOUT_SECONDS", "0", "more than 0"),
        ("SANDBOX_POOL_SIZE", "65", "use 0 to 64"),
        ("SANDBOX_MAX_USER_PROGRESS", "0", "use 1 to"),
        ("SANDBOX_ALLOW_NETWORK", "maybe", "one of true, 1, yes"),
    ],
)
def test_a_bad_value_names_its_variable_and_what_is_allowed(variable: str, text: str, said: str) -> None:
    for hiding in ({}, {"SANDLOT_MEMORY": "1Gi", "SANDLOT_CPU": "1"}):
        with pytest.raises(InvalidSpec) as caught:
            settings.load({}, {variable: text, **hiding}, [])
        assert f"variable {variable}: " in caught.value.message
        assert said in caught.value.message


def test_what_others_call_a_sandbox_is_not_for_us() -> None:
    assert settings.load({}, {"SANDBOX_ISOLATION_TYPE": "docker", "SANDBOX_ID": "7"}, []).engine is None
