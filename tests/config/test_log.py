"""`logging`: which messages, where to, and what stands before them."""

import pytest

from appliance.config.load import read_rules
from appliance.config.model import Logging, LogHost
from appliance.config.printing import printed
from appliance.errors import Place
from tests.config.reading import address, error_of, findings_of, read, warning_of

TRAP = "logging trap 6"
INSIDE = "inside"
SERVER = address("10.1.1.9")


@pytest.mark.parametrize(
    ("lines", "logging"),
    [
        ((), Logging(False, ())),
        (("logging on",), Logging(True, ())),
        (("logging on", "no logging on"), Logging(False, ())),
        (
            ("logging on", "logging trap informational", "logging buffered 7"),
            Logging(True, (("buffered", 7), ("trap", 6))),
        ),
        (("logging trap 3", "logging trap deb"), Logging(False, (("trap", 7),))),
        (("logging trap 3", "no logging trap"), Logging(False, ())),
        (("logging console 0", "no logging console 0"), Logging(False, ())),
        (
            ("logging mon alerts", "logging hist 1"),
            Logging(False, (("monitor", 1), ("history", 1))),
        ),
    ],
)
def test_logging(lines: tuple[str, ...], logging: Logging) -> None:
    assert read(*lines).logging == logging


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("logging trap", 14, "incomplete"),
        ("logging trap 8", 14, "not a number from 0 to 7"),
        ("logging trap informationl", 14, "not a severity"),
        ("logging trap e", 14, "ambiguous: emergencies, errors"),
        ("logging enable", 1, "`logging enable` exists from 7.0 on only"),
        ("logging on on", 12, "not expected"),
        ("logging host", 14, "incomplete"),
        ("logging host inside", 21, "incomplete"),
        ("logging host inside 10.1.1.999", 21, "not an IPv4 address"),
        ("logging host 10.1.1.999", 14, "not an IPv4 address"),
        ("logging host 224.0.0.1", 14, "not the address of a host"),
        ("logging host 0", 14, "not the address of a host"),
        ("logging host inside 10.1.1.9 514", 30, "`514` is not a protocol and a port"),
        ("logging host inside 10.1.1.9 udp/0", 30, "0 is not a port from 1 to 65535"),
        ("logging host inside 10.1.1.9 udp/65536", 30, "65536 is not a port from 1 to 65535"),
        ("logging host inside 10.1.1.9 sctp/514", 30, "not a protocol and a port"),
        ("logging host inside 10.1.1.9 format", 37, "incomplete"),
        ("logging host inside 10.1.1.9 format xml", 37, "`xml` is not expected here"),
        ("logging host inside 10.1.1.9 format emblem secure", 44, "`secure` is not a protocol"),
        ("no logging host inside 10.1.1.9", 24, "10.1.1.9 is no syslog server"),
        ("logging facility 15", 18, "not a number from 16 to 23"),
        ("logging facility 24", 18, "not a number from 16 to 23"),
        ("logging timestamp on", 19, "not expected"),
        ("logging device-id", 19, "incomplete"),
        ("logging device-id string", 26, "incomplete"),
        ("logging device-id string two words", 30, "not expected"),
        ("logging device-id string seventeen-letters", 26, "not a device ID"),
        ("logging device-id string a<b", 26, "not a device ID"),
        ("logging device-id context-name", 19, "`context-name` is not expected here"),
        ("logging message", 17, "incomplete"),
        ("logging message 10601", 17, "not the number of a message"),
        ("logging message 106011 3", 24, "not expected"),
        ("logging message 106011 level 8", 30, "not a number from 0 to 7"),
        ("logging", 9, "incomplete"),
    ],
)
def test_wrong_logging(line: str, column: int, problem: str) -> None:
    error = error_of(line)
    assert error.place == Place("test.conf", 5, column)
    assert problem in error.problem


@pytest.mark.parametrize(
    ("lines", "hosts"),
    [
        (("logging host inside 10.1.1.9",), (LogHost(SERVER, 514, False, "inside"),)),
        (("logging host 10.1.1.9",), (LogHost(SERVER, 514, False),)),
        (("logging host inside 10.1.1.9 udp/1514",), (LogHost(SERVER, 1514, False, "inside"),)),
        (("logging host inside 10.1.1.9 17/1514",), (LogHost(SERVER, 1514, False, "inside"),)),
        (("logging host inside 10.1.1.9 form embl",), (LogHost(SERVER, 514, True, "inside"),)),
        (
            ("logging host inside 10.1.1.9 UDP/99 format emblem",),
            (LogHost(SERVER, 99, True, "inside"),),
        ),
        (("name 10.1.1.9 loghost", "logging host loghost"), (LogHost(SERVER, 514, False),)),
        (
            ("name 10.1.1.9 loghost", "logging host inside loghost"),
            (LogHost(SERVER, 514, False, "inside"),),
        ),
        (
            ("logging host inside 10.1.1.9", "logging host inside 10.1.1.8 format emblem"),
            (
                LogHost(SERVER, 514, False, "inside"),
                LogHost(address("10.1.1.8"), 514, True, "inside"),
            ),
        ),
        (
            ("logging host inside 10.1.1.9", "logging host inside 10.1.1.9 udp/99"),
            (LogHost(SERVER, 99, False, "inside"),),
        ),
        (("logging host inside 10.1.1.9 udp/99", "no logging host inside 10.1.1.9"), ()),
        (("logging host 10.1.1.9", "no logging host 10.1.1.9 udp/514"), ()),
    ],
)
def test_syslog_servers(lines: tuple[str, ...], hosts: tuple[LogHost, ...]) -> None:
    assert read(TRAP, *lines).logging.hosts == hosts


