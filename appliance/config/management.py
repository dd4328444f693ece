"""The commands around the firewall itself, none of which is done: each has its honest state.

Many hold secrets. Nothing of what follows their keywords is ever shown in a message (see `load`),
and printed is only what matches a pattern here, without the groups in it.
"""

from __future__ import annotations

from appliance.config.command import FREE, Command, accepted, ignored, unimplemented
from appliance.config.language import SEVEN

_WORD = r"(\S+)"  # a secret, which is masked

_ACCEPTED = {
    "arp": "ARP entries and how long they last, which Linux keeps here",
    "auth-prompt": "prompt of authentication",
    "banner": "text shown at log-in",
    "clock": "time zone",
    "console": "timeout of the console",
    "dhcpd": "DHCP server",
    "eeprom": "memory of network cards",
    "flashfs": "flash memory",
    "floodguard": "resources of user authentication",
    "ftp": "mode of the firewall's own FTP",
    "http": "management by web browser",
    "management-access": "management through a tunnel",
    "pager": "lines of a page on the terminal",
    "pdm": "device manager",
    "privilege": "privilege levels of commands",
    "prompt": "the prompt",
    "ssh": "management by SSH",
    "telnet": "management by telnet",
    "terminal": "width of the terminal",
    "tftp-server": "where configurations are written to",
}

_WITH_SECRETS = {
    "aaa-server": (
        "authentication servers",
        (
            r"\S+ (?:protocol \S+|max-failed-attempts \d+|deadtime \d+)",
            rf"key {_WORD}",
            rf"\S+(?: \(\S+\))? host \S+(?: {_WORD})??(?: timeout \d+)?",
        ),
    ),
    "ca": ("certificates", (r"(?:identity|configure|save|crl|zeroize) .*",)),
    "enable": (
        "password of privileged mode",
        (rf"password {_WORD}(?: level \d+)?(?: encrypted)?",),
    ),
    "ntp": (
        "time servers",
        (
            r"(?:server|source|trusted-key) .*|authenticate",
            rf"authentication-key \d+ md5 {_WORD}",
        ),
    ),
    "passwd": ("password of telnet sessions", (rf"{_WORD}(?: encrypted)?",)),
    "password": ("password of telnet sessions", (rf"{_WORD}(?: encrypted)?",)),
    "snmp-server": (
        "SNMP",
        (
            r"(?:location|contact|enable)(?: .*)?",
            rf"community {_WORD}",
            rf"host \S+ \S+(?: (?:poll|trap))?(?: community {_WORD})?"
            r"(?: version \S+)?(?: udp-port \d+)?",
        ),
    ),
    "username": (
        "users",
        (
            r"\S+ nopassword(?: privilege \d+)?",
            r"\S+ attributes",
            rf"\S+ password {_WORD}(?: (?:encrypted|nt-encrypted|mschap))?(?: privilege \d+)?",
        ),
    ),
}

_OPENING = frozenset({"aaa-server", "username"})
"""From 7.0 on, lines may stand below them."""

_TUNNEL = "nothing is encrypted or decrypted, and what comes in a tunnel does not pass"

_UNIMPLEMENTED = {
    "aaa": (
        "authenticate connections",
        "nobody is asked to authenticate, and what waits for that passes as the rules say",
    ),
    "filter": ("filter web addresses, Java or ActiveX", "what it blocks is not blocked here"),
    "fragment": ("limits on fragments", "Linux limits them as it is set up to"),
    "ip audit": ("intrusion signatures", "no signature is looked for, and what has one passes"),
    "ip local": ("addresses for VPN clients", "no address is given out"),
    "multicast": ("multicast", "no multicast is forwarded"),
    "service": ("resets for what is denied", "what is denied is dropped without a reset"),
    "shun": ("block a host", "the host is not blocked"),
    "url-cache": ("cache of URL answers", "no URL is filtered"),
    "url-server": ("server for URL filters", "no URL is filtered, and all of them pass"),
    "virtual": ("virtual servers for authentication", "there are none"),
}

_KEY = (
    rf"key {_WORD} (?:address|hostname) .*",
    r"(?:enable|identity|policy|nat-traversal|keepalive|client|am-disable|peer)(?: .*)?",
)
_UNIMPLEMENTED_WITH_SECRETS = {
    "failover": (
        "a second unit",
        "there is no second unit",
        (
            "",
            r"(?:timeout|poll|polltime|ip|lan (?:unit|interface|enable)|link|mac|replication|reset"
            r"|active|interface|interface-policy)(?: .*)?",
            rf"(?:lan )?key(?: hex)? {_WORD}",
        ),
    ),
    "isakmp": ("IPsec", _TUNNEL, _KEY),
    "vpdn": (
        "dial-in tunnels",
        "no tunnel is accepted",
        (rf"username \S+ password {_WORD}(?: store-local)?", r"(?:enable|group) .*"),
    ),
    "vpngroup": (
        "VPN clients",
        "no tunnel is accepted",
        (
            r"\S+ attributes",
            rf"\S+ password {_WORD}",
            r"\S+ (?:address-pool|dns-server|wins-server|default-domain|split-tunnel|idle-time"
            r"|max-time|split-dns) .*",
        ),
    ),
    "dynamic-map": ("IPsec", _TUNNEL, (r"(?!.*session-key).*",)),
    "map": ("IPsec", _TUNNEL, (r"(?!.*session-key).*",)),
}

