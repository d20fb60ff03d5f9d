"""Masking: no secret gets through, wherever the text is cut."""

import base64
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tendril.masking import MASK, Masker, secret_values

SECRET = "s3cret-of-acme"


@given(st.lists(st.integers(0, 60), max_size=6))
def test_a_secret_is_masked_wherever_the_text_is_cut(cuts: list[int]) -> None:
    text = f"before {SECRET} and {SECRET}{SECRET} after s3cr"
    borders = sorted({0, len(text), *(min(cut, len(text)) for cut in cuts)})
    masker = Masker([SECRET, "other-secret"])
    pieces = [masker.feed(text[a:b]) for a, b in pairwise(borders)]
    assert "".join([*pieces, masker.finish()]) == text.replace(SECRET, MASK)


@given(st.text("ab", max_size=40), st.integers(0, 40))
def test_secrets_that_begin_alike_and_overlap_leave_nothing_behind(text: str, cut: int) -> None:
    secrets = ["aabaab", "aabaabb", "baabaa"]
    masker = Masker(secrets)
    shown = masker.feed(text[:cut]) + masker.feed(text[cut:]) + masker.finish()
    assert not any(secret in shown for secret in secrets)
    assert shown == Masker(secrets).mask(text)


def test_what_cannot_begin_a_secret_is_shown_at_once() -> None:
    masker = Masker([SECRET])
    assert masker.feed("a line\n") == "a line\n"
    assert masker.feed("a line that ends in s3c") == "a line that ends in "
    assert masker.feed("ond thoughts\n") == "s3cond thoughts\n"


def test_without_secrets_text_passes() -> None:
    masker = Masker([])
    assert masker.feed("anything") + masker.finish() == "anything"


def test_every_string_of_credentials_counts_in_each_form() -> None:
    key = "-----BEGIN KEY-----\nline/one+of/it=\nline-two\n-----END KEY-----"
    secrets = secret_values({"private_key": key, "nested": [{"unknown": 'quo"ted'}], "id": 5})
    masker = Masker(secrets)
    for form in (
        key,
        key.replace("\n", "\\n"),
        "line/one+of/it=",
        "line%2Fone%2Bof%2Fit%3D",
        base64.b64encode(b"line-two").decode(),
        'quo"ted',
        'quo\\"ted',
    ):
        assert not any(part in masker.mask(f"x{form}x") for part in ("line", "two", "ted"))


def test_short_values_are_left_alone() -> None:
    assert secret_values({"token": "abcde", "password": ""}) == frozenset()
