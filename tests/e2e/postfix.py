"""A Postfix of a test's own, with everything of it in one directory; /etc/postfix is not touched.

A test starts `command` in a namespace and ends it by killing what runs there: `master` goes on
when the `postfix` that started it ends.
"""

from __future__ import annotations

import pwd
import shutil
from pathlib import Path

from tests.e2e.servers import SASL, make_passwords

MASTER = """\
smtp     inet      n - n -     - smtpd
cleanup  unix      n - n -     0 cleanup
qmgr     unix      n - n 300   1 qmgr
rewrite  unix      - - n -     - trivial-rewrite
bounce   unix      - - n -     0 bounce
defer    unix      - - n -     0 bounce
trace    unix      - - n -     0 bounce
tlsmgr   unix      - - n 1000? 1 tlsmgr
smtp     unix      - - n -     - smtp
error    unix      - - n -     - error
retry    unix      - - n -     - error
proxymap unix      - - n -     - proxymap
virtual  unix      - n n -     - virtual
anvil    unix      - - n -     1 anvil
postlog  unix-dgram n - n -    1 postlogd
"""
"""master.cf: what receives, delivers and relays mail, none of it in a chroot."""

MAILBOX = "mailbox"


class Postfix:
    """One instance.

    Args:
        directory: where to put it, not there yet; its users must be able to reach it.
        settings: what its main.cf says besides what all of them say.
        services: lines of its master.cf, likewise.
    """

    def __init__(self, directory: Path, settings: dict[str, str], services: str = "") -> None:
        self.directory = directory
        self.command = ("postfix", "-c", str(directory), "start-fg")
        nobody = pwd.getpwnam("nobody")
        main = {
            "compatibility_level": "3.6",
            "queue_directory": f"{directory}/queue",
            "data_directory": f"{directory}/data",
            "maillog_file": f"{directory}/log",
            "maillog_file_prefixes": str(directory),
            "inet_protocols": "ipv4",
            "smtp_dns_support_level": "disabled",
            "smtpd_peername_lookup": "no",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "alias_maps": "",
            "alias_database": "",
            "virtual_mailbox_base": f"{directory}/mail",
            "virtual_mailbox_maps": f"static:{MAILBOX}/",  # the slash makes it a maildir
            "virtual_mailbox_limit": "0",
            "virtual_uid_maps": f"static:{nobody.pw_uid}",
            "virtual_gid_maps": f"static:{nobody.pw_gid}",
            "message_size_limit": "104857600",
        } | settings
        for name in ("", "queue", "data", "mail"):
            (directory / name).mkdir()
        shutil.chown(directory / "data", "postfix")
        shutil.chown(directory / "mail", nobody.pw_uid, nobody.pw_gid)
        lines = (f"{name} = {value}\n" for name, value in main.items())
        (directory / "main.cf").write_text("".join(lines))
        (directory / "master.cf").write_text(MASTER + services)

    def offer(self, certificate: Path) -> None:
        """Have it offer STARTTLS, and AUTH PLAIN to `servers.USER`.

        Args:
            certificate: a PEM file with a key and its certificate.
        """
        passwords = self.directory / "passwords"
        make_passwords(passwords)
        shutil.chown(passwords, "postfix")
        sasl = self.directory / "sasl"  # where Debian's Postfix looks, whatever it is told
        sasl.mkdir()
        (sasl / "smtpd.conf").write_text(SASL.format(passwords=passwords))
        with (self.directory / "main.cf").open("a") as file:
            file.write(
                f"smtpd_tls_security_level = may\nsmtpd_tls_chain_files = {certificate}\n"
                f"smtpd_sasl_auth_enable = yes\ncyrus_sasl_config_path = {sasl}\n"
            )

    def log(self) -> str:
        """Its log so far."""
        path = self.directory / "log"
        return path.read_text() if path.exists() else ""

    def delivered(self, mark: bytes) -> list[Path]:
        """The mails in its mailbox that have `mark` among their first 4096 bytes."""
        found = []
        for path in (self.directory / "mail" / MAILBOX / "new").glob("*"):
            with path.open("rb") as file:
                if mark in file.read(4096):
                    found.append(path)
        return found
