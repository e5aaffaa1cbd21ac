from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandlot.keeper import uids
from sandlot.keeper.launch import Refusal


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def proc() -> Iterator[int]:
    descriptor = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def nobody() -> set[int]:
    return set()


def test_two_keepers_never_share_a_uid(directory: int, proc: int) -> None:
    first, second = uids.claim(directory, proc), uids.claim(directory, proc)
    assert abs(first.first - second.first) >= uids.BLOCK_SIZE
    first.release()
    second.release()
    assert os.listdir(directory) == []


def test_a_released_block_is_free_again(directory: int, proc: int) -> None:
    first = uids.claim(directory, proc)
    first.release()
    again = uids.claim(directory, proc)
    assert again.first == first.first >= uids.FIRST_UID
    again.release()


def test_a_uid_is_not_given_twice_while_its_box_lives(directory: int, proc: int) -> None:
    block = uids.claim(directory, proc)
    taken = [block.take(nobody) for _ in range(uids.BLOCK_SIZE)]
    assert len(set(taken)) == uids.BLOCK_SIZE
    with pytest.raises(Refusal, match="1024"):
        block.take(nobody)
    block.give_back(taken[5])
    assert block.take(nobody) == taken[5]
    block.release()


def test_a_used_uid_returns_last_and_only_when_no_process_has_it(directory: int, proc: int) -> None:
    block = uids.claim(directory, proc)
    first = block.take(nobody)
    block.give_back(first)
    others = [block.take(nobody) for _ in range(uids.BLOCK_SIZE - 1)]
    assert first not in others
    with pytest.raises(Refusal):
        block.take(lambda: {first})
    assert block.take(nobody) == first
    block.release()


def test_sweep_takes_locks_nobody_holds_and_no_other(directory: int, proc: int) -> None:
    held = uids.claim(directory, proc)
    number = (held.first - uids.FIRST_UID) // uids.BLOCK_SIZE
    os.close(os.open(str((number + 17) % uids.BLOCKS), os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=directory))
    os.close(os.open("note", os.O_CREAT | os.O_WRONLY, 0o600, dir_fd=directory))
    assert uids.sweep(directory, proc) == 1
    assert sorted(os.listdir(directory)) == [str(number), "note"]
    assert uids.sweep(directory, proc) == 0
    held.release()
