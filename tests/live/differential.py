"""The kernel against the Policy, over random rule files: `python -m tests.live.differential`."""

from __future__ import annotations

import argparse
import select
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from appliance.admission import Admission, Opening
from appliance.config.model import Configuration
from appliance.events import Denial, Event, PacketDenied
from appliance.live import connmark
from appliance.live.admission import LiveAdmission
from appliance.live.conntrack import Conntrack
from appliance.live.denials import Denials
from appliance.live.packet_log import PacketLog
from appliance.policy.judgement import policy_of
from appliance.policy.policy import Decision, Policy
from appliance.protocol import ICMP, TCP, UDP
from appliance.smtp.release import DEFAULT
from tests.live.dice import Dice
from tests.live.object_dice import ObjectDice
from tests.live.router import Router, Seen, put_in_force, running_router
from tests.policy.rules import configuration


class Differential:
    """A router with rules, and what has been compared.

    Args:
        router: the router.
        log: where the kernel copies what it denies, and what lines with `log` permit.
        conntrack: that of the router.

    Attributes:
        pairs: how many packets both have judged.
        outcomes: how many of them came to what: the question that denied them, or which of their
            addresses were translated.
    """

    def __init__(self, router: Router, log: PacketLog, conntrack: Conntrack) -> None:
        self._router = router
        self._log = log
        self._conntrack = conntrack
        self.pairs = 0
        self.outcomes: Counter[str] = Counter()

    def disagreements(
        self,
        seed: int,
        count: int,
        altered: Callable[[str], str] = lambda text: text,
        kind: type[Dice] = Dice,
    ) -> list[str]:
        """Draw a rule file and packets, have both judge them, and tell where they differ.

        Args:
            seed: of the dice.
            count: how many packets are drawn.
            altered: changes the rule file that the policy is asked about.
            kind: which dice.
        """
        dice = kind(seed)
        text = dice.text()
        rules, router = configuration(text), self._router
        put_in_force(router, rules)
        asked = configuration(altered(text))
        judge, live = policy_of(asked, DEFAULT), LiveAdmission(asked, DEFAULT, adopts=False)
        drawn, now = dice.openings(rules, count), time.time()
        timed = {number: replace(each, time=now) for number, each in drawn.items()}
        openings = _told_apart(timed, policy_of(rules, DEFAULT))
        router.marks.clear()
        router.queued.clear()
        for number, opening in openings.items():
            router.send(opening, number)
        seen = router.collect()
        told = self._told(asked)
        found = []
        for number, opening in openings.items():
            decision = judge.decide(opening)
            admission = decision.admission
            self.pairs += 1
            self.outcomes[_outcome(decision)] += 1
            wrong = (
                seen.get(number) != _expected(admission)
                or (number in router.marks) != (admission.inspection is not None)
                or (number in router.marks and self._live(live, number) != _ends(admission))
                or not (_is_silent(decision) or told.get(number, []) == _expected_copies(decision))
            )
            if wrong:
                found.append(
                    f"seed {seed}\n{text}\n{opening}\nkernel: {seen.get(number)}, "
                    f"mark {router.marks.get(number)}\npolicy: {decision}\n"
                    f"live: {self._live(live, number) if number in router.marks else None}\n"
                    f"told: {told.get(number)}"
                )
        return found

    def _told(self, rules: Configuration) -> dict[int, list[object]]:
        """What the kernel has copied, by IP identification: why each was denied, and its ends.

        `collect` has waited longer than the kernel gathers copies.
        """
        told: dict[int, list[object]] = {}
        events: list[Event] = []
        denials = Denials(self._conntrack, events.append, rules, DEFAULT)
        while select.select([self._log], [], [], 0)[0]:
            for copy in self._log.read():
                ingress, egress = map(self._router.named, (copy.indev, copy.outdev))
                denials.take(copy, ingress, egress, time.time())
                found = [
                    (event.reason, event.source, event.destination)
                    for event in events
                    if isinstance(event, PacketDenied)
                ]
                events.clear()
                number = int.from_bytes(copy.data[4:6], "big")
                permitted = copy.mark & connmark.PERMITTED
                told.setdefault(number, []).append("permitted" if permitted else found)
        return told

    def _live(self, live: LiveAdmission, number: int) -> tuple[object, ...]:
        return _ends(live.admit(self._router.queued[number], self._router.marks[number]))


