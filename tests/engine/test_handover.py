"""Connections handed over from one engine to another, in the middle of anything."""

from __future__ import annotations

import io
import pickle
from collections.abc import Callable
from inspect import signature

import pytest

from appliance import handover
from appliance.admission import Admit
from appliance.errors import PixguardError
from appliance.events import ConnectionBuilt, Report
from appliance.firewall import Firewall
from appliance.smtp.release import RELEASES
from appliance.smtp.tally import Tally
from appliance.tcp.room import Room
from appliance.verdict import DROP, FORWARD, Verdict
from tests import wire as wires
from tests.engine import hosts, test_answers, test_releases, test_tcp
from tests.engine.feeding import greeted
from tests.wire import SYN, packet


class Succession:
    """A firewall that hands its connections over to another one behind every packet."""

    def __init__(self, admit: Admit, report: Report, recorded: bool = False) -> None:
        self._make: Callable[[], Firewall] = lambda: Firewall(admit, report, recorded)
        self.current = self._make()

    def receive(self, data: bytes, now: float, *where: str) -> Verdict:
        verdict = self.current.receive(data, now, *where)
        following = self._make()
        following.take_over(self.current.hand_over(), now)
        assert following.flows == self.current.flows
        assert (following.room.held, following.room.remembered) == (
            self.current.room.held,
            self.current.room.remembered,
        )
        self.current = following
        return verdict

    def __getattr__(self, name: str) -> object:
        return getattr(self.current, name)


SCENES = {
    f"{module.__name__.removeprefix('tests.engine.test_')}: {name}": scene
    for module in (test_answers, test_releases, test_tcp)
    for name, scene in vars(module).items()
    if name.startswith("test_") and not signature(scene).parameters
}


@pytest.fixture
def handing_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wires, "Firewall", Succession)
    monkeypatch.setattr(hosts, "Firewall", Succession)


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
@pytest.mark.usefixtures("handing_over")
def test_nobody_notices(scene):
    scene()


def open_session() -> wires.Wire:
    wire = greeted("8.4")
    wire.client(b"EHLO x\r\nMA")
    return wire


def test_numbers_go_on():
    wire = open_session()
    following = Firewall(wires.inspecting(RELEASES["8.4"]), wire.events.append)
    following.take_over(wire.firewall.hand_over(), wire.now)
    wire.firewall = following
    wire.give(packet(True, 77, 0, SYN, ports=(41000, 25)))
    assert [e.flow.number for e in wire.events if isinstance(e, ConnectionBuilt)] == [1, 2]


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda text: b"", "not connections"),
        (lambda text: b"pixguard\n" + text, "not connections"),
        (lambda text: text[:-1], "not whole"),
        (lambda text: text[:-9] + b"x" + text[-8:], "not whole"),
        (lambda text: text.replace(handover._layout(), b"0" * 64), "of another make"),
    ],
)
def test_what_cannot_be_used_is_refused_whole(damage, complaint):
    text = open_session().firewall.hand_over()
    following = Firewall(wires.inspecting(None), lambda event: None)
    with pytest.raises(PixguardError, match=complaint):
        following.take_over(damage(text), 1.0)
    assert following.flows == 0


@pytest.mark.parametrize("called", [print, eval, pickle.loads, io.open, Firewall])
def test_nothing_but_a_connection_is_read(called):
    class Trap:
        def __reduce__(self):
            return called, ("print(1)",)

    body = pickle.dumps([Trap()])
    text = b"%s %s %s\n%s" % (handover._TITLE, handover._layout(), handover._digest(body), body)
    with pytest.raises(PixguardError, match="is no part of a connection"):
        handover.read(text, lambda event: None, Room(), Tally())


def test_all_that_a_connection_consists_of_is_known():
    """Each class of the engine that holds state is one that may be handed over."""
    seen = set()

    class Observer(handover._Pickler):
        def reducer_override(self, obj):
            seen.add(type(obj))
            return super().reducer_override(obj)

    for name in RELEASES:
        wire = greeted(name)
        wire.client(b"EHLO x\r\nMAIL FROM:<a@b>\r\nDATA\r\nEX")
        wire.server(b"250 o")
        Observer(io.BytesIO(), wire.firewall._report).dump(list(wire.firewall._flows))
    engine = {each for each in seen if each.__module__.startswith("appliance")}
    assert engine <= set(handover._CLASSES)
    assert len(engine) > 12


def test_verdicts_are_those_of_one_engine():
    one, other = open_session(), open_session()
    following = Firewall(wires.inspecting(RELEASES["8.4"]), lambda event: None)
    following.take_over(other.firewall.hand_over(), other.now)
    other.firewall = following
    assert [w.client(b"IL FROM:<a@b>\r\n") for w in (one, other)] == [FORWARD] * 2
    assert [w.segment(True, 900_000, b"x") for w in (one, other)] == [DROP] * 2
