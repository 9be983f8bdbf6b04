from __future__ import annotations

import gzip
import stat
import tarfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions.deployment import archive
from actions.deployment.tree import Budget
from core.errors import UserError
from tests.actions.deployment.archives import regular, special, tar, tar_of, zip_, zip_of

Members = Sequence[tuple[tarfile.TarInfo, bytes]]


def unpacked(path: Path, budget: Budget | None = None) -> Path:
    folder = path.parent / "room" / "out"
    folder.mkdir(parents=True)
    archive.unpack(path, folder, budget)
    return folder


def everything(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


EVIL_TARS: dict[str, tuple[Members, str]] = {
    "absolute": ([regular("/tmp/evil")], "would land outside"),
    "climbing": ([regular("../evil")], "would land outside"),
    "climbing in the middle": ([regular("a/../../evil")], "would land outside"),
    "climbing directory": ([special("../evil", tarfile.DIRTYPE)], "would land outside"),
    "absolute link": ([special("l", tarfile.SYMTYPE, "/etc/passwd")], "leads out of the archive"),
    "climbing link": ([special("l", tarfile.SYMTYPE, "../../evil")], "leads out of the archive"),
    "file through a link": (
        [special("l", tarfile.SYMTYPE, ".."), regular("l/evil")], r"File exists|leads out",
    ),
    "link through a link": (
        [special("l", tarfile.SYMTYPE, ".."), special("l/evil", tarfile.SYMTYPE, "x")], "lies behind a link",
    ),
    "links that climb together": (
        [special("a/b/c/s", tarfile.SYMTYPE, "../../.."), special("e", tarfile.SYMTYPE, "a/b/c/s/../evil")],
        "leads out of the archive",
    ),
    "links in a circle": (
        [special("a", tarfile.SYMTYPE, "b"), special("b", tarfile.SYMTYPE, "a")], "",
    ),
    "hard link out": ([special("l", tarfile.LNKTYPE, "/etc/passwd")], "would land outside"),
    "hard link to nothing": ([special("l", tarfile.LNKTYPE, "later")], "does not come before it"),
    "character device": ([special("null", tarfile.CHRTYPE)], "is a device"),
    "block device": ([special("disk", tarfile.BLKTYPE)], "is a device"),
    "pipe": ([special("pipe", tarfile.FIFOTYPE)], "is a device"),
    "twice": ([regular("a", b"1"), regular("a", b"2")], "File exists"),
    "link twice": ([special("l", tarfile.SYMTYPE, "a"), special("l", tarfile.SYMTYPE, "b")], "comes twice"),
    "link over a file": ([regular("a"), special("a", tarfile.SYMTYPE, "b")], "File exists"),
}  # fmt: skip


@pytest.mark.parametrize("name", EVIL_TARS)
def test_unsafe_tar_is_refused_and_nothing_lands_outside(tmp_path: Path, name: str) -> None:
    members, message = EVIL_TARS[name]
    path = tar_of(tmp_path / "evil.tar", members)
    if name == "links in a circle":
        assert_refused_or_inside(path)
    else:
        with pytest.raises((UserError, OSError), match=message):
            unpacked(path)
    assert everything(tmp_path / "room") - {"out"} == {f"out/{inner}" for inner in everything(tmp_path / "room/out")}
    assert {entry.name for entry in tmp_path.iterdir()} == {"evil.tar", "room"}


def assert_refused_or_inside(path: Path) -> None:
    try:
        folder = unpacked(path)
    except UserError:
        return
    assert everything(folder) == {"a", "b"}


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("/tmp/evil", stat.S_IFREG | 0o644, b"x")], "would land outside"),
        ([("../evil", stat.S_IFREG | 0o644, b"x")], "would land outside"),
        ([("a/../../evil", stat.S_IFREG | 0o644, b"x")], "would land outside"),
        ([("../evil/", stat.S_IFDIR | 0o755, b"")], "would land outside"),
        ([("l", stat.S_IFLNK | 0o777, b"/etc/passwd")], "leads out of the archive"),
        ([("l", stat.S_IFLNK | 0o777, b"../x")], "leads out of the archive"),
        ([("dev", stat.S_IFCHR | 0o600, b"")], "is a device or pipe"),
    ],
)
def test_unsafe_zip_is_refused(tmp_path: Path, members: Sequence[tuple[str, int, bytes]], message: str) -> None:
    with pytest.raises(UserError, match=message):
        unpacked(zip_of(tmp_path / "evil.zip", members))
    assert everything(tmp_path / "room") == {"out"} | {f"out/{p}" for p in everything(tmp_path / "room/out")}


