"""Numbers of the IP protocols that are told apart, and of one port (IANA's registries)."""

from __future__ import annotations

ICMP = 1
TCP = 6
UDP = 17

SMTP = 25
"""The port of mail."""
