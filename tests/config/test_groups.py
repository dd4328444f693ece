"""Object groups: what may stand in them, what rules that name them mean, and what is refused."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from appliance.admission import Opening
from appliance.config.load import read_rules
from appliance.config.model import Configuration, GroupKind, Nested, RuleLine, elementary
from appliance.config.printing import printed
from appliance.policy.access_list import Rules
from tests.config.reading import INTERFACES, error_of, findings_of, network, read, warning_of
from tests.config.seven import error

SERVERS = (
    "object-group network servers",
    "  description those with mail",
    "  network-object host 203.0.113.5",
    "  network-object 203.0.113.64 255.255.255.192",
)
PORTS = (
    "object-group service mail tcp",
    "  port-object eq smtp",
    "  port-object range 109 110",
)
BOTH = ("object-group service names tcp-udp", "  port-object eq domain")
PROTOCOLS = (
    "object-group protocol transport",
    "  protocol-object tcp",
    "  protocol-object udp",
)
PINGS = (
    "object-group icmp-type pings",
    "  icmp-object echo",
    "  icmp-object 0",
)


def meant(*lines: str) -> list[str]:
    """The rules of the only access list or of the conduits, written out."""
    return written(read(*lines))


def written(configuration: Configuration) -> list[str]:
    rules = [rule for each in configuration.access_lists for rule in each.rules]
    return [
        " ".join(
            str(part)
            for part in (
                rule.protocol,
                rule.source,
                rule.source_ports and rule.source_ports.ranges(),
                rule.destination,
                rule.destination_ports and rule.destination_ports.ranges(),
                rule.icmp_type,
            )
            if part is not None
        )
        for rule in rules or elementary(configuration.conduits)
    ]


def test_a_network_group() -> None:
    assert meant(*SERVERS, "access-list a permit ip any object-group servers") == [
        "0.0.0.0/0 203.0.113.5/32",
        "0.0.0.0/0 203.0.113.64/26",
    ]


def test_groups_in_all_places() -> None:
    line = "access-list a permit tcp object-group servers object-group mail any object-group names"
    assert meant(*SERVERS, *PORTS, *BOTH, line) == [
        "6 203.0.113.5/32 ((25, 25),) 0.0.0.0/0 ((53, 53),)",
        "6 203.0.113.5/32 ((109, 110),) 0.0.0.0/0 ((53, 53),)",
        "6 203.0.113.64/26 ((25, 25),) 0.0.0.0/0 ((53, 53),)",
        "6 203.0.113.64/26 ((109, 110),) 0.0.0.0/0 ((53, 53),)",
    ]


def test_what_a_group_is_of_tells_whether_it_is_ports_or_the_other_end() -> None:
    lines = (*SERVERS, *PORTS)
    rule = "access-list a permit tcp any object-group"
    assert len(meant(*lines, f"{rule} servers object-group mail")) == 4
    assert len(meant(*lines, f"{rule} mail object-group servers")) == 4
    assert len(meant(*lines, f"{rule} mail any")) == 2
    assert len(meant(*lines, f"{rule} servers eq 25")) == 2


def test_a_protocol_group_with_ports() -> None:
    line = "access-list a permit object-group transport any any object-group names"
    assert meant(*PROTOCOLS, *BOTH, line) == [
        "6 0.0.0.0/0 0.0.0.0/0 ((53, 53),)",
        "17 0.0.0.0/0 0.0.0.0/0 ((53, 53),)",
    ]
    assert len(meant(*PROTOCOLS, "access-list a permit object-group transport any any eq 53")) == 2


def test_an_icmp_group() -> None:
    assert meant(*PINGS, "access-list a permit icmp any any object-group pings") == [
        "1 0.0.0.0/0 0.0.0.0/0 8",
        "1 0.0.0.0/0 0.0.0.0/0 0",
    ]


def test_a_conduit_with_groups_names_the_destination_first() -> None:
    line = "conduit permit tcp object-group servers object-group mail any"
    assert meant(*SERVERS, *PORTS, line)[0] == "6 0.0.0.0/0 203.0.113.5/32 ((25, 25),)"


def test_an_untyped_service_group() -> None:
    found = read_eight(
        "object-group service all",
        " service-object tcp eq smtp",
        " service-object udp source eq 1 eq 2",
        " service-object tcp-udp destination eq domain",
        " service-object icmp echo",
        " service-object gre",
        "access-list a permit object-group all any any",
    )
    assert written(found) == [
        "6 0.0.0.0/0 0.0.0.0/0 ((25, 25),)",
        "17 0.0.0.0/0 ((1, 1),) 0.0.0.0/0 ((2, 2),)",
        "6 0.0.0.0/0 0.0.0.0/0 ((53, 53),)",
        "17 0.0.0.0/0 0.0.0.0/0 ((53, 53),)",
        "1 0.0.0.0/0 0.0.0.0/0 8",
        "47 0.0.0.0/0 0.0.0.0/0",
    ]


EIGHT = "ASA Version 8.0(4)\nnat-control\nclass-map inspection_default\n match default\n"


def read_eight(*lines: str) -> Configuration:
    reading = read_rules(EIGHT + "\n".join(lines), "test.conf")
    assert reading.configuration is not None, "\n".join(map(str, reading.findings))
    return reading.configuration


def test_a_group_within_a_group_counts_each_member_once() -> None:
    found = read(
        *SERVERS,
        "object-group network all",
        "network-object host 203.0.113.9",
        "group-object servers",
        "network-object host 203.0.113.5",
        "access-list a permit ip any object-group all",
    )
    assert written(found) == [
        "0.0.0.0/0 203.0.113.9/32",
        "0.0.0.0/0 203.0.113.5/32",
        "0.0.0.0/0 203.0.113.64/26",
    ]
    assert found.object_groups[1].members[1] == Nested("servers")


def test_what_is_added_to_a_group_later_counts_for_rules_before() -> None:
    line = "access-list a permit ip any object-group servers"
    more = ("object-group network servers", "network-object host 203.0.113.9")
    assert len(meant(*SERVERS, line, *more)) == 3
    assert len(meant(*SERVERS, line, more[0], "no network-object host 203.0.113.5")) == 1


def test_all_rules_of_a_line_have_its_place() -> None:
    found = read(*SERVERS, "access-list a permit ip any object-group servers")
    assert {rule.place.line for rule in found.access_lists[0].rules} == {9}
    (line,) = found.access_lists[0].lines
    assert isinstance(line, RuleLine)
    assert len(line.rules) == 2


def test_a_group_is_printed_as_the_device_prints_it() -> None:
    rule = "access-list a permit tcp any object-group servers object-group mail "
    lines = printed(read(*SERVERS, *PORTS, rule))
    start = lines.index("object-group network servers ")
    assert lines[start : start + 8] == [
        "object-group network servers ",
        "  description those with mail",
        "  network-object host 203.0.113.5 ",
        "  network-object 203.0.113.64 255.255.255.192 ",
        "object-group service mail tcp ",
        "  port-object eq smtp ",
        "  port-object range pop2 pop3 ",
        rule,
    ]


def test_an_empty_group_that_nothing_names() -> None:
    (group,) = read("object-group network none").object_groups
    assert (group.kind, group.members) == (GroupKind.NETWORK, ())


def test_an_object_twice_is_one_with_a_warning() -> None:
    again = warning_of(*SERVERS, "network-object host 203.0.113.5")
    assert again.place.line == 9
    assert "already" in again.problem


def test_host_bits_of_a_member_are_told() -> None:
    warning = warning_of("object-group network a", "network-object 10.1.1.1 255.255.255.0")
    assert "host bits" in warning.problem


@pytest.mark.parametrize(
    ("lines", "column", "problem"),
    [
        ((*SERVERS, "object-group service servers tcp"), 22, "`object-group network servers` has"),
        ((*PORTS, "object-group service mail udp"), 22, "has that name (line 5)"),
        ((*SERVERS, "group-object servers"), 14, "cause a loop in grp hierarchy"),
        (
            (
                *SERVERS,
                "object-group network b",
                "group-object servers",
                SERVERS[0],
                "group-object b",
            ),
            14,
            "Adding obj (group-object b) to grp (servers) failed; cause a loop",
        ),
        ((*SERVERS, "group-object other"), 14, "object-group `other` does not exist"),
        ((*PORTS, *SERVERS, "group-object mail"), 14, "it is `object-group service mail tcp`"),
        ((*PORTS, *BOTH, "group-object mail"), 14, "it is `object-group service mail tcp`"),
        ((*SERVERS, "no object-group network other"), 25, "there is no such group"),
        ((*SERVERS, "no network-object host 203.0.113.6"), 1, "there is no such object"),
        ((*PORTS, "port-object eq domainx"), 16, "`domainx` is not a tcp port"),
        ((*PORTS, "port-object range 9 8"), 21, "the range ends before it starts"),
        ((*BOTH, "port-object eq smtp"), 16, "`smtp` is not a tcp-udp port"),
        (("network-object host 10.1.1.1",), 1, "`network-object` does not stand here"),
    ],
)
def test_wrong_groups(lines: tuple[str, ...], column: int, problem: str) -> None:
    found = error_of(*lines)
    assert found.place.line == 4 + len(lines)
    assert problem in found.problem
    assert found.place.column == column


@pytest.mark.parametrize(
    ("groups", "line", "problem"),
    [
        (SERVERS, "permit tcp any any object-group servers", "is of kind network"),
        (PORTS, "permit ip any object-group mail", "is of kind service"),
        (PORTS, "permit object-group mail any any", "does not stand here"),
        (PORTS, "permit udp any any object-group mail", "the rule's ports are of tcp"),
        (PINGS, "permit tcp any any object-group pings", "is of kind icmp-type"),
        (PROTOCOLS, "permit icmp any any object-group transport", "is of kind protocol"),
        (
            (*PROTOCOLS, "protocol-object icmp"),
            "permit object-group transport any any eq 53",
            "its protocols are others",
        ),
        (
            (*PROTOCOLS, *PORTS),
            "permit object-group transport any any object-group mail",
            "the rule's ports are of tcp",
        ),
        (("object-group network a",), "permit ip any object-group a", "object-group (a) is empty"),
        ((*PORTS,), "permit tcp any any eq 25 object-group mail", "ports stand before it"),
        ((), "permit ip any object servers", "`object` is of 8.3"),
        ((), "permit object mail any any", "`object` is of 8.3"),
        ((), "permit tcp any object a object b", "`object` is of 8.3"),
    ],
)
def test_groups_in_wrong_places(groups: tuple[str, ...], line: str, problem: str) -> None:
    found = error_of(*groups, f"access-list a {line}")
    assert found.place.line == 5 + len(groups)
    assert problem in found.problem


@pytest.mark.parametrize(
    "user",
    [
        ("access-list a permit ip any object-group servers",),
        ("conduit permit ip object-group servers any",),
        ("object-group network more", "group-object servers"),
    ],
)
def test_a_group_in_use_cannot_be_removed(user: tuple[str, ...]) -> None:
    removal = "no object-group network servers"
    found = error_of(*SERVERS, *user, removal)
    assert found.problem == "Removing object-group (servers) not allowed, it is being used"
    assert found.place.column == 25
    assert read(*SERVERS, *user, f"no {user[0]}", removal).object_groups == ()


def test_groups_in_use_cannot_be_cleared() -> None:
    line = "access-list a permit ip any object-group servers"
    found = error_of(*SERVERS, line, "clear object-group")
    assert found.problem == "Removing object-group (servers) not allowed, it is being used"
    nested = (*SERVERS, "object-group network more", "group-object servers")
    assert read(*nested, "clear object-group").object_groups == ()


def test_groups_removed() -> None:
    both = (*SERVERS, *PORTS)
    assert [g.name for g in read(*both, "no object-group network servers").object_groups] == [
        "mail"
    ]
    assert [g.name for g in read(*both, "clear object-group service").object_groups] == ["servers"]
    assert read(*both, "clear object-group").object_groups == ()


def test_an_error_in_a_group_draws_no_second_one() -> None:
    rule = "access-list a permit ip any object-group servers"
    assert error_of("object-group network servers", "network-object host 1.2.3", rule)
    assert error_of("object-group netwrok servers", "  network-object host 1.2.3.4", rule)
    assert error_of("object-group network servers x", "network-object host 1.2.3.4", rule)


def test_a_file_of_before_6_2_knows_no_groups() -> None:
    text = f"PIX Version 6.1(1)\n{INTERFACES}object-group network a\n"
    (found,) = read_rules(text, "f").findings
    assert "exists from 6.2 on only" in found.problem


def test_service_objects_are_of_8_0_and_of_groups_without_a_protocol() -> None:
    assert "from 8.0 on only" in error("object-group service a", "service-object tcp eq 25").problem
    text = f"{EIGHT}object-group service a tcp\nservice-object tcp eq 25\n"
    assert "is of ports alone" in read_rules(text, "f").findings[-1].problem
    text = f"{EIGHT}object-group service a\nport-object eq 25\n"
    assert "names no protocol" in read_rules(text, "f").findings[-1].problem


def test_five_thousand_members_load() -> None:
    members = [f"network-object host 10.{n >> 8}.{n & 255}.7" for n in range(5000)]
    rules = [f"access-list a permit tcp object-group all any eq {n}" for n in range(1, 4)]
    found = read("object-group network all", *members, *rules)
    assert len(found.access_lists[0].rules) == 15000


def test_a_line_that_would_be_too_many_rules_is_an_error() -> None:
    members = [f"network-object host 10.0.{n >> 8}.{n & 255}" for n in range(317)]
    line = "access-list a permit ip object-group many object-group many"
    found = error_of("object-group network many", *members, line)
    assert found.problem == "the line stands for 100489 rules, and may for 100000"
    assert found.place.line == 6 + len(members)


HOSTS = [f"203.0.113.{n}" for n in range(4)]


@st.composite
def groups_and_rules(draw: st.DrawFn) -> tuple[list[str], list[str]]:
    """Network groups and service groups, some in others, and rules that name them."""
    lines: list[str] = []
    for number in range(draw(st.integers(1, 4))):
        lines.append(f"object-group network n{number}")
        hosts = draw(st.lists(st.sampled_from(HOSTS), min_size=1, max_size=3, unique=True))
        lines += [f"network-object host {host}" for host in hosts]
        if number and draw(st.booleans()):
            lines.append(f"group-object n{draw(st.integers(0, number - 1))}")
    for number in range(2):
        lines.append(f"object-group service s{number} tcp")
        ports = draw(st.lists(st.integers(1, 4), min_size=1, max_size=3, unique=True))
        lines += [f"port-object eq {port}" for port in ports]
    count = sum(line.startswith("object-group network") for line in lines)
    end = st.one_of(st.just("any"), st.integers(0, count - 1).map(lambda n: f"object-group n{n}"))
    ports_of = st.one_of(st.just(""), st.integers(0, 1).map(lambda n: f" object-group s{n}"))
    rule = st.tuples(st.sampled_from(["permit", "deny"]), end, ports_of, end, ports_of).map(
        lambda r: f"access-list a {r[0]} tcp {r[1]}{r[2]} {r[3]}{r[4]}"
    )
    return lines, draw(st.lists(rule, min_size=1, max_size=4, unique=True))


@given(
    groups_and_rules(),
    st.lists(
        st.tuples(
            st.sampled_from(HOSTS), st.integers(1, 4), st.sampled_from(HOSTS), st.integers(1, 4)
        ),
        max_size=10,
    ),
)
def test_a_rule_with_groups_means_what_a_slow_reader_of_its_words_says(
    drawn: tuple[list[str], list[str]], packets: list[tuple[str, int, str, int]]
) -> None:
    lines, rules = drawn
    found = read(*lines, *rules)
    for source, source_port, destination, port in packets:
        opening = Opening(6, IPv4Address(source), source_port, IPv4Address(destination), port)
        decided = Rules(found.access_lists[0].rules).first_match(opening)
        expected = next(
            (
                (number, rule.split()[2] == "permit")
                for number, rule in enumerate(rules, 5 + len(lines))
                if _says(lines, rule, (source, source_port), (destination, port))
            ),
            None,
        )
        assert (decided and (decided.place.line, decided.permit)) == expected


def _says(
    lines: list[str], rule: str, source: tuple[str, int], destination: tuple[str, int]
) -> bool:
    """Whether a rule speaks of two ends, by its words alone."""
    words = rule.split()[4:]
    for address, port in (source, destination):
        if words.pop(0) != "any" and address not in _contents(lines, words.pop(0)):
            return False
        if words[:1] == ["object-group"] and words[1].startswith("s"):
            if str(port) not in _contents(lines, words[1]):
                return False
            words = words[2:]
    return True


def _contents(lines: list[str], name: str) -> set[str]:
    found, inside = set[str](), False
    for line in lines:
        words = line.split()
        if words[0] == "object-group":
            inside = words[2] == name
        elif inside and words[0] == "group-object":
            found |= _contents(lines, words[1])
        elif inside:
            found.add(words[-1])
    return found


def test_names_stand_in_groups() -> None:
    found = read(
        "name 203.0.113.5 mailserver",
        "object-group network a",
        "network-object host mailserver",
        "access-list a permit ip any object-group a",
    )
    assert found.access_lists[0].rules[0].destination == network("203.0.113.5/32")


def test_a_group_that_does_not_exist_is_one_error() -> None:
    assert len(findings_of("access-list a permit tcp any object-group a object-group b")) == 1
