"""Snappy blocks and their declared lengths."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.remote_write.block import BlockError, TooLargeError, compress, declared_length, decompress


@given(st.binary(max_size=300))
def test_a_block_gives_back_what_it_holds(plain: bytes) -> None:
    block = compress(plain)
    assert declared_length(block) == len(plain)
    assert decompress(block, 300) == plain


def test_a_block_that_says_too_much_is_refused_before_it_is_decompressed() -> None:
    bomb = b"\xff\xff\xff\xff\x0f" + b"\x00" * 10  # says 4 GiB
    with pytest.raises(TooLargeError, match="holds 4294967295 bytes, more than 1000; send smaller"):
        decompress(bomb, 1000)


@pytest.mark.parametrize("body", [b"", b"\xff" * 20, b"\x05\x00", b"hello world", b"\x03" + compress(b"abcdef")[1:]])
def test_what_is_no_block_is_refused_in_words(body: bytes) -> None:
    with pytest.raises(BlockError, match="no snappy block"):
        decompress(body, 10_000)
