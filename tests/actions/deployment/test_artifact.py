from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from actions.deployment import artifact
from core.errors import PermanentError, TransientError, UserError
from tests.actions.deployment.archives import tar, zip_


def make_tree(folder: Path) -> Path:
    (folder / "bin").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "bin" / "serve").write_text("#!/bin/sh\nexec sleep 300\n")
    (folder / "bin" / "serve").chmod(0o755)
    (folder / "config.txt").write_text("x = 1\n")
    (folder / "current").symlink_to("bin/serve")
    return folder


def shape(folder: Path) -> dict[str, tuple[str, bool]]:
    """The files of a folder: content and whether executable."""
    return {
        str(path.relative_to(folder)): (
            path.read_text(),
            os.access(path, os.X_OK) and bool(path.stat().st_mode & 0o100),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink()
    }


FILES = {"bin/serve": b"#!/bin/sh\n", "config.txt": b"x = 1\n"}


@pytest.mark.parametrize("name", ["shop.tar", "shop.tar.gz", "shop.tgz", "shop.tar.xz", "shop.zip"])
async def test_archive_is_unpacked_whole_with_its_executables(tmp_path: Path, name: str) -> None:
    source = tmp_path / name
    if name.endswith(".zip"):
        zip_(source, FILES, executable={"bin/serve"})
    else:
        tar(source, FILES, executable={"bin/serve"})
    sha256 = await artifact.digest(source)
    folder = await artifact.ensure_unpacked(source, f"sha256:{sha256.upper()}", tmp_path / "store")
    assert folder == tmp_path / "store" / sha256
    assert shape(folder) == {"bin/serve": ("#!/bin/sh\n", True), "config.txt": ("x = 1\n", False)}
    assert await artifact.is_whole(folder)
    assert sorted(path.name for path in (tmp_path / "store").iterdir()) == [sha256, f"{sha256}.manifest.json"]


async def test_directory_is_copied_with_links_and_empty_directories(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "source")
    sha256 = await artifact.digest(source)
    folder = await artifact.ensure_unpacked(source, sha256, tmp_path / "store")
    assert shape(folder) == shape(source)
    assert (folder / "current").readlink() == Path("bin/serve")
    assert (folder / "empty").is_dir()
    assert await artifact.digest(folder) == sha256


async def test_checksum_of_a_directory_is_that_of_names_contents_and_executable_bits(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "a")
    sha256 = await artifact.digest(source)
    assert await artifact.digest(make_tree(tmp_path / "b")) == sha256
    os.utime(source / "config.txt", (0, 0))
    (source / "config.txt").chmod(0o600)
    assert await artifact.digest(source) == sha256
    seen = {sha256}
    for change in (
        lambda: (source / "config.txt").write_text("x = 2\n"),
        lambda: (source / "config.txt").chmod(0o700),
        lambda: (source / "config.txt").rename(source / "config.yml"),
        (source / "empty").rmdir,
        (source / "current").unlink,
    ):
        change()
        seen.add(await artifact.digest(source))
    assert len(seen) == 6


async def test_wrong_checksum_is_refused_naming_both(tmp_path: Path) -> None:
    for source in (tar(tmp_path / "shop.tar", FILES), make_tree(tmp_path / "source")):
        sha256 = await artifact.digest(source)
        with pytest.raises(UserError, match=f"{source}: its sha256 is {sha256}, but {'0' * 64} is expected"):
            await artifact.ensure_unpacked(source, "0" * 64, tmp_path / "store")
        assert list((tmp_path / "store").iterdir()) == []


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "../" + "0" * 61, "0" * 65])
async def test_text_that_is_no_checksum_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UserError, match="is no sha256; give its 64 hexadecimal digits"):
        await artifact.ensure_unpacked(tmp_path, text, tmp_path / "store")


async def test_missing_or_strange_artifact_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.zip: it does not exist; give the path"):
        await artifact.digest(tmp_path / "gone.zip")
    (tmp_path / "shop.rar").write_bytes(b"x")
    with pytest.raises(UserError, match=r"neither a directory nor an archive we know \(\.tar \.tar\.gz"):
        await artifact.digest(tmp_path / "shop.rar")


