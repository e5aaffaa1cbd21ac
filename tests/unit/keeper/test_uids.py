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
    taken = [block.take(nobody) for _ in range(uids.SHARE)]
    assert len(set(taken)) == uids.SHARE
    with pytest.raises(Refusal, match=str(uids.SHARE)):
        block.take(nobody)
    block.give_back(taken[5])
    assert block.take(nobody) == taken[5]
    block.release()


def test_a_used_uid_returns_last_and_only_when_no_process_has_it(directory: int, proc: int) -> None:
    block = uids.claim(directory, proc)
    first = block.take(nobody)
    block.give_back(first)
    others = [block.take(nobody) for _ in range(uids.SHARE - 1)]
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


def test_ranges_lent_meet_neither_each_other_nor_single_uids(directory: int, proc: int) -> None:
    block = uids.claim(directory, proc)
    single = range(block.first, block.first + uids.SHARE)
    lent = [block.lend() for _ in range(uids.BLOCK_SIZE // uids.SHARE - 1)]
    numbers = [each.first + step for each in lent for step in (0, each.size - 1)]
    assert sorted(numbers) == sorted(set(numbers))
    assert all(number not in single for number in numbers)
    assert max(numbers) < block.first + uids.BLOCK_SIZE
    with pytest.raises(Refusal, match="lent") as refused:
        block.lend()
    assert refused.value.code == "start_failed"
    assert block.take(nobody) in single
    block.release()


def test_a_range_that_came_back_is_lent_again(directory: int, proc: int) -> None:
    block = uids.claim(directory, proc)
    lent = [block.lend() for _ in range(uids.BLOCK_SIZE // uids.SHARE - 1)]
    block.take_back(lent[3])
    block.take_back(lent[3])
    assert block.lend().first == lent[3].first
    with pytest.raises(Refusal):
        block.lend()
    block.release()


def test_a_ranges_first_uid_is_its_makers_and_no_other_is_given_twice() -> None:
    lent = uids.UidRange(1_000_000, 5)
    assert [lent.take() for _ in range(4)] == [1, 2, 3, 4]
    with pytest.raises(Refusal, match="all 5") as refused:
        lent.take()
    assert refused.value.code == "start_failed"


def test_the_uid_that_is_free_longest_is_given_next() -> None:
    lent = uids.UidRange(1_000_000, 5)
    taken = [lent.take() for _ in range(4)]
    for number in (taken[2], taken[0]):
        lent.give_back(number)
    assert [lent.take(), lent.take()] == [3, 1]
    fresh = uids.UidRange(1_000_000, 5)
    fresh.give_back(fresh.take())
    assert fresh.take() == 2  # one never used before one that was
