"""The router of vagrant/Vagrantfile as a virtual machine: mail, rules, reload, watchdog, reboot.

`make vagrant-test` runs this, `make test` does not. The tests are a story, told in order: each
finds the machines as the one before has left them.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.lab.topology import CLIENT, OUTSIDE, SERVER, SERVER_MAPPED
from tests.vagrant.place import PATIENCE, Place
from tests.vagrant.requirements import guest_runs, shortcomings
from tests.vagrant.site import Site, site
from tests.vagrant.steps import Steps
from tests.vagrant.traces import DISK, WORK, traces
from tests.waiting import eventually

pytestmark = pytest.mark.vagrant

RULES = "/etc/pixguard/pixguard.conf"
PERMIT = "access-list outside_in permit tcp any host 203.0.113.5 eq smtp"
RELOADED = "pixguard: reloaded: "
OTHER_PORT = "26"
"""Nobody listens there: a client is refused if rules let it through, and hears nothing if not."""

MASKED = re.compile(r"220 [*20 ]+")
EXPOSED = 3.0
"""What `systemd-analyze security` may say; its scale ends at 10."""

BODY = """\
VRFY at the start of a line of a mail is no command.
.A line that begins with a dot, and one that is nothing else:
.
"""


@pytest.fixture(scope="module")
def here(pytestconfig: pytest.Config) -> Iterator[Site]:
    missing = shortcomings()
    if missing:
        pytest.exit("vagrant-test cannot run here: " + "; ".join(missing), returncode=2)
    wanted = pytestconfig.getoption("--machines")
    kvm = guest_runs("kvm")
    all_virtual = kvm if wanted == "auto" else wanted == "all"
    before = traces()
    steps = Steps()
    print(f"\nKVM {'works' if kvm else 'is missing or too slow: processors are emulated'}")
    with (
        tempfile.TemporaryDirectory(prefix=WORK, dir=DISK) as work,
        site(Path(work), steps, kvm=kvm, all_virtual=all_virtual) as made,
    ):
        yield made
    assert traces() == before
    print(f"\n\n{steps.table()}", file=sys.stderr)


def greeting(place: Place, address: str = SERVER_MAPPED) -> str:
    """What a server says first."""
    with place.conversation(address) as talk:
        return talk.greeting[0]


def passes(client: Place) -> bool:
    """Whether the server can be reached."""
    return client.run(*client.talk(SERVER_MAPPED), timeout=60).returncode == 0


def lets_through(client: Place, port: str) -> bool:
    """Whether the router lets a connection to a closed port of the server pass, to be refused."""
    connect = f"exec 3<>/dev/tcp/{SERVER_MAPPED}/{port}"
    done = client.run("timeout", "5", "bash", "-c", connect)
    refused = "refused" in done.stderr
    assert refused or done.returncode == 124, done  # timeout(1)
    return refused


def is_up(router: Place) -> bool:
    return router.run("systemctl", "is-active", "--quiet", "pixguard").returncode == 0


def settings(router: Place, *names: str) -> dict[str, str]:
    """Properties of the service, as systemd has them."""
    shown = router.output(
        "systemctl", "show", "pixguard", *(f"--property={name}" for name in names)
    )
    return dict(line.split("=", 1) for line in shown.splitlines())


def journal(router: Place) -> str:
    return router.output("journalctl", "--unit=pixguard", "--output=cat", "--no-pager")


def reload(router: Place) -> None:
    """Reload a good rule file, and wait until it is in force, as systemctl does not."""
    before = journal(router).count(RELOADED)
    router.output("systemctl", "reload", "pixguard")
    eventually(lambda: journal(router).count(RELOADED) > before, "it is reloaded", PATIENCE)


def body(delivered: str, subject: str) -> str:
    """The lines of the last mail; it has this subject."""
    _, _, mail = delivered.partition(f"\nSubject: {subject}\n")
    _, _, lines = mail.partition("\n\n")
    # An mbox, which virtual machines have, begins with this and ends each mail with an empty line.
    return lines.removesuffix("\n") if delivered.startswith("From ") else lines


def test_mail_goes_from_postfix_to_postfix_as_it_is(here: Site) -> None:
    with here.steps.step("a mail from Postfix to Postfix"):
        here.client.submit("whole", BODY)
        delivered = here.server.delivered("whole")
    assert body(delivered, "whole") == BODY
    # Postfix knows a PIX by its greeting and says HELO: RFC 3848 calls that SMTP, EHLO ESMTP.
    assert "enabling PIX workarounds" in here.client.told()
    assert re.search(r"by mail\.example\.com \(.*\) with SMTP id", delivered)
    assert f"[{CLIENT}]" in here.server.told()


def test_greeting_and_verbs_are_those_of_kb_320027(here: Site) -> None:
    with (
        here.steps.step("the test of KB 320027"),
        here.client.place.conversation(SERVER_MAPPED) as talk,
    ):
        assert MASKED.fullmatch(talk.greeting[0]), talk.greeting
        replies = {
            line: talk.say(line)[-1][:3]
            for line in ("goodmorning", "EHLO client", "VRFY bob", "HELO client", "NOOP", "QUIT")
        }
    refused = replies.pop("goodmorning")
    assert refused in {"500", "502"}
    assert replies == {
        "EHLO client": refused,
        "VRFY bob": refused,
        "HELO client": "250",
        "NOOP": "250",
        "QUIT": "221",
    }


def test_the_log_tells_of_connections_and_of_what_is_denied(here: Site) -> None:
    with here.steps.step("log and rules on the router"):
        assert not lets_through(here.client.place, OTHER_PORT)
        lines = journal(here.router)
    built = re.search(
        rf"%PIX-6-302013: Built inbound TCP connection (\d+) for outside:{CLIENT}/(\d+) "
        rf"\({CLIENT}/\2\) to inside:{SERVER}/25 \({SERVER_MAPPED}/25\)",
        lines,
    )
    assert built, lines
    assert f"%PIX-6-302014: Teardown TCP connection {built[1]} for outside:{CLIENT}/" in lines
    assert re.search(
        rf"%PIX-4-106023: Deny tcp src outside:{CLIENT}/\d+ "
        rf'dst inside:{SERVER_MAPPED}/{OTHER_PORT} by access-group "outside_in"',
        lines,
    ), lines


def test_netfilter_has_the_rules_of_the_file(here: Site) -> None:
    saved = here.router.output("iptables-save", "--counters")
    number = here.router.output("cat", RULES).splitlines().index(PERMIT) + 1
    permit = re.search(
        rf"^\[(\d+):\d+\] -A PIXGUARD-ACL-\S+ .*--ctorigdst {SERVER_MAPPED} .*"
        rf'--ctorigdstport 25 .*--comment "line {number}" -j RETURN$',
        saved,
        re.MULTILINE,
    )
    assert permit, saved
    assert int(permit[1]) >= 2, "a mail and a session have come this way"
    assert re.search(r"-A PIXGUARD-QUEUE .*-j NFQUEUE --queue-num 2500", saved), saved
    assert re.search(
        rf"-A PIXGUARD-DNAT .*-d {SERVER_MAPPED}/32 .*-j DNAT --to-destination {SERVER}", saved
    ), saved


def test_the_service_is_confined_and_watched(here: Site) -> None:
    with here.steps.step("the systemd unit"):
        has = settings(here.router, "Type", "ActiveState", "WatchdogUSec", "StatusText", "User")
        verdict = here.router.output("systemd-analyze", "security", "--no-pager", "pixguard")
        beat = settings(here.router, "WatchdogTimestampMonotonic")
        eventually(
            lambda: settings(here.router, "WatchdogTimestampMonotonic") != beat,
            "a sign of life",
            PATIENCE,
        )
    assert (has["Type"], has["ActiveState"]) == ("notify", "active")
    assert has["WatchdogUSec"] not in {"0", "infinity"}
    assert has["User"] not in {"", "root"}
    exposure = re.search(r"Overall exposure level for pixguard\.service: ([\d.]+)", verdict)
    assert exposure, verdict
    assert float(exposure[1]) < EXPOSED, verdict
    print(f" (exposure {exposure[1]}, status: {has['StatusText']})", end="", file=sys.stderr)


def test_a_changed_file_holds_for_connections_that_begin_then(here: Site) -> None:
    client = here.client.place
    with (
        here.steps.step("change the rule file and reload"),
        client.conversation(SERVER_MAPPED) as old,
    ):
        here.router.output("sed", "--in-place", "s/^fixup protocol smtp 25/no &/", RULES)
        reload(here.router)
        with client.conversation(SERVER_MAPPED) as new:
            assert new.greeting[0].startswith("220 mail.example.com ESMTP")
            assert new.say("EHLO client")[-1].startswith("250")
        assert old.say("EHLO client")[0][:3] in {"500", "502"}


def test_a_file_with_an_error_changes_nothing(here: Site) -> None:
    with here.steps.step("reload a rule file with an error, then the first one"):
        here.router.output("sed", "--in-place", "s/^no fixup protocol smtp 25/& x/", RULES)
        assert here.router.run("systemctl", "reload", "pixguard").returncode != 0
        assert is_up(here.router)
        assert greeting(here.client.place).startswith("220 mail.example.com ESMTP")
        here.router.output("sed", "--in-place", "s/^no \\(fixup protocol smtp 25\\) x/\\1/", RULES)
        reload(here.router)
        assert MASKED.fullmatch(greeting(here.client.place))


def test_a_worker_that_died_is_replaced(here: Site) -> None:
    with here.steps.step("kill the worker until mail passes"):
        # Among the supervisor's children alone: this very command line has the words in it, too.
        supervisor = settings(here.router, "MainPID")["MainPID"]
        here.router.output(*("pkill", "-KILL", "--parent", supervisor, "--full", "appliance.live"))
        eventually(lambda: passes(here.client.place), "mail passes", PATIENCE)
    assert "was ended by signal 9" in journal(here.router)
    assert MASKED.fullmatch(greeting(here.client.place))


def test_one_that_hangs_is_started_again(here: Site) -> None:
    with here.steps.step("stop the appliance's process until the watchdog bites"):
        before = settings(here.router, "MainPID", "NRestarts")
        here.router.output("kill", "-STOP", before["MainPID"])
        eventually(
            lambda: int(settings(here.router, "NRestarts")["NRestarts"]) > int(before["NRestarts"]),
            "systemd starts it again",
            2 * PATIENCE,
        )
        eventually(lambda: is_up(here.router), "it is up", PATIENCE)
    assert settings(here.router, "MainPID")["MainPID"] != before["MainPID"]
    assert MASKED.fullmatch(greeting(here.client.place))


def test_nothing_passes_while_it_is_not_up(here: Site) -> None:
    client = here.client.place
    watch = ("python3", f"{client.project}/tests/vagrant/watch.py", SERVER_MAPPED, SERVER)
    # A router that forwards by itself, and a client that knows a way around the translation.
    client.output("ip", "route", "replace", f"{SERVER}/32", "via", OUTSIDE)
    here.router.output(
        "sh", "-c", "echo net.ipv4.ip_forward=1 >/etc/sysctl.d/90-router.conf; sysctl --system"
    )
    permit = PERMIT.replace("smtp", OTHER_PORT)
    here.router.output("sed", "--in-place", f"s/^{PERMIT}$/&\\n{permit}/", RULES)
    before = here.router.output("cat", "/proc/sys/kernel/random/boot_id")
    assert not lets_through(client, OTHER_PORT)
    with client.running(*watch) as watching:
        with here.steps.step("reboot the router until mail passes"):
            here.router.run("systemctl", "reboot")
            eventually(lambda: rebooted(here.router, before), "the router is up", 3 * PATIENCE)
            eventually(lambda: is_up(here.router), "the service is up", PATIENCE)
            assert MASKED.fullmatch(greeting(client))
        said, _ = watching.communicate(timeout=PATIENCE)
    tries = [json.loads(line) for line in said.splitlines()]
    mapped = [text for address, text in tries if address == SERVER_MAPPED]
    assert None in mapped, "the reboot was not noticed"
    assert all(MASKED.match(text) for text in mapped if text), tries
    assert [text for address, text in tries if address == SERVER and text] == []
    assert lets_through(client, OTHER_PORT)
    # The same, with nobody to keep it closed.
    here.router.output("systemctl", "stop", "pixguard", "pixguard-closed")
    assert greeting(client, SERVER).startswith("220 mail.example.com ESMTP")


def rebooted(router: Place, before: str) -> bool:
    done = router.run("cat", "/proc/sys/kernel/random/boot_id")
    return done.returncode == 0 and done.stdout != before


def test_provisioning_may_be_done_again(here: Site) -> None:
    with here.steps.step("vagrant provision"):
        here.host.vagrant("provision", "router")
        assert is_up(here.router)
    here.client.submit("again", BODY)
    assert body(here.server.delivered("again"), "again") == BODY
    assert not lets_through(here.client.place, OTHER_PORT)