def _told_apart(openings: dict[int, Opening], policy: Policy) -> dict[int, Opening]:
    """Packets without those whose ends, translated, are those of another flow without ports: no
    answer could find its way, and the kernel drops them."""
    apart, taken = {}, set()
    for number, opening in openings.items():
        if opening.protocol not in (TCP, UDP, ICMP):
            admission = policy.admit(opening)
            ends = (opening.protocol, admission.client.mapped, admission.server.address)
            if admission.denial is None:
                if ends in taken:
                    continue
                taken.add(ends)
        apart[number] = opening
    return apart


def _outcome(decision: Decision) -> str:
    admission = decision.admission
    if admission.denial:
        return f"denied by {decision.steps[-1].phase.value} ({admission.denial.value})"
    client, server = admission.client, admission.server
    source = "translated" if client.mapped != client.address else "untranslated"
    destination = "translated" if server.mapped != server.address else "untranslated"
    again = " on the same interface" if client.interface == server.interface else ""
    return f"passes{again}: source {source}, destination {destination}"


def _expected(admission: Admission) -> Seen | None:
    if admission.denial:
        return None
    client, server = admission.client, admission.server
    return Seen(server.interface, client.mapped, client.mapped_port, server.address, server.port)


def _expected_copies(decision: Decision) -> list[object]:
    """The copies of a packet: one if it is denied, or if it passes and a line logs that."""
    admission = decision.admission
    logged, denial = admission.logged, admission.denial
    if denial is None:
        return ["permitted"] if any(not each.line.disabled for each in logged) else []
    if denial is Denial.OWN_ADDRESS:
        return []  # the kernel does not forward it
    return [[(denial, admission.client, admission.server)]]


def _is_silent(decision: Decision) -> bool:
    """Whether a line with `log disable` denies a packet.

    Where the kernel has another reason to deny it, too, it is copied, and the copy draws nothing.
    """
    step = decision.steps[-1]
    return step.denial is not None and step.logged is not None and step.logged.line.disabled


def _ends(admission: Admission) -> tuple[object, ...]:
    return admission.client, admission.server, admission.inbound, admission.limits


@contextmanager
def running_differential(state: Path) -> Iterator[Differential]:
    """A router to compare with, for the length of a `with` block."""
    with (
        running_router(state) as router,
        closing(router.inner.call(PacketLog, router.box.queue)) as log,
        closing(router.inner.call(Conntrack)) as conntrack,
    ):
        yield Differential(router, log, conntrack)


_KINDS = {"all": (Dice, ObjectDice), "before-8.3": (Dice,), "from-8.3": (ObjectDice,)}


def main() -> int:
    """Compare so many packets; the exit code is 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000, help="how many packets at least")
    parser.add_argument("--seed", type=int, default=1, help="of the first rule file")
    parser.add_argument("--packets", type=int, default=250, help="to each rule file")
    parser.add_argument("--versions", choices=_KINDS, default="all", help="of the rule files")
    arguments = parser.parse_args()
    began, seed, different = time.monotonic(), arguments.seed, 0
    with (
        tempfile.TemporaryDirectory() as state,
        running_differential(Path(state)) as differential,
    ):
        while differential.pairs < arguments.pairs and different < 10:
            for kind in _KINDS[arguments.versions]:
                for found in differential.disagreements(seed, arguments.packets, kind=kind):
                    print(found, flush=True)
                    different += 1
            seed += 1
            if not seed % 20 or differential.pairs >= arguments.pairs:
                print(
                    f"{differential.pairs} pairs, {seed - arguments.seed} rule files, "
                    f"{different} differences, {time.monotonic() - began:.0f} s",
                    flush=True,
                )
        for outcome, times in differential.outcomes.most_common():
            print(f"{times:7} {outcome}")
    print(f"seeds {arguments.seed} to {seed - 1}: {different} differences")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
