"""`pixguard close`: nothing passes between the interfaces until the appliance is in force.

Its rules come after those of the appliance, which let nothing of these interfaces go on to others'
rules: so they hold exactly while the appliance's are not there, at boot and after its end.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from appliance.box import load_box
from appliance.errors import PixguardError
from appliance.live.command import run
from appliance.live.privileges import require_capabilities

CHAIN = "PIXCLOSED"
_FROM = f"{CHAIN}-FROM"
_JUMP = f"-A FORWARD -j {CHAIN}"
_APPLIANCE = "-A FORWARD -j PIXGUARD"


def close_interfaces(box: Path) -> int:
    """Drop what would be forwarded between the interfaces of a box file.

    Args:
        box: the box file; if it is wrong, nothing at all is forwarded any more, since nobody knows
            which interfaces are meant.

    Returns:
        the exit code.

    Raises:
        PixguardError: the box file is wrong, or netfilter refused.
    """
    require_capabilities("CAP_NET_ADMIN")
    try:
        machine = load_box(box)
    except PixguardError as error:
        _load(("-j DROP",), ())
        raise PixguardError(f"{error}\nso nothing at all is forwarded") from error
    if machine.fail_open:
        undo_close()
        click.echo("fail-open is true in the box file: nothing is closed")
        return 0
    linux = [each for _, each in machine.interfaces]
    _load((f"-i {each} -j {_FROM}" for each in linux), (f"-o {each} -j DROP" for each in linux))
    click.echo(f"nothing passes between {', '.join(linux)} but what the appliance lets through")
    return 0


def undo_close() -> int:
    """Take the rules of `close_interfaces` away.

    Returns:
        the exit code.

    Raises:
        PixguardError: netfilter refused.
    """
    require_capabilities("CAP_NET_ADMIN")
    for command in _commands():
        present = _present(command)
        if any(line.startswith(f":{CHAIN} ") for line in present):
            lines = [f"-D FORWARD -j {CHAIN}"] if _JUMP in present else []
            lines += [f":{CHAIN} - [0:0]", f":{_FROM} - [0:0]", f"-X {CHAIN}", f"-X {_FROM}"]
            _restore(command, lines)
    return 0


def _load(entrance: Iterable[str], exits: Iterable[str]) -> None:
    rules = [f"-A {CHAIN} {each}" for each in entrance]
    rules += [f"-A {_FROM} {each}" for each in exits]
    for command in _commands():
        present = _present(command)
        lines = [f":{CHAIN} - [0:0]", f":{_FROM} - [0:0]"]
        if _JUMP not in present:
            # Before what ufw or docker put there.
            place = 2 if _APPLIANCE in present else 1
            lines.append(f"-I FORWARD {place} -j {CHAIN}")
        _restore(command, lines + rules)


def _commands() -> tuple[str, ...]:
    return ("iptables", "ip6tables") if Path("/proc/sys/net/ipv6").is_dir() else ("iptables",)


def _present(command: str) -> list[str]:
    return run([f"{command}-save", "-t", "filter"], "iptables").splitlines()


def _restore(command: str, lines: list[str]) -> None:
    text = "\n".join(["*filter", *lines, "COMMIT", ""])
    run([f"{command}-restore", "--noflush", "--wait", "10"], "iptables", text)
