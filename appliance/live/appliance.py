"""`pixguard run`: be the firewall of this machine."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import click

from appliance.box import Box, load_box
from appliance.config.load import load_configuration, read_file
from appliance.config.model import Configuration
from appliance.errors import PixguardError
from appliance.live.compilation import compile_rules
from appliance.live.iptables import install, missing_helpers, withdraw
from appliance.live.kernel import LIBERAL, Changes, Setting, wanted_settings
from appliance.live.log import Log
from appliance.live.metrics import serve_metrics
from appliance.live.netfilter import Rules
from appliance.live.notify import notify, notify_reloading
from appliance.live.privileges import require_privileges
from appliance.live.state import alone, journal_file
from appliance.live.supervisor import Supervisor
from appliance.smtp.release import ANSWERS
from appliance.syslog import refusing_connections


def run_appliance(config: Path, box: Path, replace: bool) -> int:
    """Be the firewall until SIGTERM or SIGINT; on SIGHUP, read the rule file again.

    Args:
        config: the rule file.
        box: the box file.
        replace: whether to take the place of one that runs.

    Returns:
        the exit code.

    Raises:
        PixguardError: it cannot start; nothing is left behind.
    """
    machine = load_box(box)
    configuration = load_configuration(config)
    for finding in machine.left_out(configuration):
        click.echo(finding, err=True)
    require_privileges(machine.user)
    log = Log(machine.log, machine.json_log)
    try:
        with alone(machine.state, replace) as taking_over:
            Appliance(config, configuration, machine, log).run(taking_over)
    finally:
        log.close()
    return 0


class Appliance:
    """The firewall of this network namespace.

    Args:
        rule_file: the rule file, for reloads.
        configuration: what it says now.
        box: the machine.
        log: where log lines go.
    """

    def __init__(self, rule_file: Path, configuration: Configuration, box: Box, log: Log) -> None:
        self._rule_file = rule_file
        self._box = box
        self._log = log
        self._configuration = configuration
        self._release = box.inspect_as(configuration.version)
        self._rules = compile_rules(configuration, box)
        self._in_force: Rules | None = None
        self._liberal = False
        self._changes = Changes(journal_file(box.state))
        self._supervisor = Supervisor(box, configuration, log)

    def run(self, taking_over: bool) -> None:
        """Start, be the firewall until told to stop, and put everything back.

        If another appliance takes its place, all stays as it is, for that one to put back.

        Args:
            taking_over: whether another one has left its rules and connections to this one.

        Raises:
            PixguardError: it cannot start, or something cannot be put back.
        """
        self._supervisor.watch_signals()
        with ExitStack() as undo:
            undo.callback(self._supervisor.stop)
            try:
                self._start(undo, taking_over)
            except PixguardError:
                if not self._supervisor.stopping:
                    raise
                return  # the signal reached a worker, too, as systemd sends it
            self._log.write(f"pixguard: the firewall is up: {self._summary()}")
            self._supervisor.write_counters()
            with ExitStack() as served:
                if self._box.metrics:
                    served.enter_context(serve_metrics(*self._box.metrics, self._supervisor))
                notify("READY=1")
                self._supervisor.run(self._reload, self._look_after_syslog)
                notify("STOPPING=1")
            if self._supervisor.replaced:
                if self._box.fail_open:
                    # What passed unread now would be missing to those that take connections over.
                    shut = replace(self._box, fail_open=False)
                    self._install(self._compile(self._configuration, shut))
                undo.pop_all()
                self._supervisor.stop()
                self._log.write("pixguard: the firewall is handed over")
                return
        self._log.write("pixguard: the firewall is withdrawn")

    def _start(self, undo: ExitStack, taking_over: bool) -> None:
        if taking_over:
            # Connections that were handed over may need it.
            self._liberal = self._changes.include(LIBERAL)
        # A list, since both are to be done.
        elif any([self._changes.restore(), withdraw()]):
            self._log.write("pixguard: put back what an earlier run left, which did not end itself")
        wanted = self._wanted(self._configuration)
        self._changes.missing(wanted)  # refuses, while nothing is touched yet
        # The workers first, so that no packet meets a queue without a listener. Forwarding last,
        # so that nothing passes unfiltered; and the reverse at the end.
        self._supervisor.start(taking_over)
        undo.callback(withdraw)
        self._rules = self._compile(self._configuration, self._box)
        self._supervisor.refusing = self._must_refuse(self._configuration)
        self._install(self._rules)
        self._tell_whether_refusing(before=False)
        undo.callback(self._changes.restore)
        self._changes.apply(wanted)

    def _wanted(self, configuration: Configuration) -> tuple[Setting, ...]:
        # Where lines are left out and put in, connection tracking sees other numbers than the ends,
        # and goes on to see them in connections that began under rules of before a reload.
        self._liberal |= self._box.inspect_as(configuration.version).blocked in ANSWERS
        return wanted_settings(configuration, self._box, self._liberal)

    def _summary(self) -> str:
        interfaces = ", ".join(f"{name} is {linux}" for name, linux in self._box.interfaces)
        ports = _listed(self._configuration.smtp_ports)
        where = [f"on port {ports}"] if ports else []
        where += [
            f"on port {_listed(each.ports)} at {each.interface}"
            for each in self._configuration.inspections
            if each.interface and each.ports
        ]
        where += [f"to {host}" for host in self._configuration.mail_hosts]
        mail = f"mail {' and '.join(where)} is inspected as release {self._release.name}"
        return f"{interfaces}; {mail if where else 'mail is not inspected'}"

    def _compile(self, configuration: Configuration, box: Box) -> Rules:
        """The rules for this kernel; the log tells what it cannot help with."""
        missing = missing_helpers(configuration)
        for helped, said in missing.items():
            self._log.write(
                f"pixguard: the kernel has no helper for {helped.words}: "
                f"the connections that it opens do not pass ({said})"
            )
        return compile_rules(configuration, box, missing)

    def _reload(self) -> None:
        """Read the rule file again; if it is bad, what was in force stays in force.

        Raises:
            PixguardError: it is bad, and how.
        """
        notify_reloading()
        try:
            self._log.reopen()
            reading = read_file(self._rule_file)
            for finding in reading.findings:
                self._log.write(f"pixguard: {finding}")
            if reading.configuration is None:
                raise PixguardError("the rule file has errors")
            self._take(reading.configuration)
        except PixguardError as error:
            raise PixguardError(f"not reloaded, the old rules stay in force: {error}") from error
        finally:
            notify("READY=1")
        self._log.write(f"pixguard: reloaded: {self._summary()}")

    def _take(self, configuration: Configuration) -> None:
        release = self._box.inspect_as(configuration.version)
        rules = self._compile(configuration, self._box)
        with ExitStack() as undo:
            undo.callback(self._put_in_force, self._configuration, self._rules)
            self._put_in_force(configuration, rules)
            undo.pop_all()
        self._configuration, self._rules, self._release = configuration, rules, release

    def _put_in_force(self, configuration: Configuration, rules: Rules) -> None:
        # The workers before the rules: they are asked about connections that the rules permit.
        self._supervisor.configure(configuration)
        before = self._supervisor.refusing
        self._supervisor.refusing = self._must_refuse(configuration)
        self._install(rules)
        self._tell_whether_refusing(before)
        self._changes.apply(self._wanted(configuration))

    def _install(self, rules: Rules) -> None:
        if self._supervisor.refusing:
            rules = replace(rules, filter=rules.closed())
        replaced, self._in_force = self._in_force, None
        install(rules, replaced)
        self._in_force = rules

    def _must_refuse(self, configuration: Configuration) -> bool:
        return bool(self._log.away) and not configuration.logging.permit_host_down

    def _look_after_syslog(self) -> None:
        """Let no connection begin that nobody could be told of, as the device does."""
        before = self._supervisor.refusing
        self._supervisor.refusing = self._must_refuse(self._configuration)
        if self._supervisor.refusing != before:
            self._install(self._rules)
            self._tell_whether_refusing(before)

    def _tell_whether_refusing(self, before: bool) -> None:
        if self._supervisor.refusing == before:
            return
        if before:
            self._log.write("pixguard: connections may begin again")
            return
        version = self._configuration.version
        product = version.product if version else "PIX"
        self._log.take(f"%{product}-3-201008: {refusing_connections(self._release)}")
        self._log.write(
            "pixguard: no connection may begin, since a syslog server by TCP is away: "
            f"{', '.join(self._log.away)}"
        )


def _listed(ports: tuple[tuple[int, int], ...]) -> str:
    return ", ".join(f"{low}" if low == high else f"{low}-{high}" for low, high in ports)
