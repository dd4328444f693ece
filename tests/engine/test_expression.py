"""Regular expressions as ASA's `regex` has them."""

import pickle
import re
from itertools import product
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.smtp import expression
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


def test_what_is_remembered_has_a_bound(monkeypatch):
    text = "a.{20}b(c|d){3}"
    expected = [finds(text, data) for data in _longer()]
    monkeypatch.setattr(expression, "MAX_SIZE", 50)
    machine = expression._Machine(text)
    assert [machine.search(data) for data in _longer()] == expected
    assert True in expected and False in expected
    assert sum(len(steps) for steps in machine._states) < 200


def _longer():
    random = Random(1)  # noqa: S311  nothing secret
    return [bytes(random.choices(b"abcd", k=200)) for _ in range(20)]


def test_an_expression_is_handed_over_without_what_a_search_remembers():
    fresh = len(pickle.dumps(Expression("x", "a.{20}b")))
    used = Expression("x", "a.{20}b")
    assert not used.search(bytes(range(97, 123)) * 9)
    sent = pickle.dumps(used)
    assert len(sent) == fresh
    again = pickle.loads(sent)  # noqa: S301  our own bytes
    assert again == used
    assert again.search(b"a" * 21 + b"b")


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
    ours, other = Expression("x", text), re.compile(text.encode(), re.MULTILINE | re.DOTALL)
    for data in _TEXTS:
        assert ours.search(data) == bool(other.search(data)), data
