"""A cheap mail client and a cheap mail server: sessions one by one, and one very long mail."""

from __future__ import annotations

import socket
import sys
import time

LINE = b"x" * 76 + b"\r\n"
CHUNK = LINE * 840
"""What is sent at once: 64 KiB, about."""

_ENVELOPE = (
    b"HELO client.example\r\n",
    b"MAIL FROM:<a@example.org>\r\n",
    b"RCPT TO:<b@acme.com>\r\n",
    b"DATA\r\n",
)


def serve(address: str, port: int) -> None:
    """Take mail until killed, one client at a time, and throw it away.

    Args:
        address: the address to listen on.
        port: the port.
    """
    with socket.create_server((address, port)) as listener:
        while True:
            client, _ = listener.accept()
            with client:
                client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _converse(client)


def _converse(client: socket.socket) -> None:
    client.sendall(b"220 server.example ESMTP\r\n")
    for _ in range(3):
        client.recv(1000)
        client.sendall(b"250 ok\r\n")
    client.recv(1000)
    client.sendall(b"354 go on\r\n")
    tail = b""
    buffer = bytearray(1 << 20)
    while not tail.endswith(b"\r\n.\r\n"):
        size = client.recv_into(buffer)
        if not size:
            return
        tail = (tail + buffer[max(size - 5, 0) : size])[-5:]
    client.sendall(b"250 taken\r\n")
    client.recv(1000)
    client.sendall(b"221 bye\r\n")


def transfer(address: str, port: int, chunks: int) -> float:
    """Send one mail; returns the seconds from its first byte to the server's reply to it.

    Args:
        address: of the server.
        port: its port.
        chunks: the size of the mail, in CHUNKs.
    """
    with socket.create_connection((address, port), 30) as server:
        server.recv(1000)
        for line in _ENVELOPE:
            server.sendall(line)
            server.recv(1000)
        began = time.monotonic()
        for _ in range(chunks):
            server.sendall(CHUNK)
        server.sendall(b".\r\n")
        if not server.recv(1000).startswith(b"250"):
            raise ConnectionError("the mail was refused")
        took = time.monotonic() - began
        server.sendall(b"QUIT\r\n")
        server.recv(1000)
    return took


def sessions(address: str, port: int, number: int) -> list[float]:
    """Send short mails one after another, each in a session of its own; returns their seconds.

    Args:
        address: of the server.
        port: its port.
        number: how many.
    """
    took = []
    for _ in range(number):
        began = time.perf_counter()
        with socket.create_connection((address, port), 30) as server:
            server.recv(1000)
            for line in (*_ENVELOPE, LINE * 13 + b".\r\n", b"QUIT\r\n"):
                server.sendall(line)
                server.recv(1000)
        took.append(time.perf_counter() - began)
    return took


def main() -> None:
    """Do what argv says: serve, transfer or sessions, with an address, a port and a number."""
    match sys.argv[1:]:
        case ["serve", address, port]:
            serve(address, int(port))
        case ["transfer", address, port, chunks]:
            print(transfer(address, int(port), int(chunks)))
        case ["sessions", address, port, number]:
            print(*sessions(address, int(port), int(number)))


if __name__ == "__main__":
    main()
