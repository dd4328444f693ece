"""Regular expressions as ASA's `regex` has them."""

import re
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.smtp.expression import Expression, ExpressionError


def finds(text: str, data: bytes) -> bool:
    return Expression("x", text).search(data)


@pytest.mark.parametrize(
    ("text", "found", "not_found"),
    [
        ("d.g", b"a doggonnit", b"dg"),
        ("d(o|a)g", b"dag", b"dg"),
        ("do|ag", b"do", b"dg"),
        ("lo?se", b"lse", b"loose"),
        ("lo*se", b"looose", b"lase"),
        ("lo+se", b"loose", b"lse"),
        ("ab(xy){3}z", b"abxyxyxyz", b"abxyxyz"),
        ("ab(xy){2,}z", b"abxyxyxyz", b"abxyz"),
        ("ab(xy){1,2}z", b"abxyxyz", b"abxyxyxyz"),
        ("a(b){0,1}c", b"ac", b"abbc"),
        ("[abc]x", b"cx", b"dx"),
        ("[^a-z]x", b"Ax", b"ax"),
        ("[abcq-z]", b"s", b"d"),
        ("[a-]", b"-", b"b"),
        ("[-a]", b"-", b"b"),
        ("[]a]", b"]", b"b"),
        ("^abc", b"x\nabc", b"xabc"),
        (r"\[", b"[", b"x"),
        (r"\.exe", b"a.exe", b"aexe"),
        (r"\r\n\t\f", b"\r\n\t\f", b"rntf"),
        (r"\x41", b"A", b"B"),
        (r"\101", b"A", b"1"),
        ("a$", b"a$", b"a"),
        (" test", b"a test", b"test"),
        ("", b"", None),
        ("[Vv]iagra|(casino|poker)@", b"poker@example.com", b"poker example.com"),
    ],
)
def test_metacharacters(text, found, not_found):
    assert finds(text, found)
    assert not_found is None or not finds(text, not_found)


def test_case_counts():
    assert not finds("abc", b"ABC")


@pytest.mark.parametrize(
    ("text", "at", "problem"),
    [
        ("ab)", 2, "closes nothing"),
        ("a(b", 1, "not closed"),
        ("a[b", 1, "not closed"),
        ("*a", 0, "repeats nothing"),
        ("(|+)", 2, "repeats nothing"),
        ("a**", 2, "repeats a repetition"),
        ("a{b}", 1, "no number of repetitions"),
        ("a{3,2}", 1, "no number of repetitions"),
        ("a{999}", 1, "no number of repetitions"),
        ("a{2", 1, "no number of repetitions"),
        ("[z-a]", 1, "ends before it starts"),
        ("ab\\", 2, "escapes nothing"),
        (r"\xZZ", 0, "no number of a byte"),
        (r"\777", 0, "no number of a byte"),
        ("aé", 1, "not of ASCII"),
        ("((a{200}){200}){200}", None, "too large"),
    ],
)
def test_what_means_nothing_is_told_where(text, at, problem):
    with pytest.raises(ExpressionError, match=problem) as told:
        Expression("x", text)
    assert at is None or told.value.at == at


def test_no_text_takes_long():
    # In an engine that tries one way after the other, this takes longer than anybody waits.
    assert not finds("(a*)*(a|aa)+b", b"a" * 50_000)


_ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "^", r"\x61", r"\n"])
_EXPRESSIONS = st.recursive(
    _ATOMS,
    lambda inner: (
        st.tuples(inner, inner).map("".join)
        | st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})")
        | st.tuples(inner, st.sampled_from(["?", "*", "+", "{2}", "{1,}", "{0,2}"])).map(
            lambda two: f"({two[0]}){two[1]}"
        )
    ),
    max_leaves=6,
)
_TEXTS = [bytes(text) for n in range(5) for text in product(b"ab\n", repeat=n)]


@given(_EXPRESSIONS)
def test_agrees_with_another_engine(text):
    expression, other = Expression("x", text), re.compile(text.encode(), re.MULTILINE | re.DOTALL)
    for data in _TEXTS:
        assert expression.search(data) == bool(other.search(data)), data
