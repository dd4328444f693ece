"""The null firewall: netfilterqueue as the library comes, accepting every packet unread."""

from __future__ import annotations

import sys

from netfilterqueue import NetfilterQueue, Packet


def main() -> None:
    """Accept what queue number argv[1] gets, until killed."""
    queue = NetfilterQueue()
    queue.bind(int(sys.argv[1]), Packet.accept, max_len=8192, sock_len=32 << 20)
    print("ready", flush=True)
    queue.run()


if __name__ == "__main__":
    main()
