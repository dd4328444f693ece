"""The commands around the firewall itself, none of which is done: each has its honest state.

Many hold secrets; nothing of what follows their keywords is ever shown (see `load`).
"""

from __future__ import annotations

from appliance.config.command import accepted, unimplemented

_ACCEPTED = {
    "aaa-server": "authentication servers",
    "arp": "ARP entries and how long they last, which Linux keeps here",
    "auth-prompt": "prompt of authentication",
    "banner": "text shown at log-in",
    "ca": "certificates",
    "clock": "time zone",
    "configure": "read a configuration",
    "console": "timeout of the console",
    "dhcpd": "DHCP server",
    "eeprom": "memory of network cards",
    "enable": "password of privileged mode",
    "exit": "leave a mode",
    "flashfs": "flash memory",
    "floodguard": "resources of user authentication",
    "ftp": "mode of the firewall's own FTP",
    "http": "management by web browser",
    "management-access": "management through a tunnel",
    "ntp": "time servers",
    "pager": "lines of a page on the terminal",
    "passwd": "password of telnet sessions",
    "password": "password of telnet sessions",
    "pdm": "device manager",
    "privilege": "privilege levels of commands",
    "prompt": "the prompt",
    "quit": "leave a mode",
    "snmp-server": "SNMP",
    "ssh": "management by SSH",
    "telnet": "management by telnet",
    "terminal": "width of the terminal",
    "tftp-server": "where configurations are written to",
    "username": "users",
    "write": "save the configuration",
}

_TUNNEL = "nothing is encrypted or decrypted"

_UNIMPLEMENTED = {
    "aaa": ("authenticate connections", "nobody is asked to authenticate"),
    "crypto": ("IPsec", _TUNNEL),
    "dynamic-map": ("IPsec", _TUNNEL),
    "failover": ("a second unit", "there is no second unit"),
    "filter": ("filter web addresses, Java or ActiveX", "what it blocks is not blocked here"),
    "fragment": ("limits on fragments", "Linux limits them as it is set up to"),
    "ip audit": ("intrusion signatures", "no signature is looked for"),
    "ip local": ("addresses for VPN clients", "no address is given out"),
    "ip verify": ("drop packets from where they cannot come", "they are not dropped by it"),
    "isakmp": ("IPsec", _TUNNEL),
    "map": ("IPsec", _TUNNEL),
    "multicast": ("multicast", "no multicast is forwarded"),
    "service": ("resets for what is denied", "what is denied is dropped without a reset"),
    "shun": ("block a host", "the host is not blocked"),
    "sysopt": ("options of the system", "the option is not set"),
    "timeout": ("when idle connections end", "the defaults hold"),
    "url-cache": ("cache of URL answers", "no URL is filtered"),
    "url-server": ("server for URL filters", "no URL is filtered"),
    "virtual": ("virtual servers for authentication", "there are none"),
    "vpdn": ("dial-in tunnels", "no tunnel is accepted"),
    "vpngroup": ("VPN clients", "no tunnel is accepted"),
}

COMMANDS = (
    *(accepted(words, help) for words, help in _ACCEPTED.items()),
    *(unimplemented(words, help, gap) for words, (help, gap) in _UNIMPLEMENTED.items()),
)
