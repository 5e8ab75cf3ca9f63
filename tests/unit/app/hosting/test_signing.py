"""Signatures: they hold for one name and one key, in one spelling."""

from __future__ import annotations

import string

from hypothesis import given
from hypothesis import strategies as st

from app.hosting.signing import PREFIX, Signer

NAME = "1763705400-0123456789abcdef0123456789abcdef01234567.png"
SIGNER = Signer(b"k" * 32)


def test_a_name_s_own_signature_matches() -> None:
    assert SIGNER.matches(SIGNER.sign(NAME), NAME)
    assert SIGNER.path(NAME) == f"{PREFIX}{SIGNER.sign(NAME)}/{NAME}"


def test_a_signature_needs_no_escaping_in_a_url() -> None:
    signature = SIGNER.sign(NAME)
    assert len(signature) == 43
    assert set(signature) <= set(string.ascii_letters + string.digits + "-_")


def test_a_signature_holds_for_no_other_name_and_no_other_key() -> None:
    signature = SIGNER.sign(NAME)
    for position, char in enumerate(NAME):
        changed = NAME[:position] + ("8" if char != "8" else "9") + NAME[position + 1 :]
        assert not SIGNER.matches(signature, changed)
    assert not SIGNER.matches(Signer(b"l" * 32).sign(NAME), NAME)


def test_a_second_spelling_of_a_signature_is_a_wrong_one() -> None:
    signature = SIGNER.sign(NAME)
    alphabet = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"
    last = alphabet.index(signature[-1])
    others = [signature[:-1] + alphabet[last ^ unused] for unused in (1, 2, 3)]  # the same bytes, decoded leniently
    assert not any(SIGNER.matches(text, NAME) for text in [*others, signature + "=", signature + "\n", ""])


@given(st.text(alphabet=st.characters(codec=None)), st.text(alphabet=st.characters(codec=None)))
def test_no_text_makes_comparing_fail(signature: str, name: str) -> None:
    assert not SIGNER.matches(signature, name)


def test_the_key_is_not_shown() -> None:
    assert "k" * 8 not in repr(SIGNER)