@pytest.mark.parametrize(
    ("lines", "facility"),
    [
        ((), 20),
        (("logging facility 16",), 16),
        (("logging facility 23",), 23),
        (("logging facility 23", "no logging facility"), 20),
        (("logging facility 23", "no logging facility 23"), 20),
    ],
)
def test_facility(lines: tuple[str, ...], facility: int) -> None:
    assert read(*lines).logging.facility == facility


def test_timestamp() -> None:
    assert not read().logging.timestamp
    assert read("logging timestamp").logging.timestamp
    assert not read("logging timestamp", "no logging timestamp").logging.timestamp


@pytest.mark.parametrize(
    ("lines", "device_id"),
    [
        ((), ""),
        (("logging device-id hostname",), "pixfirewall"),
        (("logging device-id hostname", "hostname acme"), "acme"),
        (("logging device-id ipaddress inside",), "10.1.1.1"),
        (("logging device-id ip outside", "ip address outside 192.0.2.1"), "192.0.2.1"),
        (("logging device-id string sixteen-letters.",), "sixteen-letters."),
        (("logging device-id string one", "no logging device-id"), ""),
        (("logging device-id string one", "logging device-id hostname"), "pixfirewall"),
    ],
)
def test_device_id(lines: tuple[str, ...], device_id: str) -> None:
    assert read(*lines).logging.device_id == device_id


@pytest.mark.parametrize(
    ("lines", "disabled", "severities"),
    [
        (("no logging message 106011",), (106011,), ()),
        (("no logging message 106011", "logging message 106011"), (), ()),
        (("no logging message 106015", "no logging message 106011"), (106011, 106015), ()),
        (("logging message 302013 level 5",), (), ((302013, 5),)),
        (("logging message 302013 level alerts",), (), ((302013, 1),)),
        (("logging message 302013 level 5", "no logging message 302013 level 5"), (), ()),
        (
            ("logging message 302013 level 5", "no logging message 302013"),
            (302013,),
            ((302013, 5),),
        ),
    ],
)
def test_single_messages(
    lines: tuple[str, ...], disabled: tuple[int, ...], severities: tuple[tuple[int, int], ...]
) -> None:
    logging = read(*lines).logging
    assert (logging.disabled, logging.severities) == (disabled, severities)


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("logging host dmz 10.1.1.9", 14, "there is no interface named `dmz`"),
        ("logging device-id ipaddress dmz", 29, "there is no interface named `dmz`"),
    ],
)
def test_interfaces_that_are_named_must_exist(line: str, column: int, problem: str) -> None:
    error = error_of(TRAP, line)
    assert error.place == Place("test.conf", 6, column)
    assert error.problem == problem


def test_the_interface_of_a_device_id_must_have_an_address() -> None:
    error = error_of("no ip address inside", "logging device-id ipaddress inside")
    assert error.place == Place("test.conf", 6, 29)
    assert error.problem == "interface `inside` has no address"


@pytest.mark.parametrize("transport", ["tcp/1470", "6/1470", "tcp/514"])
def test_a_server_is_reached_by_tcp(transport: str) -> None:
    line = f"logging host inside 10.1.1.9 {transport}"
    port = int(transport.split("/")[1])
    configuration = read(TRAP, line)
    assert configuration.logging.hosts == (LogHost(SERVER, port, False, "inside", tcp=True),)
    assert f"logging host inside 10.1.1.9 6/{port}" in printed(configuration)


def test_connections_may_begin_without_a_server_from_7_0_on() -> None:
    line = "logging permit-hostdown"
    assert not read(TRAP).logging.permit_host_down
    reading = read_rules(f"ASA Version 7.2(4)\n{line}\n", "test.conf")
    assert reading.configuration is not None
    assert reading.configuration.logging.permit_host_down
    assert line in printed(reading.configuration)
    reading = read_rules(f"ASA Version 7.2(4)\n{line}\nno {line}\n", "test.conf")
    assert reading.configuration is not None
    assert not reading.configuration.logging.permit_host_down


def test_servers_that_get_nothing_are_told() -> None:
    warning = warning_of("logging on", "logging host inside 10.1.1.9")
    assert warning.place.line == 6
    assert "no message is sent to it without `logging trap`" in warning.problem
    assert findings_of("logging host inside 10.1.1.9", TRAP) == ()
