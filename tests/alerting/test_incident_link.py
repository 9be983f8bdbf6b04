"""Links that acknowledge: only from here, only for a time, only what they were made for."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alerting.incident_link import LinkExpiredError, LinkKeyError, LinkSigner, load_or_make_key
from core.errors import ForbiddenError

SIGNER = LinkSigner(b"k" * 32)


def test_a_link_says_what_its_holder_may_do_until_it_expires() -> None:
    token = SIGNER.token("acknowledge", 7, "anna", 1000.0)
    claim = SIGNER.read(token, 999.9)
    assert (claim.action, claim.incident, claim.person, claim.expires_at) == ("acknowledge", 7, "anna", 1000)
    with pytest.raises(LinkExpiredError, match="too old; use the console"):
        SIGNER.read(token, 1000.0)


def test_no_two_links_are_the_same() -> None:
    assert len({SIGNER.token("acknowledge", 7, "", 1000.0) for _ in range(50)}) == 50


@given(st.text(max_size=200))
def test_nothing_that_was_not_made_here_is_taken(text: str) -> None:
    with pytest.raises(ForbiddenError, match="damaged or not from here"):
        SIGNER.read(text, 0.0)


def test_a_changed_link_is_refused_wherever_it_was_changed() -> None:
    token = SIGNER.token("acknowledge", 7, "", 1000.0)
    for place in range(len(token)):
        other = "A" if token[place] != "A" else "B"
        changed = token[:place] + other + token[place + 1 :]
        try:
            claim = SIGNER.read(changed, 0.0)
        except ForbiddenError:
            continue
        # Base64 has spare bits in its last letter; such a change means the same.
        assert (place, claim.incident) in ((token.index(".") - 1, 7), (len(token) - 1, 7))


def test_another_key_opens_nothing() -> None:
    with pytest.raises(ForbiddenError):
        LinkSigner(b"x" * 32).read(SIGNER.token("acknowledge", 7, "", 1000.0), 0.0)


def test_a_key_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    key = load_or_make_key(file)
    assert len(key) == 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert load_or_make_key(file) == key
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_a_key_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    (tmp_path / "short").write_bytes(b"abc")
    with pytest.raises(LinkKeyError, match="has 3 bytes, not 32; remove it"):
        load_or_make_key(tmp_path / "short")
    with pytest.raises(LinkKeyError, match="No such file or directory"):
        load_or_make_key(tmp_path / "nowhere" / "key")
