from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.config.language import DEFAULT
from appliance.config.model import Static
from appliance.config.translation import printed
from appliance.errors import Place
from tests.config.reading import error_of, network, read, warning_of
from tests.policy.rules import TWO_INTERFACES, configuration

HOST = Static(
    real_interface="inside",
    mapped_interface="outside",
    real=network("10.1.1.5/32"),
    mapped=network("203.0.113.5/32"),
    protocol=None,
    real_port=0,
    mapped_port=0,
    max_connections=0,
    embryonic_limit=0,
    udp_connections=0,
    norandomseq=False,
    dns=False,
    place=Place("test.conf", 5, 1),
)
PORT = replace(HOST, protocol=6, mapped_port=25, real_port=2525)
NET = replace(HOST, real=network("10.1.1.0/24"), mapped=network("203.0.113.0/24"))


@pytest.mark.parametrize(
    ("line", "static"),
    [
        ("static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0", HOST),
        ("static (inside, outside) 203.0.113.5 10.1.1.5", HOST),
        ("static 203.0.113.5 10.1.1.5", HOST),
        ("STATIC (inside,outside) 203.0.113.5 10.1.1.5", HOST),
        (
            "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0 norand",
            replace(HOST, norandomseq=True),
        ),
        ("static (inside,outside) interface 10.1.1.5", replace(HOST, mapped=None)),
        ("static (inside,outside) tcp 203.0.113.5 smtp 10.1.1.5 2525", PORT),
        (
            "static (inside,outside) udp 203.0.113.5 domain 10.1.1.5 5353",
            replace(PORT, protocol=17, mapped_port=53, real_port=5353),
        ),
        (
            "static (inside,outside) tcp interface 25 10.1.1.5 2525 netmask 255.255.255.255 0 0",
            replace(PORT, mapped=None),
        ),
        ("static (inside,outside) 203.0.113.0 10.1.1.0 netmask 255.255.255.0 0 0", NET),
        # Without a netmask, the class of a network's address gives it.
        (
            "static (inside,outside) 203.0.113.0 192.168.7.0",
            replace(NET, real=network("192.168.7.0/24")),
        ),
    ],
)
def test_static(line: str, static: Static) -> None:
    assert read(line).statics == (static,)


@pytest.mark.parametrize(
    ("options", "column", "problem", "static"),
    [
        ("0 25", 1, "inspected ports alone", replace(HOST, embryonic_limit=25)),
        (
            "100 25 norand",
            1,
            "inspected ports alone",
            replace(HOST, max_connections=100, embryonic_limit=25, norandomseq=True),
        ),
        ("dns 0 0 norand", 46, "`dns`", replace(HOST, dns=True, norandomseq=True)),
    ],
)
def test_options_that_are_not_implemented_are_read_and_told(
    options: str, column: int, problem: str, static: Static
) -> None:
    line = f"static (inside,outside) 203.0.113.5 10.1.1.5 {options}"
    assert read(line, warnings=1).statics == (static,)
    warning = warning_of(line)
    assert warning.place == Place("test.conf", 5, column)
    assert problem in warning.problem


@pytest.mark.parametrize(
    ("options", "limits"),
    [
        ("", (0, 0, 0)),
        ("7", (7, 0, 0)),
        ("65535 0", (65535, 0, 0)),
        ("tcp 7", (7, 0, 0)),
        ("tcp 7 0 udp 30", (7, 0, 30)),
        ("udp 30", (0, 0, 30)),
        ("udp 30 7 norandomseq", (7, 0, 30)),
        ("7 udp 30 netmask 255.255.255.255", (7, 0, 30)),
    ],
)
def test_limits(options: str, limits: tuple[int, int, int]) -> None:
    (static,) = read(f"static (inside,outside) 203.0.113.5 10.1.1.5 {options}").statics
    found = (static.max_connections, static.embryonic_limit, static.udp_connections)
    assert found == limits


def test_a_limit_on_half_open_connections_to_an_inspected_port_holds_as_it_is() -> None:
    line = "static (inside,outside) tcp 203.0.113.5 2525 10.1.1.5 smtp 100 25"
    (static,) = read(line).statics
    assert (static.max_connections, static.embryonic_limit) == (100, 25)
    assert "inspected ports alone" in warning_of(line, "no fixup protocol smtp 25").problem


@pytest.mark.parametrize(
    ("line", "text"),
    [
        # pix2asa's configurations, a PIX 501 of 2003 among them; the port form, fwbuilder's.
        (
            "static (inside,outside) 203.0.113.5 10.1.1.5 norand dns",
            "static (inside,outside) 203.0.113.5 10.1.1.5 dns netmask 255.255.255.255 0 0 "
            "norandomseq",
        ),
        (
            "static (inside,outside) 203.0.113.0 10.1.1.0",
            "static (inside,outside) 203.0.113.0 10.1.1.0 netmask 255.255.255.0 0 0 ",
        ),
        (
            "static (inside,outside) tcp interface 80 10.1.1.5 8080",
            "static (inside,outside) tcp interface www 10.1.1.5 8080 netmask 255.255.255.255 0 0 ",
        ),
        (
            "static 203.0.113.5 10.1.1.5 udp 30 7 5",
            "static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 tcp 7 5 udp 30 ",
        ),
    ],
)
def test_printed(line: str, text: str) -> None:
    warnings = len([told for told in (" dns", " 7 5") if told in line])
    (static,) = read(line, warnings=warnings).statics
    assert printed(static, DEFAULT) == text


PORT_NUMBERS = st.integers(1, 65535)


