"""The names that a rule may use for numbers: ports, protocols, ICMP types, severities.

Sources: docs/evidence.md. A name that only IOS knows is accepted as well.
"""

from __future__ import annotations

from collections.abc import Mapping

from appliance.config.language import SEVEN, Language

_TCP = {
    "aol": 5190,
    "bgp": 179,
    "chargen": 19,
    "cifs": 3020,
    "citrix-ica": 1494,
    "cmd": 514,
    "ctiqbe": 2748,
    "daytime": 13,
    "discard": 9,
    "domain": 53,
    "echo": 7,
    "exec": 512,
    "finger": 79,
    "ftp": 21,
    "ftp-data": 20,
    "gopher": 70,
    "h323": 1720,
    "hostname": 101,
    "http": 80,
    "https": 443,
    "ident": 113,
    "imap4": 143,
    "irc": 194,
    "kerberos": 750,
    "klogin": 543,
    "kshell": 544,
    "ldap": 389,
    "ldaps": 636,
    "login": 513,
    "lotusnotes": 1352,
    "lpd": 515,
    "netbios-ssn": 139,
    "nfs": 2049,
    "nntp": 119,
    "pcanywhere-data": 5631,
    "pim-auto-rp": 496,
    "pop2": 109,
    "pop3": 110,
    "pptp": 1723,
    "rsh": 514,
    "rtsp": 554,
    "sip": 5060,
    "smtp": 25,
    "sqlnet": 1521,
    "ssh": 22,
    "sunrpc": 111,
    "syslog": 514,
    "tacacs": 49,
    "tacacs-ds": 63,
    "talk": 517,
    "telnet": 23,
    "time": 37,
    "uucp": 540,
    "whois": 43,
    "www": 80,
}

_UDP = {
    "biff": 512,
    "bootpc": 68,
    "bootps": 67,
    "cifs": 3020,
    "discard": 9,
    "dnsix": 195,
    "domain": 53,
    "echo": 7,
    "isakmp": 500,
    "kerberos": 750,
    "mobile-ip": 434,
    "nameserver": 42,
    "netbios-dgm": 138,
    "netbios-ns": 137,
    "netbios-ss": 139,
    "nfs": 2049,
    "ntp": 123,
    "pcanywhere-status": 5632,
    "pim-auto-rp": 496,
    "radius": 1645,
    "radius-acct": 1646,
    "rip": 520,
    "rtsp": 554,
    "secureid-udp": 5510,
    "sip": 5060,
    "snmp": 161,
    "snmptrap": 162,
    "sunrpc": 111,
    "syslog": 514,
    "tacacs": 49,
    "talk": 517,
    "tftp": 69,
    "time": 37,
    "who": 513,
    "xdmcp": 177,
}

_BOTH = {name: port for name, port in _TCP.items() if _UDP.get(name) == port}

SERVICES = {"tcp": _TCP, "udp": _UDP, "tcp-udp": _BOTH}

_NEVER_PRINTED = {
    "tcp": frozenset({"cmd", "http", "syslog", "tacacs-ds"}),
    "udp": frozenset({"netbios-ss"}),
    "tcp-udp": frozenset({"syslog"}),
}
"""By TCP, 80 is printed as `www` and 514 as `rsh`; the others are names of IOS alone."""

_PRINTED = {
    protocol: {port: name for name, port in names.items() if name not in _NEVER_PRINTED[protocol]}
    for protocol, names in SERVICES.items()
}
_PRINTED_BEFORE_7 = {
    protocol: {port: name for port, name in names.items() if name != "nfs"}
    for protocol, names in _PRINTED.items()
}
_PRINTED_BEFORE_6 = {
    protocol: {port: name for port, name in names.items() if name not in ("https", "nfs")}
    for protocol, names in _PRINTED.items()
}


def port_names(protocol: str, language: Language) -> Mapping[int, str]:
    """The names that a device prints in place of a port's number.

    6.3 prints `https`, which 4.2 does not (here, from 6.0 on), and not `nfs`, as configurations
    show that people published.

    Args:
        protocol: "tcp", "udp" or "tcp-udp".
        language: the version.
    """
    if language < (6, 0):
        return _PRINTED_BEFORE_6[protocol]
    return (_PRINTED_BEFORE_7 if language < SEVEN else _PRINTED)[protocol]


# Protocols that a rule names and that have neither ports nor types. `ipsec` is ESP, `pptp` GRE.
PROTOCOLS = {
    "ah": 51,
    "eigrp": 88,
    "esp": 50,
    "gre": 47,
    "igmp": 2,
    "igrp": 9,
    "ipinip": 4,
    "ipsec": 50,
    "nos": 94,
    "ospf": 89,
    "pcp": 108,
    "pim": 103,
    "pptp": 47,
    "snp": 109,
}

ICMP_TYPES = {
    "alternate-address": 6,
    "conversion-error": 31,
    "echo": 8,
    "echo-reply": 0,
    "information-reply": 16,
    "information-request": 15,
    "mask-reply": 18,
    "mask-request": 17,
    "mobile-redirect": 32,
    "parameter-problem": 12,
    "redirect": 5,
    "router-advertisement": 9,
    "router-solicitation": 10,
    "source-quench": 4,
    "time-exceeded": 11,
    "timestamp-reply": 14,
    "timestamp-request": 13,
    "traceroute": 30,
    "unreachable": 3,
}

SEVERITIES = {
    "emergencies": 0,
    "alerts": 1,
    "critical": 2,
    "errors": 3,
    "warnings": 4,
    "notifications": 5,
    "informational": 6,
    "debugging": 7,
}
