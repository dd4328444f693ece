"""Objects, what names them, and what translates them: the language of 8.3 and later."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter

from appliance.config.load import read_rules
from appliance.config.model import Configuration, Rule, ServiceObject, elementary
from appliance.config.objects import (
    AddressRange,
    DomainName,
    Mapped,
    NetworkObject,
    ObjectNat,
    TwiceNat,
)
from appliance.config.printing import printed
from appliance.errors import Place, Severity
from tests.config.eight import EIGHT, error, good, reading
from tests.config.reading import address, error_of, network
from tests.config.seven import error as error_of_seven

NOWHERE = Place("", 0)


def object_of(name: str, *lines: str) -> NetworkObject | ServiceObject:
    return next(each for each in good(*lines).objects if each.name == name)


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("host 10.1.1.7", network("10.1.1.7/32")),
        ("subnet 10.1.2.0 255.255.255.0", network("10.1.2.0/24")),
        ("range 10.1.1.7 10.1.1.9", AddressRange(address("10.1.1.7"), address("10.1.1.9"))),
        ("sub 0 0", network("0.0.0.0/0")),
    ],
)
def test_a_network_object(line: str, value: object) -> None:
    found = object_of("web", "object network web", f" {line}", " description the web server")
    assert found == NetworkObject("web", value, "the web server")  # type: ignore[arg-type]


def test_the_last_address_of_an_object_counts_and_may_be_taken_back() -> None:
    lines = ("object network web", " host 10.1.1.7", " host 10.1.1.8")
    assert object_of("web", *lines) == NetworkObject("web", network("10.1.1.8/32"))
    assert object_of("web", *lines, " no host 10.1.1.8") == NetworkObject("web", None)
    assert "the object is not that" in error(*lines, " no host 10.1.1.7").problem


def test_a_domain_name_is_known_and_not_looked_up() -> None:
    found = reading("object network web", " fqdn v4 www.example.com")
    assert found.configuration is not None
    assert found.configuration.objects[-1] == NetworkObject("web", DomainName("v4 www.example.com"))
    (warning,) = found.findings
    assert warning.severity is Severity.WARNING
    assert "`fqdn` is not implemented" in warning.problem
    lines = ("object network web", " fqdn www.example.com")
    for line, names in (
        ("access-list a permit ip any object web", False),
        ("access-list a deny ip any object web", True),
        ("nat (inside,outside) source static web web", True),
    ):
        problems = [f.problem for f in reading(*lines, line).findings]
        assert any("which object network web has, is not impl" in p for p in problems) == names


def test_an_object_with_a_domain_name_permits_nothing() -> None:
    lines = ("object network web", " fqdn www.example.com")
    found = reading(*lines, "access-list a permit ip any object web").configuration
    assert found is not None
    assert elementary(found.access_lists[0].lines) == ()


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("tcp source eq 25", "tcp source eq smtp "),
        ("tcp destination range 25 30", "tcp destination range smtp 30 "),
        ("udp eq domain", "udp destination eq domain "),
        ("tcp-udp destination eq 53", "tcp-udp destination eq domain "),
        ("icmp echo", "icmp echo "),
        ("gre", "gre "),
        ("tcp source eq 25 destination gt 1023", "tcp source eq smtp destination gt 1023 "),
    ],
)
def test_a_service_object(line: str, written: str) -> None:
    configuration = good("object service web", f" service {line}", " description of old")
    lines = printed(configuration)
    at = lines.index("object service web")
    assert lines[at + 1 : at + 3] == [f" service {written}", " description of old"]


def rules_of(*lines: str) -> tuple[Rule, ...]:
    return good(*lines).access_lists[0].rules


def test_rules_name_objects_and_groups_of_objects() -> None:
    groups = (
        "object-group network all",
        " network-object object pool",
        " network-object object mail",
        " network-object host 10.1.1.9",
        "object-group service mails",
        " service-object object smtp",
        " service-object tcp destination eq 587",
    )
    line = "access-list a extended permit tcp object lan object mail eq smtp "
    (rule,) = rules_of(line)
    assert (rule.source, rule.destination) == (network("10.1.1.0/24"), network("10.1.1.5/32"))
    rules = rules_of(*groups, "access-list a permit object smtp object lan object-group all")
    assert {each.source_ports.low for each in rules if each.source_ports} == {25}
    assert [str(each.destination) for each in rules] == [
        "203.0.113.20/30",
        "203.0.113.24/30",
        "203.0.113.28/31",
        "10.1.1.5/32",
        "10.1.1.9/32",
    ]
    rules = rules_of(*groups, "access-list a permit object-group mails any any")
    assert [each.source_ports is None for each in rules] == [False, True]
    printed_line = next(x for x in printed(good(line)) if x.startswith("access-list"))
    assert printed_line == line


def test_any4_and_any6() -> None:
    text = EIGHT.replace("8.4(1)", "9.1(2)")
    text += "access-list a permit ip any4 any\naccess-list a permit ip any6 any6\n"
    found = read_rules(text, "f").configuration
    assert found is not None
    assert [len(line.rules) for line in found.access_lists[0].lines] == [1, 0]  # type: ignore[union-attr]
    lines = [line for line in printed(found) if line.startswith("access-list")]
    assert lines == [
        "access-list a extended permit ip any4 any ",
        "access-list a extended permit ip any6 any6 ",
    ]
    assert "`any4` is of 9.0 and later" in error("access-list a permit ip any4 any").problem


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (("access-list a permit ip any object web",), "object `web` does not exist"),
        (("access-list a permit object mail any any",), "does not stand here"),
        (("access-list a permit ip any object smtp",), "does not stand here"),
        (("access-list a permit tcp any any object smtp",), "cannot stand in place of ports"),
        (("object network web", "access-list a permit ip any object web"), "object (web) is empty"),
        (("object network smtp",), "`object service smtp` has that name"),
        (("object-group network mail",), "`object network mail` has that name"),
        (("object-group network g", " network-object object smtp"), "does not stand in"),
        (("object-group service g tcp", " service-object object smtp"), "does not stand in"),
        (("object network web", " range 10.1.1.9 10.1.1.7"), "ends before it starts"),
        (("object network web", " host 10.1.1"), "is not an IPv4 address"),
        (("no object network web",), "there is no such object"),
        (("no object service mail",), "there is no such object"),
    ],
)
def test_wrong_objects(lines: tuple[str, ...], problem: str) -> None:
    assert problem in error(*lines).problem


@pytest.mark.parametrize(
    ("lines", "user"),
    [
        (("access-list a permit ip any object mail",), "access-list a"),
        (("object-group network g", " network-object object mail"), "object-group g"),
        (("object network lan", " nat (inside,outside) dynamic mail"), "object network lan"),
        (("nat (inside,outside) source static mail mapped",), "`nat`"),
        (("nat (inside,outside) source static lan lan destination static mail mail",), "`nat`"),
    ],
)
def test_what_is_named_cannot_be_removed(lines: tuple[str, ...], user: str) -> None:
    found = error(*lines, "no object network mail")
    assert found.problem == "Removing object (mail) not allowed, it is being used"
    assert found.remedy == f"remove it from {user} first"
    if user != "object network lan":
        assert "it is being used" in error(*lines, "clear configure object network").problem


def test_objects_are_cleared() -> None:
    assert good("clear configure object").objects == ()
    assert len(good("clear configure object service").objects) == 4
    assert len(good("no object service smtp").objects) == 5


def nat_of(name: str, *lines: str) -> ObjectNat | None:
    found = object_of(name, *lines)
    assert isinstance(found, NetworkObject)
    return found.nat


def object_nat(mapped: Mapped, dynamic: bool = False, *flags: str) -> ObjectNat:
    return ObjectNat("inside", "outside", dynamic, mapped, None, 0, 0, flags, NOWHERE)


@pytest.mark.parametrize(
    ("line", "nat"),
    [
        ("static 203.0.113.5", object_nat(Mapped(address=address("203.0.113.5")))),
        ("static mapped no-proxy-arp", object_nat(Mapped("mapped"), False, "no-proxy-arp")),
        ("static interface", object_nat(Mapped(own=True))),
        ("dynamic pool", object_nat(Mapped("pool"), True)),
        ("dynamic pool interface", object_nat(Mapped("pool", own=True), True)),
        ("dynamic 203.0.113.5", object_nat(Mapped(address=address("203.0.113.5")), True)),
        ("dynamic interface", object_nat(Mapped(own=True), True)),
        (
            "dynamic pat-pool pool round-robin",
            object_nat(Mapped("pool", pooled=True, options=("round-robin",)), True),
        ),
        (
            "static 203.0.113.5 service tcp smtp 2525",
            ObjectNat(
                "inside",
                "outside",
                False,
                Mapped(address=address("203.0.113.5")),
                6,
                25,
                2525,
                (),
                NOWHERE,
            ),
        ),
    ],
)
def test_nat_of_an_object(line: str, nat: ObjectNat) -> None:
    lines = ("object network mail", f" nat (inside,outside) {line}")
    assert nat_of("mail", *lines) == nat
    assert nat_of("mail", *lines, f" no nat (inside,outside) {line}") is None
    assert nat_of("mail", *lines, "clear configure nat") is None


def test_nat_without_interfaces_is_of_any() -> None:
    nat = nat_of("mail", "object network mail", " nat static mapped")
    assert nat is not None
    assert (nat.real_interface, nat.mapped_interface) == ("any", "any")


def twice(**changes: object) -> TwiceNat:
    values: dict[str, object] = {
        "real_interface": "inside",
        "mapped_interface": "outside",
        "after_objects": False,
        "dynamic": False,
        "real": "mail",
        "mapped": Mapped("mapped"),
        "destination": None,
        "services": None,
        "flags": (),
        "description": "",
        "place": NOWHERE,
    }
    return TwiceNat(**(values | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("line", "nat"),
    [
        ("(inside,outside) source static mail mapped", twice()),
        ("(inside,outside) after-auto source static mail mapped", twice(after_objects=True)),
        ("(inside,outside) source static mail interface", twice(mapped=Mapped(own=True))),
        (
            "source dynamic any pool",
            twice(
                real_interface="any",
                mapped_interface="any",
                dynamic=True,
                real="any",
                mapped=Mapped("pool"),
            ),
        ),
        (
            "(inside,outside) source static mail mapped destination static lan pool service smtp "
            "alternative no-proxy-arp unidirectional inactive description as ever",
            twice(
                destination=("lan", "pool"),
                services=("smtp", "alternative"),
                flags=("unidirectional", "no-proxy-arp", "inactive"),
                description="as ever",
            ),
        ),
        (
            "(inside,outside) source static lan lan destination static interface mail",
            twice(real="lan", mapped=Mapped("lan"), destination=("interface", "mail")),
        ),
        (
            "(inside,outside) source dynamic lan pat-pool pool flat interface",
            twice(dynamic=True, real="lan", mapped=Mapped("pool", None, True, True, ("flat",))),
        ),
        ("(inside,outside) source static any any", twice(real="any", mapped=Mapped("any"))),
    ],
)
def test_twice_nat(line: str, nat: TwiceNat) -> None:
    assert good(f"nat {line}").twice_nats == (nat,)
    assert good(f"nat {line}", f"no nat {line}").twice_nats == ()
    assert good(f"nat {line}", "clear conf nat").twice_nats == ()


def test_twice_nat_goes_where_its_line_number_says() -> None:
    found = good(
        "nat (inside,outside) after-auto source dynamic any interface",
        "nat (inside,outside) source static mail mapped",
        "nat (inside,outside) 1 source static lan lan",
        "nat (inside,outside) after-auto 1 source static pool pool",
        "object network mail",
        "nat (inside,outside) 2 source static pool pool",
    )
    assert [each.real for each in found.twice_nats] == ["lan", "pool", "mail", "pool", "any"]


def test_twice_nat_is_removed_by_its_line_number() -> None:
    lines = (
        "nat (inside,outside) source static mail mapped",
        "nat (inside,outside) source static lan lan",
        "nat (inside,outside) after-auto source dynamic any interface",
    )
    for undo, left in (
        ("no nat 1", ["lan", "any"]),
        ("no nat (inside,outside) 2", ["mail", "any"]),
        ("no nat after-auto 1", ["mail", "lan"]),
    ):
        assert [each.real for each in good(*lines, undo).twice_nats] == left
        found = good(*lines, "object network mail", undo)
        assert [each.real for each in found.twice_nats] == left
    for undo, problem in (
        ("no nat 3", "there is no line 3: 2 are before the `nat` of objects"),
        ("no nat (outside,inside) 2", "line 2 is `nat (inside,outside) source static lan lan`"),
        ("no nat", "which `nat` is not said"),
        ("no nat after-auto", "which `nat` is not said"),
    ):
        assert problem in error(*lines, undo).problem


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("nat (inside,outside) source static web mapped", "object `web` does not exist"),
        ("nat (inside,outside) source static smtp mapped", "does not stand here"),
        ("nat (inside,dmz) source static mail mapped", "no interface named `dmz`"),
        ("nat source dynamic mail interface", "which interface's address is meant"),
        ("nat (inside,outside) source static any mapped", "translated one to one to `any` alone"),
        ("nat (inside,outside) source dynamic any lan", "is a `subnet`"),
        (
            "nat (inside,outside) source static mail mapped service mail mail",
            "does not stand here",
        ),
        ("nat (inside) 1 0 0", "this form of `nat` exists before 8.3 only"),
        ("nat (inside) 0 access-list a", "this form of `nat` exists before 8.3 only"),
        ("global (outside) 1 interface", "`global` exists before 8.3 only"),
        ("static (inside,outside) 203.0.113.5 10.1.1.5", "`static` exists before 8.3 only"),
        ("nat-control", "`nat-control` exists from 7.0 on and before 8.3 only"),
        ("no nat (inside,outside) source static mail mapped", "there is no such nat"),
    ],
)
def test_wrong_translations(line: str, problem: str) -> None:
    assert problem in error(line).problem


def test_what_says_the_same_is_told() -> None:
    assert "`nat (REAL,MAPPED) static MAPPED`" in error("static (inside,outside) 1 2").remedy
    assert "source static A A destination static B B" in error("nat (inside) 0 0 0").remedy
    assert "in place of it and its `global`" in error("nat (inside) 1 0 0").remedy
    old = error_of_seven("nat (inside,outside) source static a b")
    assert old.problem == "this form of `nat` is of 8.3 and later"
    assert "`static`, or `nat (INTERFACE) NUMBER ...`" in old.remedy
    assert "exists from 8.3 on only" in error_of("object network a").problem


def test_access_group_global() -> None:
    lines = ("access-list a permit ip any any", "access-group a global")
    (group,) = good(*lines).access_groups
    assert (group.interface, group.out) == ("", False)
    assert "access-group a global" in printed(good(*lines))
    assert good(*lines, "no access-group a global").access_groups == ()
    assert "not bound globally" in error(*lines[:1], "no access-group a global").problem


def test_it_goes_to_another_process_and_comes_back() -> None:
    configuration = good(
        "object-group network all",
        " network-object object mail",
        " network-object host 10.1.1.9",
        "object-group network more",
        " group-object all",
        "object-group service mails",
        " service-object object smtp",
        "nat (inside,outside) source static all all destination static more more service smtp smtp",
        "object network mail",
        " nat (inside,outside) dynamic pat-pool pool interface",
    )
    adapter = TypeAdapter(Configuration)
    assert adapter.validate_json(adapter.dump_json(configuration)) == configuration


def test_it_is_printed_in_the_order_of_a_device() -> None:
    lines = printed(
        good(
            "nat (inside,outside) after-auto source dynamic any interface",
            "object network mail",
            " nat (inside,outside) static 203.0.113.5 service tcp smtp smtp",
            "nat (inside,outside) source static lan lan destination static pool pool",
            "object network lan",
            " nat (inside,outside) dynamic pool interface",
            "access-list a permit ip any object mail",
            "access-group a in interface outside",
        )
    )
    lines = lines[lines.index("object network mail") : lines.index("class-map inspection_default")]
    assert lines == [
        "object network mail",
        " host 10.1.1.5",
        "object network lan",
        " subnet 10.1.1.0 255.255.255.0",
        "object network pool",
        " range 203.0.113.20 203.0.113.29",
        "object network mapped",
        " host 203.0.113.5",
        "object service smtp",
        " service tcp source eq smtp ",
        "object service alternative",
        " service tcp source eq 2525 ",
        "access-list a extended permit ip any object mail ",
        "nat (inside,outside) source static lan lan destination static pool pool",
        "!",
        "object network mail",
        " nat (inside,outside) static 203.0.113.5 service tcp smtp smtp",
        "object network lan",
        " nat (inside,outside) dynamic pool interface",
        "!",
        "nat (inside,outside) after-auto source dynamic any interface",
        "access-group a in interface outside",
        "!",
    ]