def test_zip_that_holds_a_name_twice_is_refused(tmp_path: Path) -> None:
    member = ("a", stat.S_IFREG | 0o644, b"x")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = zip_of(tmp_path / "twice.zip", [member, member])
    with pytest.raises(OSError, match="File exists"):
        unpacked(path)


def test_links_inside_and_hard_links_are_kept(tmp_path: Path) -> None:
    members = [
        special("current", tarfile.SYMTYPE, "releases/1"),
        special("releases", tarfile.DIRTYPE),
        regular("releases/1/run", b"run"),
        special("same", tarfile.LNKTYPE, "releases/1/run"),
        special("releases/up", tarfile.SYMTYPE, "../same"),
    ]
    folder = unpacked(tar_of(tmp_path / "good.tar", members))
    assert (folder / "current" / "run").read_text() == "run"
    assert (folder / "same").read_text() == "run"
    assert (folder / "releases" / "up").read_text() == "run"


@pytest.mark.parametrize("name", ["bomb.tar.gz", "bomb.tar.xz", "bomb.zip"])
def test_bomb_is_stopped_by_what_comes_out(tmp_path: Path, name: str) -> None:
    content = {"zeros": bytes(20_000_000)}
    path = zip_(tmp_path / name, content) if name.endswith(".zip") else tar(tmp_path / name, content)
    assert path.stat().st_size < 100_000
    with pytest.raises(UserError, match="holds more than 1000000 bytes unpacked"):
        unpacked(path, Budget(max_bytes=1_000_000))
    written = sum(found.stat().st_size for found in (tmp_path / "room").rglob("*") if found.is_file())
    assert written <= 1_000_000


def test_too_many_entries_are_refused(tmp_path: Path) -> None:
    path = tar(tmp_path / "many.tar", {str(number): b"" for number in range(30)})
    with pytest.raises(UserError, match="holds more than 20 files"):
        unpacked(path, Budget(max_entries=20))


def test_header_of_many_megabytes_is_refused_before_it_is_in_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = tarfile.XHDTYPE, 1 << 30
    path = tmp_path / "evil.tar.gz"
    with gzip.open(path, "wb") as file:
        file.write(header.tobuf(format=tarfile.USTAR_FORMAT) + bytes(1 << 20))
    with pytest.raises(UserError, match="a header in it has 1073741824 bytes"):
        unpacked(path)


@pytest.mark.parametrize("name", ["cut.tar", "cut.tar.gz", "cut.tar.xz", "cut.zip"])
@pytest.mark.parametrize("share", [0, 0.3, 0.9])
def test_damaged_archive_is_refused(tmp_path: Path, name: str, share: float) -> None:
    content = {"a": bytes(range(256)) * 400}
    path = zip_(tmp_path / name, content) if name.endswith(".zip") else tar(tmp_path / name, content)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share * (0.9 if name == "cut.tar" else 1))])
    with pytest.raises(UserError, match="it is damaged or no archive of the kind that its name says"):
        unpacked(path)


def test_encrypted_zip_is_refused(tmp_path: Path) -> None:
    path = zip_(tmp_path / "a.zip", {"a": b"secret"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="'a' is encrypted; build the archive without a password"):
        unpacked(path)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=600), st.sampled_from([".tar", ".tar.gz", ".tar.xz", ".zip"]), st.integers(0, 10_000))
def test_no_bytes_crash_it(tmp_path_factory: pytest.TempPathFactory, noise: bytes, suffix: str, place: int) -> None:
    folder = tmp_path_factory.mktemp("fuzz")
    files = {"a": b"hello" * 50, "b/c": b"x"}
    path = zip_(folder / "a.zip", files) if suffix == ".zip" else tar(folder / f"a{suffix}", files)
    data = path.read_bytes()
    at = place % len(data)
    path.write_bytes(data[:at] + noise + data[at + len(noise) :])
    try:
        unpacked(path)
    except (UserError, OSError):
        return
