from __future__ import annotations

import asyncio
import os
import threading
import time

import pytest

from collectors.readings import Batch
from collectors.system.filesystem import ERROR, Mount, MountReader, add_filesystems

ROOT, NFS, DATA = (Mount(f"dev{place}", place, "ext4", read_only=False) for place in ("/", "/nfs", "/data"))


class HangingDisk:
    """statvfs that hangs for one place until it is released."""

    def __init__(self) -> None:
        self.released = threading.Event()
        self.calls: list[str] = []

    def statvfs(self, path: str) -> os.statvfs_result:
        self.calls.append(path)
        if path == "/nfs":
            self.released.wait(10)
        return os.statvfs("/")


@pytest.fixture
def disk() -> HangingDisk:
    return HangingDisk()


async def wait_for_thread(name: str) -> None:
    while any(thread.name == name for thread in threading.enumerate()):
        await asyncio.sleep(0.001)


async def test_a_hanging_mount_holds_up_nothing_and_is_left_out_until_it_answers(disk: HangingDisk) -> None:
    reader = MountReader(patience_seconds=0.3, statvfs=disk.statvfs)
    before = time.monotonic()
    first = await reader.read([ROOT, NFS, DATA])
    assert time.monotonic() - before < 3
    assert [first[mount] is None for mount in (ROOT, NFS, DATA)] == [False, True, True]

    second = await reader.read([ROOT, NFS, DATA])
    assert [second[mount] is None for mount in (ROOT, NFS, DATA)] == [False, True, False]
    assert disk.calls.count("/nfs") == 1

    disk.released.set()
    await wait_for_thread("statvfs")
    third = await reader.read([ROOT, NFS, DATA])
    assert None not in third.values()


async def test_a_mount_that_hangs_when_the_collection_is_cancelled_is_left_out_too(disk: HangingDisk) -> None:
    reader = MountReader(patience_seconds=10, statvfs=disk.statvfs)
    task = asyncio.ensure_future(reader.read([NFS]))
    while not disk.calls:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await reader.read([NFS]) == {NFS: None}
    assert disk.calls == ["/nfs"]
    disk.released.set()
    await wait_for_thread("statvfs")


async def test_a_mount_that_cannot_be_read_is_told_as_such() -> None:
    def broken(_path: str) -> os.statvfs_result:
        raise OSError(5, "Input/output error")

    usage = await MountReader(statvfs=broken).read([ROOT])
    batch = Batch()
    add_filesystems(batch, usage)
    assert [(family, value) for (family, _, _), value in zip(batch.keys, batch.values, strict=True)] == [(ERROR, 1.0)]
