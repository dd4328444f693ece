"""Exim and sendmail of a test's own; like a Postfix here, each has all of it in one directory.

A server keeps what it receives in `mail` there, as it came but for headers put in front.

Their Debian packages exclude Postfix and each other, so `scripts/setup.sh test` unpacks them and
installs none.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

UNPACKED = Path(__file__).parents[2] / ".venv" / "unpacked"

HOST = "mail.acme.com"
CLIENT_HOST = "mx.example.org"

# What the programs must find in /etc, each mounted over the file of this name. The network
# namespace that a command runs in brings a mount namespace (ip-netns(8)), which ends with it.
ENTER = """\
for file in "$1"/etc/*; do mount --bind "$file" "/etc/${file##*/}"; done
[ ! -e "$1/sasl2" ] || mount --bind "$1/sasl2" /usr/lib/sasl2
echo "$2" >/proc/sys/kernel/hostname
shift 2
exec "$@"
"""

USER = "alice"
"""Who may log on, at servers that offer it."""

PASSWORD = "xyzzy-2002"  # noqa: S105

PASSWORDS = """\
my ($file, $user, $realm, $password) = @ARGV;
tie my %passwords, "DB_File", $file, O_RDWR|O_CREAT, 0600, $DB_HASH or die $!;
$passwords{join "\\0", $user, $realm, "userPassword"} = $password;
"""
"""Perl that does what saslpasswd2 would, which has a package of its own."""

SASL = """\
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {passwords}
mech_list: PLAIN
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
"""

EXIM_SERVER = """\
local_interfaces = {address}
log_selector = +smtp_syntax_error
tls_advertise_hosts = {tls}
tls_certificate = {directory}/certificate
acl_smtp_rcpt = accept
begin routers
mailbox:
  driver = accept
  transport = mailbox
begin transports
mailbox:
  driver = appendfile
  directory = {directory}/mail
  maildir_format
  user = nobody
"""

EXIM_LOGON = """\
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_condition = ${{if and{{{{eq{{$auth2}}{{{user}}}}}{{eq{{$auth3}}{{{password}}}}}}}}}
"""

EXIM_CLIENT = """\
begin routers
bounces:
  driver = redirect
  domains = example.org
  data = :blackhole:
relay:
  driver = manualroute
  route_list = * {server}
  transport = relay
begin transports
relay:
  driver = smtp
  interface = {address}
