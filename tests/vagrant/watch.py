"""Tries again and again whether mail servers can be reached, and says what that came to.

    python3 watch.py ADDRESS...

A line out is a JSON list of an address and what was received from its port 25 first, null if that
was nothing; there is one for the first try of an address, and for each that came to something
else than the one before. It goes on until its standard input ends.
"""

from __future__ import annotations

import json
import select
import socket
import sys

PATIENCE = 0.5
"""Seconds for a connection; a kernel repeats a SYN after one."""


def greeting(address: str) -> str | None:
    """What a server says first."""
    try:
        with socket.create_connection((address, 25), timeout=PATIENCE) as connection:
            connection.settimeout(4 * PATIENCE)
            return connection.recv(512).decode("latin-1") or None
    except OSError:
        return None


def main() -> None:
    """Try all addresses in turn."""
    told: dict[str, str | None] = {}
    while not select.select([sys.stdin], [], [], PATIENCE)[0]:
        for address in sys.argv[1:]:
            said = greeting(address)
            if address not in told or told[address] != said:
                told[address] = said
                print(json.dumps([address, said]), flush=True)


if __name__ == "__main__":
    main()
