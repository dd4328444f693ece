"""The targets notice what they are there to notice: the engine and the readers are made to fail."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from appliance.config import load
from appliance.errors import FindingsError, PixguardError
from appliance.packet import segment
from appliance.smtp import inspector
from appliance.tcp import connection, stream
from tests.fuzz.target import TARGETS


def play(name: str, seed: str) -> None:
    target = TARGETS[name]
    import_module(target.module).one_input((target.corpus / seed).read_bytes())


def raising(error: Exception) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("seed", ["mail-6.3", "astray-4.0-stream", "mail-8.4"])
def test_a_verb_that_gets_through(monkeypatch, seed):
    monkeypatch.setattr(inspector.Inspector, "from_client", lambda self, fresh, whole: None)
    with pytest.raises(AssertionError, match=r"VRFY|EXPN"):
        play("segments", seed)


def test_copies_that_differ(monkeypatch):
    def trusting(self: stream.Stream, start: int, payload: bytes) -> stream.Overlap:
        fresh = payload[max(self.received - start, 0) :]
        run = stream.Run(self.to_out(start), payload[: len(payload) - len(fresh)])
        return stream.Overlap([run], fresh, None)

    monkeypatch.setattr(stream.Stream, "consistent", trusting)
    with pytest.raises(AssertionError):
        play("segments", "astray-6.3")


@pytest.mark.parametrize(
    ("name", "seed"), [("segments", "mail-6.3"), ("packets", "mail-6.3"), ("capture", "pcap")]
)
def test_an_engine_that_fails(monkeypatch, name, seed):
    monkeypatch.setattr(inspector.Inspector, "from_server", raising(IndexError("too far")))
    with pytest.raises(AssertionError, match="too far"):
        play(name, seed)


@pytest.mark.parametrize(("name", "seed"), [("segments", "mail-6.3"), ("packets", "mail-6.3")])
@pytest.mark.parametrize("sum_", ["fill_tcp", "fill_header"])
def test_a_wrong_checksum(monkeypatch, name, seed, sum_):
    monkeypatch.setattr(segment, sum_, lambda packet: None)
    with pytest.raises(AssertionError):
        play(name, seed.replace("6.3", "4.0"))


@pytest.mark.parametrize(("name", "seed"), [("segments", "mail-6.3"), ("packets", "mail-6.3")])
def test_memory_that_is_not_given_back(monkeypatch, name, seed):
    monkeypatch.setattr(connection.Connection, "let_go", lambda self: None)
    with pytest.raises(AssertionError):
        play(name, seed)


def test_readers_that_raise_what_they_may_not(monkeypatch):
    monkeypatch.setattr(load.TABLE, "find", raising(KeyError("verb")))
    with pytest.raises(KeyError, match="verb"):
        play("rule_file", "access-list")


@pytest.mark.parametrize("error", [PixguardError("\x1b[2J"), FindingsError(())])
def test_messages_that_are_not_fit_for_a_terminal(monkeypatch, error):
    from tests.fuzz.targets import box_file  # noqa: PLC0415

    monkeypatch.setattr(box_file, "load_box", raising(error))
    if isinstance(error, FindingsError):
        play("box_file", "whole")
    else:
        with pytest.raises(AssertionError, match="x1b"):
            play("box_file", "whole")
