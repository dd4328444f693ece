"""Exim and sendmail of a test's own; like a Postfix here, each has all of it in one directory.

Their Debian packages exclude Postfix and each other, so `scripts/setup.sh test` unpacks them and
installs none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

UNPACKED = Path(__file__).parents[2] / ".venv" / "unpacked"

HOST = "mail.acme.com"

# What the programs must find in /etc, each mounted over the file of this name. The network
# namespace that a command runs in brings a mount namespace (ip-netns(8)), which ends with it.
ENTER = """\
for file in "$1"/etc/*; do mount --bind "$file" "/etc/${file##*/}"; done
echo "$2" >/proc/sys/kernel/hostname
shift 2
exec "$@"
"""

EXIM = """\
exim_user = nobody
exim_group = nogroup
exim_path = {program}
spool_directory = {directory}/spool
log_file_path = {directory}/%slog
pid_file_path = {directory}/pid
keep_environment = LD_LIBRARY_PATH
primary_hostname = {host}
local_interfaces = {address}
tls_advertise_hosts =
acl_smtp_rcpt = accept
begin routers
discard:
  driver = redirect
  data = :blackhole:
"""

SENDMAIL = """\
OSTYPE(`linux')
define(`confDOMAIN_NAME', `{host}')
define(`QUEUE_DIR', `{directory}/queue')
define(`HELP_FILE', `{directory}/helpfile')
define(`STATUS_FILE', `{directory}/statistics')
define(`confPID_FILE', `{directory}/pid')
define(`ALIAS_FILE', `')
define(`confCR_FILE', `-o {directory}/relay-domains')
define(`confTRUSTED_USER', `root')
define(`confDONT_BLAME_SENDMAIL', `HelpFileInUnsafeDirPath')
define(`confREFUSE_LA', `0')
define(`confTO_IDENT', `0')
FEATURE(`no_default_msa')
FEATURE(`accept_unresolvable_domains')
DAEMON_OPTIONS(`Family=inet, Name=MTA, Addr={address}, Port=smtp')
MODIFY_MAILER_FLAGS(`LOCAL', `-w')
MAILER(`local')
MAILER(`smtp')
"""


def exim(directory: Path, address: str) -> tuple[str, ...]:
    """The command of an Exim.

    Args:
        directory: where to put it, not there yet.
        address: where it listens, on port 25.

    Raises:
        LookupError: setup.sh has not unpacked it.
    """
    root = _unpacked("exim4-daemon-light")
    program = root / "usr/sbin/exim4"
    _make(directory, address)
    shutil.chown(directory, "nobody")
    configuration = directory / "exim.conf"
    configuration.write_text(
        EXIM.format(program=program, directory=directory, host=HOST, address=address)
    )
    # The user that Debian compiles in is looked up even where the configuration has another one.
    for name, entry in (
        ("passwd", "Debian-exim:x:65534:65534::/nonexistent:/bin/false\n"),
        ("group", "Debian-exim:x:65534:\n"),
    ):
        (directory / "etc" / name).write_text(Path("/etc", name).read_text() + entry)
    return _command(root, directory, str(program), "-C", str(configuration), "-bdf")


def sendmail(directory: Path, address: str) -> tuple[str, ...]:
    """The command of a sendmail.

    Args:
        directory: where to put it, not there yet.
        address: where it listens, on port 25.

    Raises:
        LookupError: setup.sh has not unpacked it.
    """
    root = _unpacked("sendmail-bin")
    _make(directory, address)
    (directory / "queue").mkdir(mode=0o700)
    shutil.copy(root / "etc/mail/helpfile", directory)
    macros = root / "usr/share/sendmail/cf"
    m4 = shutil.which("m4", path=f"{root}/usr/bin:{os.environ['PATH']}")
    assert m4 is not None
    configuration = directory / "sendmail.cf"
    configuration.write_text(
        subprocess.run(
            [m4, f"-D_CF_DIR_={macros}/", str(macros / "m4/cf.m4"), "-"],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | _libraries(root),
            input=SENDMAIL.format(directory=directory, host=HOST, address=address),
        ).stdout
    )
    program = root / "usr/libexec/sendmail/sendmail"
    return _command(root, directory, str(program), f"-C{configuration}", "-bD")


def _unpacked(package: str) -> Path:
    root = UNPACKED / package
    if not root.exists():
        raise LookupError(
            f"{package} is not in .venv/unpacked, where `scripts/setup.sh test` puts it if apt can "
            "fetch it; to try again: rm .venv/.setup-test && scripts/setup.sh test"
        )
    return root


def _make(directory: Path, address: str) -> None:
    (directory / "etc").mkdir(parents=True)
    # Nothing answers there, and the kernel says so at once: no waiting for names of clients.
    (directory / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    (directory / "etc/hosts").write_text(f"127.0.0.1 localhost\n{address} {HOST}\n")


def _libraries(root: Path) -> dict[str, str]:
    folders = (*root.glob("lib/*-linux-*"), *root.glob("usr/lib/*-linux-*"))
    return {"LD_LIBRARY_PATH": ":".join(map(str, folders))}


def _command(root: Path, directory: Path, *command: str) -> tuple[str, ...]:
    environment = (f"{name}={value}" for name, value in _libraries(root).items())
    enter = ("unshare", "--mount", "--uts", "sh", "-euc", ENTER, "sh", str(directory), HOST)
    return (*enter, "env", *environment, *command)