begin retry
* * F,1h,5m
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
define(`confSERVICE_SWITCH_FILE', `{directory}/services')
FEATURE(`no_default_msa')
FEATURE(`accept_unresolvable_domains')
"""

SENDMAIL_SERVER = """\
define(`LOCAL_MAILER_PATH', `/bin/sh')
define(`LOCAL_MAILER_ARGS', `sh {directory}/keep $u')
DAEMON_OPTIONS(`Family=inet, Name=MTA, Addr={address}, Port=smtp')
MODIFY_MAILER_FLAGS(`LOCAL', `-ASfw')
MAILER(`local')
MAILER(`smtp')
"""

KEEP = """\
cd {mail}
file=$(mktemp tmp/XXXXXX)
cat >"$file"
mv "$file" new
"""

SENDMAIL_OFFER = """\
define(`confAUTH_MECHANISMS', `PLAIN')
define(`confSERVER_CERT', `{directory}/certificate')
define(`confSERVER_KEY', `{directory}/certificate')
define(`confCACERT', `{directory}/certificate')
define(`confCACERT_PATH', `{directory}')
"""

SENDMAIL_CLIENT = """\
define(`SMART_HOST', `[{server}]')
CLIENT_OPTIONS(`Family=inet, Addr={address}')
FEATURE(`nocanonify')
MAILER(`smtp')
"""


def make_certificate(path: Path, addresses: Iterable[str]) -> None:
    """Make a key and its self-signed certificate, in one PEM file.

    Args:
        path: where to put it.
        addresses: the servers that it is of.
    """
    names = ",".join((f"DNS:{HOST}", *(f"IP:{address}" for address in addresses)))
    parts = [path.with_name(f"{path.name}-{part}") for part in ("key", "certificate")]
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", f"/CN={HOST}", "-addext", f"subjectAltName={names}"),
            *("-keyout", str(parts[0]), "-out", str(parts[1])),
        ],
        check=True,
        capture_output=True,
    )
    path.touch(mode=0o600)
    path.write_bytes(b"".join(part.read_bytes() for part in parts))


def make_passwords(path: Path) -> None:
    """Make a database of Cyrus SASL that knows `USER`.

    Args:
        path: where to put it.
    """
    subprocess.run(
        ["perl", "-MDB_File", "-e", PASSWORDS, str(path), USER, HOST, PASSWORD],
        check=True,
        capture_output=True,
    )


def exim(directory: Path, address: str, certificate: Path | None = None) -> tuple[str, ...]:
    """The command of an Exim.

    Args:
        directory: where to put it, not there yet.
        address: where it listens, on port 25.
        certificate: a PEM file with a key and its certificate; with one it offers STARTTLS, and
            AUTH PLAIN to `USER`.

    Raises:
        LookupError: setup.sh has not unpacked it.
    """
    template = EXIM + EXIM_SERVER + (EXIM_LOGON if certificate else "")
    tls = "*" if certificate else ""
    command = _exim(directory, HOST, address, template, tls=tls, user=USER, password=PASSWORD)
    if certificate:
        shutil.chown(shutil.copy(certificate, directory / "certificate"), "nobody")
    return (*command, "-bdf")


def exim_client(directory: Path, address: str, server: str) -> tuple[str, ...]:
    """The command of an Exim that relays the mail it reads, at once, and says what it does.

    Args:
        directory: where to put it, not there yet.
        address: its own.
        server: the address of the server that it relays to.

    Raises:
        LookupError: setup.sh has not unpacked it.
    """
    command = _exim(directory, CLIENT_HOST, address, EXIM + EXIM_CLIENT, server=server)
    return (*command, "-v", "-oi", "-odi")


def sendmail(directory: Path, address: str, certificate: Path | None = None) -> tuple[str, ...]:
    """The command of a sendmail, which writes `traffic` in its directory.

    Args:
        directory: where to put it, not there yet.
        address: where it listens, on port 25.
        certificate: see `exim`; sendmail wants it, thus the directory, where nobody but root can
            put a file, so not below /tmp.

    Raises:
        LookupError: setup.sh has not unpacked it.
    """
    template = SENDMAIL + (SENDMAIL_OFFER if certificate else "") + SENDMAIL_SERVER
    command = _sendmail(directory, HOST, address, template)
    for folder in ("", "tmp", "new"):
        (directory / "mail" / folder).mkdir()
        (directory / "mail" / folder).chmod(0o777)  # whoever delivers
    (directory / "keep").write_text(KEEP.format(mail=directory / "mail"))
    if certificate:
        shutil.copy(certificate, directory / "certificate")
        make_passwords(directory / "passwords")
        sasl = directory / "sasl2" / "Sendmail.conf"
        sasl.parent.mkdir()
        sasl.write_text(SASL.format(passwords=directory / "passwords"))
    return (*command, "-X", str(directory / "traffic"), "-bD")


def sendmail_client(directory: Path, address: str, server: str) -> tuple[str, ...]:
    """The command of a sendmail that relays the mail it reads, at once, and says what it does.

    Args:
        directory: where to put it, not there yet.
        address: its own.
        server: the address of the server that it relays to.

    Raises:
        LookupError: setup.sh has not unpacked it.
    """
    template = SENDMAIL + SENDMAIL_CLIENT
    command = _sendmail(directory, CLIENT_HOST, address, template, server=server)
    return (*command, "-v", "-oi", "-odi", "-N", "never")


def _exim(directory: Path, host: str, address: str, template: str, **more: str) -> tuple[str, ...]:
    root = _unpacked("exim4-daemon-light")
    program = root / "usr/sbin/exim4"
    _make(directory, host, address)
    shutil.chown(directory, "nobody")
    configuration = directory / "exim.conf"
    configuration.write_text(
        template.format(program=program, directory=directory, host=host, address=address, **more)
    )
    # The user that Debian compiles in is looked up even where the configuration has another one.
    for name, entry in (
        ("passwd", "Debian-exim:x:65534:65534::/nonexistent:/bin/false\n"),
        ("group", "Debian-exim:x:65534:\n"),
    ):
        (directory / "etc" / name).write_text(Path("/etc", name).read_text() + entry)
    return _command(root, directory, host, str(program), "-C", str(configuration))


def _sendmail(
    directory: Path, host: str, address: str, template: str, **more: str
) -> tuple[str, ...]:
    root = _unpacked("sendmail-bin")
    _make(directory, host, address)
    (directory / "queue").mkdir(mode=0o700)
    (directory / "services").write_text("hosts files\n")  # and no DNS
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
            input=template.format(directory=directory, host=host, address=address, **more),
        ).stdout
    )
    program = root / "usr/libexec/sendmail/sendmail"
    return _command(root, directory, host, str(program), f"-C{configuration}")


def _unpacked(package: str) -> Path:
    root = UNPACKED / package
    if not root.exists():
        raise LookupError(
            f"{package} is not in .venv/unpacked, where `scripts/setup.sh test` puts it if apt can "
            "fetch it; to try again: rm .venv/.setup-test && scripts/setup.sh test"
        )
    return root


def _make(directory: Path, host: str, address: str) -> None:
    (directory / "etc").mkdir(parents=True)
    # Nothing answers there, and the kernel says so at once: no waiting for names of clients.
    (directory / "etc/resolv.conf").write_text("nameserver 127.0.0.1\n")
    (directory / "etc/hosts").write_text(f"127.0.0.1 localhost\n{address} {host}\n")


def _libraries(root: Path) -> dict[str, str]:
    folders = (*root.glob("lib/*-linux-*"), *root.glob("usr/lib/*-linux-*"))
    return {"LD_LIBRARY_PATH": ":".join(map(str, folders))}


def _command(root: Path, directory: Path, host: str, *command: str) -> tuple[str, ...]:
    environment = (f"{name}={value}" for name, value in _libraries(root).items())
    enter = ("unshare", "--mount", "--uts", "sh", "-euc", ENTER, "sh", str(directory), host)
    return (*enter, "env", *environment, *command)
