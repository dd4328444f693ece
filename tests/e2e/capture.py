"""Captures of an interface in a namespace, and packets whose checksums are all there."""

from __future__ import annotations

import array
import fcntl
import os
import selectors
import socket
import struct
import threading
import time
from pathlib import Path
from types import TracebackType

from appliance.lab.namespace import Namespace

ETH_P_ALL = 3  # linux/if_ether.h
SO_RCVBUFFORCE = 33  # asm-generic/socket.h
SIOCETHTOOL = 0x8946  # linux/sockios.h
ETHTOOL_STXCSUM = 0x17  # linux/ethtool.h
QUIET = 0.3  # seconds


class Capture:
    """Writes every frame of an interface to a pcap file, for the length of a `with` block.

    Args:
        namespace: where the interface is.
        interface: its name.
        path: the file.
    """

    def __init__(self, namespace: Namespace, interface: str, path: Path) -> None:
        def open_socket() -> socket.socket:
            opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            opened.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            opened.bind((interface, ETH_P_ALL))
            return opened

        self.path = path
        self._file = path.open("wb")
        self._file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 18, 1))
        self._socket = namespace.call(open_socket)
        self._stop, self._stopped = os.pipe()
        self._last = time.monotonic()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def _read(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            selector.register(self._stop, selectors.EVENT_READ)
            while all(key.fd != self._stop for key, _ in selector.select()):
                frame = self._socket.recv(1 << 17)
                self._last = time.monotonic()
                seconds, fraction = divmod(time.time_ns(), 1_000_000_000)
                sizes = (len(frame), len(frame))
                self._file.write(struct.pack("<IIII", seconds, fraction // 1000, *sizes) + frame)

    def __enter__(self) -> Capture:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        deadline = time.monotonic() + 20 * QUIET
        while time.monotonic() < min(self._last + QUIET, deadline):
            time.sleep(QUIET / 4)
        os.write(self._stopped, b".")
        self._thread.join()
        for each in (self._socket, self._file):
            each.close()
        os.close(self._stop)
        os.close(self._stopped)


def sum_in_software(namespace: Namespace, interface: str) -> None:
    """Have the kernel fill in checksums itself; between namespaces it leaves them out."""

    def switch() -> None:
        value = array.array("I", (ETHTOOL_STXCSUM, 0))
        request = struct.pack("16sP16x", interface.encode(), value.buffer_info()[0])
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
            fcntl.ioctl(any_socket, SIOCETHTOOL, request)

    namespace.call(switch)
