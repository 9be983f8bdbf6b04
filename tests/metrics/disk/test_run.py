"""What is read by columns is what reading one by one finds, whatever happened to the bytes."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics.disk.entry import Decoder, Encoder, Entry, decode_all
from metrics.disk.record import Damage
from metrics.disk.run import Piece, decode_runs
from metrics.frame import NO_TIMESTAMP, End, Frame, Run
from tests.metrics.disk.store_model import layout

LAYOUTS = (layout(), layout("a"), layout("a", "b"), layout("c", "d", "e"))


@st.composite
def entries(draw: st.DrawFn) -> list[Entry]:
    """Return entries of two sources at odd times: all of the same layout, of others, and with own times."""
    made: list[Entry] = []
    for number in range(draw(st.integers(0, 25))):
        source, time = draw(st.sampled_from("st")), number * 10 + draw(st.integers(-25, 25))
        kind = draw(st.sampled_from(["frame", "frame", "frame", "own", "end"]))
        chosen = draw(st.sampled_from(LAYOUTS))
        values = np.arange(number, number + len(chosen), dtype=np.float64)
        if kind == "end":
            made.append(End(source, time))
        else:
            own = np.where(values % 2 == 0, NO_TIMESTAMP, time).astype(np.int64) if kind == "own" else None
            made.append(Frame(source, time, chosen, values, own))
    return made


def written(made: list[Entry]) -> bytes:
    encoder = Encoder()
    return b"".join(bytes(piece) for entry in made for piece in encoder.encode(entry))


def by_source(pieces: list[Entry | Piece]) -> dict[str, list[object]]:
    """Return what there is of each source, one frame after the other."""
    found: dict[str, list[object]] = {}
    for piece in pieces:
        told = found.setdefault(piece.source, [])
        if isinstance(piece, Run):
            rows = zip(piece.timestamps_ms.tolist(), piece.values.tolist(), strict=True)
            told += [(time, piece.layout.series, values, None) for time, values in rows]
        elif isinstance(piece, Frame):
            times = None if piece.timestamps_ms is None else piece.timestamps_ms.tolist()
            told.append((piece.timestamp_ms, piece.layout.series, piece.values.tolist(), times))
        else:
            told.append(piece)
    return found


@settings(max_examples=100)
@given(entries(), st.data())
def test_reading_by_columns_finds_what_reading_one_by_one_finds(made: list[Entry], data: st.DataObject) -> None:
    recorded = bytearray(written(made))
    damage = data.draw(st.sampled_from(["none", "flip", "cut"])) if recorded else "none"
    if damage == "flip":
        recorded[data.draw(st.integers(0, len(recorded) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    elif damage == "cut":
        del recorded[data.draw(st.integers(0, len(recorded) - 1)) :]

    singly = [entry for entry, _ in decode_all(bytes(recorded), 0, Decoder())]
    together = list(decode_runs(bytes(recorded), 0, Decoder()))

    assert by_source([piece for piece in together if not isinstance(piece, Damage)]) == by_source(
        [entry for entry in singly if not isinstance(entry, Damage)]
    )
    assert [piece for piece in together if isinstance(piece, Damage)] == [
        entry for entry in singly if isinstance(entry, Damage)
    ]


def test_frames_of_one_layout_are_one_run_whatever_other_sources_do_in_between() -> None:
    made: list[Entry] = [
        Frame(source, time, LAYOUTS[2], np.array([time, 0.0])) for time in range(50) for source in ("s", "t")
    ]

    found = list(decode_runs(written(made), 0, Decoder()))

    assert [type(piece) for piece in found] == [Run, Run]
