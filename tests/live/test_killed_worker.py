"""A worker is killed under load: what its connections meet, and that nobody else is harmed."""

from __future__ import annotations

import os
import signal
import smtplib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, suppress

from tests.live.mailing import (
    RECIPIENT,
    BoxedLab,
    Mail,
    expected,
    mails,
    open_session,
    send,
)
from tests.live.test_appliance import log_has, workers
from tests.namespaces import needs_namespaces
from tests.waiting import eventually

pytestmark = needs_namespaces

LONG = 14
"""Sessions, half of them on each worker. One of each half asks for what is forbidden, each other
has a mail that takes longer than the murder."""

SHORT = 8
"""Senders besides, of one short mail after another."""

SILENCE = 6.0
"""Seconds after which a client of these tests gives up."""


class LongMail:
    """A session that has its mail under way when the worker dies, and the fate of it."""

    def __init__(self, mail: Mail) -> None:
        self.mail = mail
        self.session = open_session(SILENCE)
        self.under_way = threading.Event()

    def send(self) -> None:
        self.session.helo()
        self.session.mail("alice@example.org")
        self.session.rcpt(RECIPIENT)
        assert self.session.docmd("DATA")[0] == 354
        body = self.mail.content.replace(b"\r\n.", b"\r\n..")
        for at in range(0, len(body), 2000):
            self.session.send(body[at : at + 2000])
            self.under_way.set()
            time.sleep(0.02)
        assert self.session.docmd(".")[0] == 250
        assert self.session.quit()[0] == 221


def send_until(over: threading.Event, sent: Sequence[Mail]) -> tuple[list[Mail], list[Mail]]:
    """Send mails in a session each until told to stop; returns those accepted, and the others."""
    accepted, failed = [], []
    for mail in sent:
        if over.is_set():
            break
        try:
            send([mail], timeout=SILENCE)
        except OSError as error:
            assert met_silence(error), error
            failed.append(mail)
        else:
            accepted.append(mail)
    return accepted, failed


def met_silence(error: BaseException | None) -> bool:
    """Whether an error says that nothing came back; smtplib has its own, on top of that."""
    return isinstance(error, TimeoutError) or (
        isinstance(error, smtplib.SMTPServerDisconnected)
        and isinstance(error.__context__, TimeoutError)
    )


def ask_for_what_is_forbidden(session: smtplib.SMTP, over: threading.Event) -> list[bytes]:
    """Send VRFY again and again; returns what is answered."""
    heard = []
    session.sock.settimeout(0.3)
    while not over.is_set():
        with suppress(TimeoutError):
            session.sock.sendall(b"VRFY postmaster\r\n")
            heard.append(session.sock.recv(1000))
    return heard


def opened_by_worker(lab: BoxedLab, sent: Sequence[Mail]) -> tuple[list[LongMail], list[LongMail]]:
    """Sessions that are open, by the worker that they are on, as many on one as on the other."""
    sessions = [lab.client.call(LongMail, sent[0])]
    eventually(lambda: sum(lab.built()) == 1)
    first = lab.built().index(1)
    # New connections are dealt out to the workers in turn.
    sessions += [lab.client.call(LongMail, mail) for mail in sent[1:]]
    eventually(lambda: lab.built() == [len(sent) // 2] * 2)
    return sessions[first::2], sessions[1 - first :: 2]


def gathered(
    load: Sequence[Future[tuple[list[Mail], list[Mail]]]],
) -> tuple[list[Mail], list[Mail]]:
    """The mails of all senders: those accepted, and the others."""
    results = [each.result() for each in load]
    return [m for accepted, _ in results for m in accepted], [m for _, f in results for m in f]


def test_it_costs_its_own_connections_and_no_others() -> None:
    long = mails(LONG, 11, 150_000, 200_000, "long")
    short = [mails(1000, 100 + number, 500, 5000, "short") for number in range(SHORT)]
    with (
        BoxedLab(f"pxk{os.getpid()}", {"workers": 2}) as lab,
        ThreadPoolExecutor(LONG + SHORT + 4) as pool,
        ExitStack() as stack,
    ):
        over = threading.Event()
        stack.callback(over.set)
        struck, spared = opened_by_worker(lab, long)
        probes = [each.pop().session for each in (struck, spared)]
        fates = [[pool.submit(each.send) for each in group] for group in (struck, spared)]
        load = [pool.submit(lab.client.call, send_until, over, share) for share in short]
        answers = [pool.submit(ask_for_what_is_forbidden, each, over) for each in probes]
        for each in (*struck, *spared):
            assert each.under_way.wait(10)
        eventually(lambda: lab.arrived().total() > SHORT)
        killed, survivor = workers(lab)
        os.kill(killed, signal.SIGKILL)

        # From here to the next worker's start, what comes to the queue is dropped.
        late = [pool.submit(lab.client.call, open_session, 20) for _ in range(2)]
        eventually(lambda: workers(lab)[0] not in (killed, None))
        assert workers(lab)[1] == survivor
        assert lab.by_worker("restarts") == [1, 0]
        assert log_has(lab, "the worker of queue 2500 was ended by signal 9")()
        for each in late:
            with each.result() as session:
                assert session.docmd("VRFY", "late")[0] == 500

        # Nothing comes back on a connection of the dead worker, not even a reset.
        assert all(met_silence(each.exception()) for each in fates[0]), fates[0]
        assert [each.exception() for each in fates[1]] == [None] * len(spared)
        over.set()
        accepted, failed = gathered(load)
        assert len(failed) <= SHORT
        eventually(log_has(lab, "%PIX-6-106015: Deny TCP (no connection)"))

        time.sleep(1)  # the counters' age, at most
        before = lab.built()
        after = mails(4, 12, 1000, 50_000, "after")
        for mail in after:
            lab.client.call(send, [mail])
        eventually(lambda: lab.built() == [each + 2 for each in before], "both workers work")

        # All that was accepted is there as it was sent, once; what a client lost sight of may be.
        certain = expected([*(each.mail for each in spared), *accepted, *after])
        arrived = lab.arrived()
        assert certain <= arrived
        assert arrived - certain <= expected(failed)
        assert len(accepted) > 50

        struck_heard, other_heard = (each.result() for each in answers)
        unknown = lab.unknown()
        seen = lab.server_tap.settle().conversations
        total = lab.counters()["total"]
    assert {line for line in unknown if "postmaster" in line} == {"XXXX postmaster\r\n"}
    assert not [each for each in seen if b"VRFY" in each.to_server.data]
    assert other_heard[-1].startswith(b"500")
    assert b"" not in other_heard + struck_heard
    assert total["faults"] == total["unsent"] == 0