@given(
    protocol=st.sampled_from([None, 6, 17]),
    ports=st.tuples(PORT_NUMBERS, PORT_NUMBERS),
    limits=st.tuples(*[st.integers(0, 65535)] * 3),
    flags=st.tuples(st.booleans(), st.booleans()),
    interface=st.booleans(),
)
def test_what_is_printed_is_read_as_the_same(
    protocol: int | None,
    ports: tuple[int, int],
    limits: tuple[int, int, int],
    flags: tuple[bool, bool],
    interface: bool,
) -> None:
    most, embryonic, udp = limits
    static = replace(
        HOST,
        protocol=protocol,
        mapped=None if interface else HOST.mapped,
        mapped_port=ports[0] if protocol else 0,
        real_port=ports[1] if protocol else 0,
        max_connections=most,
        embryonic_limit=embryonic,
        udp_connections=udp,
        norandomseq=flags[0],
        dns=flags[1],
    )
    assert configuration(TWO_INTERFACES, printed(static, DEFAULT)).statics == (static,)


def test_the_order_of_statics_is_kept() -> None:
    found = read("static 203.0.113.9 10.1.1.9", "static 203.0.113.5 10.1.1.5").statics
    assert [str(s.real) for s in found] == ["10.1.1.9/32", "10.1.1.5/32"]
    assert [s.place.line for s in found] == [5, 6]


@pytest.mark.parametrize(
    "removal",
    [
        "no static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.255 0 0",
        "no static (inside,outside) 203.0.113.5 10.1.1.5",
        "clear static",
    ],
)
def test_a_static_removed(removal: str) -> None:
    assert read("static (inside,outside) 203.0.113.5 10.1.1.5", removal).statics == ()


def test_a_host_and_a_port_of_it_do_not_collide() -> None:
    found = read(
        "static (inside,outside) tcp 203.0.113.5 25 10.1.1.5 25",
        "static (inside,outside) tcp 203.0.113.5 80 10.1.1.6 80",
        "static (inside,outside) udp 203.0.113.5 25 10.1.1.7 25",
    )
    assert len(found.statics) == 3


def test_a_static_with_an_access_list() -> None:
    web = "access-list web permit tcp host 10.1.1.5 eq www any"
    line = "static (inside,outside) tcp interface www access-list web 0 0"
    (static,) = read(web, line).statics
    assert (static.access_list, static.protocol, static.mapped_port) == ("web", 6, 80)
    assert printed(static, DEFAULT) == f"{line} "
    assert read(web, line, f"no {line}").statics == ()
    assert "access-list web does not exist" in error_of(line).problem


def test_a_static_may_lead_inwards() -> None:
    (static,) = read("static (outside,inside) 10.1.1.200 203.0.113.77").statics
    assert (static.real_interface, static.mapped_interface) == ("outside", "inside")


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("static (inside,outsde) 203.0.113.5 10.1.1.5", 16, "no interface named `outsde`"),
        ("static (insde,outside) 203.0.113.5 10.1.1.5", 9, "no interface named `insde`"),
        ("static (inside outside) 203.0.113.5 10.1.1.5", 8, "neither an address nor"),
        ("static (inside,outside) 203.0.113.5 10.1.1.5 netmask 255.255.255.0", 37, "not the addr"),
        ("static (inside,outside) 203.0.113.0 10.1.1.5 netmask 255.255.255.0", 37, "not the addr"),
        ("static (inside,outside) 203.0.113.7 10.1.1.0 netmask 255.255.255.0", 25, "not the addr"),
        ("static (inside,outside) interface 10.1.1.0 netmask 255.255.255.0", 52, "only one host"),
        ("static (inside,outside) tcp 203.0.113.5 smpt 10.1.1.5 25", 41, "not a tcp port"),
        ("static (inside,outside) tcp 203.0.113.5 25 10.1.1.5", 53, "incomplete"),
        ("static (inside,outside) 203.0.113.5", 37, "incomplete"),
        ("static (inside,outside) 203.0.113.5 10.1.1.5 0 0 0", 50, "`0` is not expected"),
        ("static (inside,outside) 203.0.113.5 10.1.1.5 -1", 46, "`-1` is not a number"),
        ("static (inside,outside) 203.0.113.5 10.1.1.5 65536", 46, "`65536` is not a number"),
        ("static (inside,outside) 203.0.113.5 0", 37, "cannot be translated"),
        ("no static (inside,outside) 203.0.113.5 10.1.1.5", 1, "no such static"),
    ],
)
def test_wrong_statics(line: str, column: int, problem: str) -> None:
    error = error_of(line)
    assert error.place == Place("test.conf", 5, column)
    assert problem in error.problem


@pytest.mark.parametrize(
    ("real", "problem"), [("10.1.1.5", "duplicate"), ("10.1.1.6", "mapped-address conflict")]
)
def test_a_mapped_address_belongs_to_one_static(real: str, problem: str) -> None:
    error = error_of("static 203.0.113.5 10.1.1.5", f"static 203.0.113.5 {real}")
    assert error.place == Place("test.conf", 6, 1)
    assert problem in error.problem
    assert "line 5" in error.problem


def test_the_pair_may_be_left_out_only_between_two_interfaces() -> None:
    error = error_of("nameif ethernet2 dmz security50", "static 203.0.113.5 10.1.1.5")
    assert error.place == Place("test.conf", 6, 1)
    assert "there are 3" in error.problem


def test_interface_without_an_address_has_none_to_translate_to() -> None:
    error = error_of(
        "no ip address outside", "static (inside,outside) tcp interface 25 10.1.1.5 25"
    )
    assert error.place == Place("test.conf", 6, 16)
