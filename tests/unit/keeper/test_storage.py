"""The store of kept workspaces: what the service can do with them without ever looking into one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sandlot.contracts import errors
from sandlot.contracts.spec import WorkspaceKind
from sandlot.keeper import images
from sandlot.keeper.storage import WorkspaceStore
from tests.unit.keeper.witness import IS_ROOT

pytestmark = pytest.mark.linux

SIZE, INODES = 16 * 2**20, 500
DEEP = 10_000
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW

needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root may mount images")


@pytest.fixture
def store(tmp_path: Path) -> WorkspaceStore:
    return WorkspaceStore(tmp_path / "workspaces")


def image_of(tmp_path: Path, name: str) -> Path:
    return tmp_path / "workspaces" / f"{name}.img"


def test_what_works_here_is_proven_and_what_does_not_has_a_cause(store: WorkspaceStore) -> None:
    kinds = store.kinds()
    assert kinds == store.kinds()
    if IS_ROOT:
        assert kinds == {WorkspaceKind.IMAGE: None, WorkspaceKind.DIRECTORY: None}
    else:
        assert "root" in (kinds[WorkspaceKind.IMAGE] or "")


@needs_root
def test_an_image_is_sparse_bounded_and_nobodys_in_particular(store: WorkspaceStore, tmp_path: Path) -> None:
    for name in ("one", "two"):
        store.create(name, WorkspaceKind.IMAGE, SIZE, INODES)
        status = image_of(tmp_path, name).stat()
        assert (status.st_size, stat.S_IMODE(status.st_mode), status.st_nlink) == (SIZE, 0o600, 1)
        assert status.st_blocks * 512 < 2**20
    assert image_of(tmp_path, "one").read_bytes() == image_of(tmp_path, "two").read_bytes()
    assert store.names() == ["one", "two"]
    assert store.kind_of("one") is WorkspaceKind.IMAGE
    store.remove("one")
    assert store.names() == ["two"]


@pytest.mark.parametrize(
    ("blocks", "asked", "made"),
    [(131_072, 100_000, 99_968), (256, 100_000, 256), (256, 6, 16), (32_768, 100, 96), (65_536, 100, 96)],
)
def test_an_image_never_holds_more_files_than_were_allowed(blocks: int, asked: int, made: int) -> None:
    assert images.inode_count(blocks, asked) == made
    assert made - 10 <= asked


def test_a_bound_an_image_cannot_keep_is_refused_with_one_that_it_can() -> None:
    with pytest.raises(errors.Unsupported, match="allow 54 or more"):
        images.inode_count(131_072, 50)
    assert images.inode_count(131_072, 54) == 64


@needs_root
def test_an_image_that_is_too_small_or_too_large_is_refused(store: WorkspaceStore) -> None:
    with pytest.raises(errors.InvalidSpec, match="too small"):
        store.create("small", WorkspaceKind.IMAGE, 4096, INODES)
    with pytest.raises(errors.DiskFull):
        store.create("large", WorkspaceKind.IMAGE, 2**50, 2**40)
    assert store.names() == []


def test_a_directory_is_made_listed_and_removed(store: WorkspaceStore) -> None:
    store.create("d.img", WorkspaceKind.DIRECTORY, SIZE, INODES)
    assert (store.names(), store.kind_of("d.img")) == (["d.img"], WorkspaceKind.DIRECTORY)
    for _ in range(2):
        store.remove("d.img")
    assert store.names() == []


def test_a_name_is_given_once_and_never_repaired(store: WorkspaceStore) -> None:
    store.create("taken", WorkspaceKind.DIRECTORY, SIZE, INODES)
    for kind in (WorkspaceKind.DIRECTORY, WorkspaceKind.IMAGE):
        with pytest.raises(errors.Conflict):
            store.create("taken", kind, SIZE, INODES)
    for name in ("", ".", "..", "../x", "a/b", ".hidden", "a\n", "x" * 129):
        with pytest.raises(errors.InvalidSpec):
            store.create(name, WorkspaceKind.DIRECTORY, SIZE, INODES)
        with pytest.raises(errors.InvalidSpec):
            store.remove(name)
    with pytest.raises(errors.NotFound):
        store.kind_of("nowhere")
    with pytest.raises(errors.InvalidSpec):
        store.create("memory", WorkspaceKind.MEMORY, SIZE, INODES)
    assert store.names() == ["taken"]


def test_a_place_that_others_can_write_is_refused(tmp_path: Path) -> None:
    open_one = tmp_path / "open"
    open_one.mkdir()
    open_one.chmod(0o777)
    for directory in (open_one, open_one / "below"):
        with pytest.raises(errors.EngineUnavailable, match=r"others|ours alone"):
            WorkspaceStore(directory)
    (tmp_path / "file").touch()
    with pytest.raises(errors.EngineUnavailable):
        WorkspaceStore(tmp_path / "file")


def test_the_place_is_closed_to_everybody_else(store: WorkspaceStore, tmp_path: Path) -> None:
    assert store.names() == []
    assert stat.S_IMODE((tmp_path / "workspaces").stat().st_mode) == 0o700


def _fill(top: Path, outside: Path) -> None:
    """What a hostile box leaves: a chain too deep for any path, closed directories, links out, odd files."""
    current = os.open(top, _DIRECTORY)
    for level in range(DEEP):
        os.mkdir("d", 0o700, dir_fd=current)
        below = os.open("d", _DIRECTORY, dir_fd=current)
        if level % 1000 == 0:
            os.symlink(outside, "out", dir_fd=current)
            os.symlink("..", "up", dir_fd=current)
        os.fchmod(current, 0 if level % 3 == 0 else 0o500)
        os.close(current)
        current = below
    os.mkfifo("fifo", dir_fd=current)
    os.close(current)


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    place = tmp_path / "outside"
    place.mkdir()
    (place / "precious").write_text("still here")
    return place


def _is_untouched(outside: Path) -> bool:
    status = outside.stat()
    kept = (outside / "precious").read_text() == "still here"
    return kept and (status.st_uid, stat.S_IMODE(status.st_mode)) == (os.geteuid(), 0o755)


def test_a_hostile_tree_is_removed_and_nothing_outside_it(
    store: WorkspaceStore, tmp_path: Path, outside: Path
) -> None:
    store.create("hostile", WorkspaceKind.DIRECTORY, 0, 0)
    _fill(tmp_path / "workspaces" / "hostile", outside)
    store.remove("hostile")
    assert os.listdir(tmp_path / "workspaces") == []
    assert _is_untouched(outside)


def test_a_removal_that_was_cut_short_is_finished_by_the_next_sweep(
    store: WorkspaceStore, tmp_path: Path
) -> None:
    left = tmp_path / "workspaces" / ".sandlot-removed-0"
    (left / "d" / "d").mkdir(parents=True)
    assert store.names() == []
    assert store.sweep() == 1
    assert os.listdir(tmp_path / "workspaces") == []
