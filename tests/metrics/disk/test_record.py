"""Records: every undamaged one is found, whatever happened to the bytes around it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.disk.record import Damage, Record, pack, scan

PAYLOADS = st.lists(st.binary(max_size=40), min_size=1, max_size=8)


def packed(payloads: list[bytes]) -> bytes:
    return b"".join(b"".join(pack(kind, payload)) for kind, payload in enumerate(payloads))


def payloads_in(data: bytes) -> list[bytes]:
    return [bytes(record.payload) for record in scan(data) if isinstance(record, Record)]


@given(PAYLOADS)
def test_records_are_read_as_they_were_written(payloads: list[bytes]) -> None:
    assert payloads_in(packed(payloads)) == payloads


@given(PAYLOADS, st.data())
def test_cut_data_loses_the_last_records_only(payloads: list[bytes], data: st.DataObject) -> None:
    whole = packed(payloads)
    cut = whole[: data.draw(st.integers(0, len(whole)))]

    found = payloads_in(cut)

    assert found == payloads[: len(found)]
    assert len(packed(payloads[: len(found) + 1])) > len(cut) or found == payloads
    damages = [record for record in scan(cut) if isinstance(record, Damage)]
    assert all(damage.torn and damage.end == len(cut) for damage in damages)
    assert len(damages) == (len(packed(found)) < len(cut) if found else bool(cut))


@settings(max_examples=200)
@given(PAYLOADS, st.data())
def test_a_flipped_bit_loses_its_record_only(payloads: list[bytes], data: st.DataObject) -> None:
    whole = bytearray(packed(payloads))
    bit = data.draw(st.integers(0, 8 * len(whole) - 1))
    whole[bit // 8] ^= 1 << bit % 8
    hit = next(i for i in range(len(payloads)) if bit // 8 < len(packed(payloads[: i + 1])))

    assert payloads_in(bytes(whole)) == payloads[:hit] + payloads[hit + 1 :]
    assert [type(record) for record in scan(bytes(whole))].count(Damage) == 1
