"""An SMTP client for a script to type into: a line in is a line sent, and each reply is a line out.

    python3 talk.py ADDRESS

The lines of a reply are put out as a JSON list. It needs nothing but Python, and runs wherever a
client is: in a namespace, or in a virtual machine that has the project's directory.
"""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterable, Iterator

PATIENCE = 30.0


def main() -> None:
    """Talk to a server until either end has no more to say."""
    with socket.create_connection((sys.argv[1], 25), timeout=PATIENCE) as connection:
        received = connection.makefile("r", encoding="latin-1", newline="\r\n")
        while reply := list(_reply(received)):
            print(json.dumps(reply), flush=True)
            line = sys.stdin.readline()
            if not line:
                return
            connection.sendall(line.rstrip("\n").encode("latin-1") + b"\r\n")


def _reply(lines: Iterable[str]) -> Iterator[str]:
    """The lines of the next reply, without their ends."""
    for line in lines:
        yield line.removesuffix("\r\n")
        if line[3:4] != "-":
            return


if __name__ == "__main__":
    main()
