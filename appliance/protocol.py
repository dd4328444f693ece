"""Numbers of the IP protocols that are told apart (IANA's registry)."""

from __future__ import annotations

ICMP = 1
TCP = 6
UDP = 17