_CRYPTO = (
    r"(?:ipsec|map|dynamic-map) (?!.*session-key).*",
    *(f"isakmp (?:{pattern})" for pattern in _KEY),
    r"(?:authentication|encryption|hash|group|lifetime) \S+",
)

_ACCEPTED_SEVEN = {
    "asdm": "device manager",
    "auto-update": "software and configurations from a server",
    "boot": "where the software is",
    "compression": "compression of VPN traffic",
    "dns-guard": "one DNS answer a question, which connection tracking sees to here",
    "jumbo-frame": "large frames, which Linux sets here",
    "logging asdm": "messages to the device manager",
    "logging asdm-buffer-size": "messages to the device manager",
    "logging buffer-size": "size of the buffer",
    "logging class": "messages of a kind",
    "logging debug-trace": "messages of debugging",
    "logging emblem": "format of messages",
    "logging flash-bufferwrap": "messages to flash memory",
    "logging flash-maximum-allocation": "messages to flash memory",
    "logging flash-minimum-free": "messages to flash memory",
    "logging from-address": "messages by mail",
    "logging ftp-bufferwrap": "messages to an FTP server",
    "logging list": "a choice of messages",
    "logging mail": "messages by mail",
    "logging rate-limit": "how many messages are sent",
    "logging recipient-address": "messages by mail",
    "logging savelog": "messages to flash memory",
    "mac-address": "hardware addresses of interfaces",
    "monitor-interface": "interfaces that failover watches",
    "smtp-server": "where the firewall's own mail goes",
    "ssl": "ciphers of management",
    "vpn-sessiondb": "limits on VPN sessions",
    "vpn-addr-assign": "addresses for VPN clients",
}

# They open blocks, which are kept as they are where they hold no secrets.
_BLOCKS: dict[str, tuple[str, str, tuple[str, ...] | None]] = {
    "call-home": ("reports to the vendor", "", ()),
    "client-update": ("software of VPN clients", "", ()),
    "context": ("a virtual firewall", "there is one firewall alone", ()),
    "dns": ("name servers of the firewall", "", None),
    "dynamic-access-policy-record": ("VPN policies", "", ()),
    "group-policy": ("VPN clients", _TUNNEL, (r"\S+ (?:internal|attributes)",)),
    "imap4s": ("mail through a VPN", _TUNNEL, ()),
    "ldap": ("authentication servers", "", ()),
    "nac-policy": ("VPN clients", _TUNNEL, ()),
    "pop3s": ("mail through a VPN", _TUNNEL, ()),
    "prefix-list": ("choice of routes", "no route is learnt or announced", None),
    "priority-queue": ("let some traffic go first", "nothing goes first", None),
    "route-map": ("choice of routes", "no route is learnt or announced", None),
    "sla": ("watch a host", "no host is watched", None),
    "smtps": ("mail through a VPN", _TUNNEL, ()),
    "snmp-map": ("which SNMP passes", "SNMP passes as the rules say", None),
    "tcp-map": ("checks of TCP options", "options are as inspection leaves them", None),
    "threat-detection": ("statistics of attacks", "no host is shunned by it", None),
    "track": ("a route that goes with a watched host", "the route stays", None),
    "tunnel-group": (
        "VPN peers",
        _TUNNEL,
        (r"\S+ (?:type \S+|\S+-attributes)", rf"pre-shared-key {_WORD}"),
    ),
    "tunnel-group-map": ("VPN peers", _TUNNEL, None),
    "webvpn": ("VPN by web browser", _TUNNEL, ()),
}
_UNIMPLEMENTED_SEVEN = {
    "firewall": ("be a bridge", "it routes: what a bridge passes does not pass"),
    "ipv6": ("IPv6", "no IPv6 is forwarded"),
    "mode": ("several firewalls in one", "there is one firewall alone"),
    "mroute": ("multicast", "no multicast is forwarded"),
    "multicast-routing": ("multicast", "no multicast is forwarded"),
    "pim": ("multicast", "no multicast is forwarded"),
    "url-block": ("limits on URL filters", "no URL is filtered"),
    "wccp": ("send web traffic to a cache", "it is not sent there"),
}


def _block(words: str, help: str, gap: str, public: tuple[str, ...] | None) -> Command:
    if gap:
        return unimplemented(words, help, gap, public=public, since=SEVEN, opens=FREE)
    return accepted(words, help, public=public, since=SEVEN, opens=FREE)


COMMANDS: tuple[Command, ...] = (
    *(accepted(words, help) for words, help in _ACCEPTED.items()),
    *(
        accepted(words, help, public=public, opens=FREE if words in _OPENING else None)
        for words, (help, public) in _WITH_SECRETS.items()
    ),
    *(unimplemented(words, help, gap) for words, (help, gap) in _UNIMPLEMENTED.items()),
    *(
        unimplemented(words, help, gap, public=public)
        for words, (help, gap, public) in _UNIMPLEMENTED_WITH_SECRETS.items()
    ),
    ignored("configure", "read a configuration"),
    ignored("write", "save the configuration"),
    unimplemented("crypto", "IPsec", _TUNNEL, public=_CRYPTO, until=SEVEN),
    unimplemented("crypto", "IPsec", _TUNNEL, public=_CRYPTO, since=SEVEN, opens=FREE),
    *(accepted(words, help, since=SEVEN) for words, help in _ACCEPTED_SEVEN.items()),
    *(_block(words, *rest) for words, rest in _BLOCKS.items()),
    *(
        unimplemented(words, help, gap, since=SEVEN)
        for words, (help, gap) in _UNIMPLEMENTED_SEVEN.items()
    ),
)