async def test_unpacking_again_keeps_what_is_whole_and_mends_what_is_damaged(tmp_path: Path) -> None:
    source = tar(tmp_path / "shop.tar", FILES)
    sha256 = await artifact.digest(source)
    folder = await artifact.ensure_unpacked(source, sha256, tmp_path / "store")
    before = (folder / "config.txt").stat().st_ino
    (folder / "__pycache__").mkdir()
    await artifact.unpack(source, sha256, folder)
    assert (folder / "config.txt").stat().st_ino == before
    (folder / "config.txt").write_text("broken")
    await artifact.unpack(source, sha256, folder)
    assert (folder / "config.txt").read_text() == "x = 1\n"
    source.unlink()
    await artifact.unpack(source, sha256, folder)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "config.txt").write_text("x = 2\n"), "config.txt was changed"),
        (lambda folder: (folder / "config.txt").unlink(), "config.txt is missing"),
        (lambda folder: (folder / "bin" / "serve").chmod(0o644), "bin/serve was changed"),
        (lambda folder: (folder / "current").unlink(), "current is missing"),
        (lambda folder: folder.rename(folder.with_name("x")), "it is not there"),
        (lambda folder: folder.with_name(folder.name + ".manifest.json").write_text("{"), "its manifest is missing or"),
        (lambda folder: folder.with_name(folder.name + ".manifest.json").unlink(), "its manifest is missing or"),
    ],
)
async def test_damage_to_an_unpacked_artifact_is_found_and_named(tmp_path: Path, damage: object, message: str) -> None:
    source = make_tree(tmp_path / "source")
    folder = tmp_path / "r7"
    await artifact.unpack(source, await artifact.digest(source), folder)
    (folder / "run.log").write_text("added since: does not matter")
    await artifact.verify(folder)
    damage(folder)  # type: ignore[operator]
    assert not await artifact.is_whole(folder)
    with pytest.raises(PermanentError, match=f"artifact in {folder}: {message}.*; deploy its version again"):
        await artifact.verify(folder)


async def test_other_artifact_replaces_what_is_in_the_folder(tmp_path: Path) -> None:
    one, two = tar(tmp_path / "one.tar", {"a": b"1"}), tar(tmp_path / "two.tar", {"b": b"2"})
    folder = tmp_path / "r7"
    await artifact.unpack(one, await artifact.digest(one), folder)
    await artifact.unpack(two, await artifact.digest(two), folder)
    assert shape(folder) == {"b": ("2", False)}


async def test_unused_artifacts_and_what_a_crash_left_are_removed(tmp_path: Path) -> None:
    store = tmp_path / "store"
    assert await artifact.remove_unused(store, []) == []
    folders = []
    for name in ("one", "two"):
        source = tar(tmp_path / f"{name}.tar", {name: b"x"})
        folders.append(await artifact.ensure_unpacked(source, await artifact.digest(source), store))
    (store / ".unfinished-abc").mkdir()
    (store / "notes").mkdir()
    assert await artifact.remove_unused(store, [folders[0].name]) == [folders[1].name]
    names = {path.name for path in store.iterdir()}
    assert names == {folders[0].name, f"{folders[0].name}.manifest.json", "notes"}
    await artifact.remove(folders[0])
    await artifact.remove(folders[0])
    assert {path.name for path in store.iterdir()} == {"notes"}


async def test_link_that_leaves_a_directory_is_refused(tmp_path: Path) -> None:
    source = make_tree(tmp_path / "source")
    for target in ("/etc/passwd", "../outside", "bin/../../outside"):
        (source / "current").unlink()
        (source / "current").symlink_to(target)
        with pytest.raises(UserError, match=f"link current -> {target} leads out of the artifact"):
            await artifact.digest(source)


async def test_device_in_a_directory_is_refused(tmp_path: Path) -> None:
    os.mkfifo(make_tree(tmp_path / "source") / "pipe")
    with pytest.raises(UserError, match="pipe is a device, socket or pipe; only files"):
        await artifact.digest(tmp_path / "source")


async def test_full_disk_is_told_as_something_that_may_pass(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tar(tmp_path / "shop.tar", FILES)
    sha256 = await artifact.digest(source)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(TransientError, match="No space left on device"):
        await artifact.ensure_unpacked(source, sha256, tmp_path / "store")
    assert list((tmp_path / "store").iterdir()) == []


async def test_unpacked_files_can_be_read_by_others_whatever_the_umask(tmp_path: Path) -> None:
    source = tar(tmp_path / "shop.tar", FILES, executable={"bin/serve"})
    before = os.umask(0o077)
    try:
        await artifact.unpack(source, await artifact.digest(source), tmp_path / "r7")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "r7").rglob("*")}
    assert modes == {"bin": 0o755, "serve": 0o755, "config.txt": 0o644}
