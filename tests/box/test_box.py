"""The box file: what it may say, and how each mistake is told."""

from __future__ import annotations

import dataclasses
import pickle
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from appliance.box import MAX_FILE, Box, Segmentation, Smuggling, load_box
from appliance.config.load import read_rules
from appliance.config.model import Version
from appliance.errors import FindingsError, PixguardError
from appliance.smtp.release import RELEASES, Blocked, Bug, ShortSegment

RULES = Path(__file__).parents[2] / "rules"
LEAST = "interfaces:\n  outside: eth0\n"


def load(tmp_path: Path, content: str | bytes) -> Box:
    file = tmp_path / "box.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return load_box(file)


def findings(tmp_path: Path, content: str | bytes) -> list[tuple[int, int, str, str]]:
    """Line, column, problem and remedy of each finding."""
    with pytest.raises(FindingsError) as refusal:
        load(tmp_path, content)
    assert {f.place.file for f in refusal.value.findings} == {str(tmp_path / "box.yaml")}
    return [(f.place.line, f.place.column, f.problem, f.remedy) for f in refusal.value.findings]


def test_the_least_box_has_the_documented_defaults(tmp_path: Path) -> None:
    assert load(tmp_path, LEAST) == Box(
        interfaces=(("outside", "eth0"),),
        workers=1,
        queue=2500,
        queue_length=8192,
        release=None,
        segmentation=Segmentation.RELEASE,
        user=None,
        log=None,
        json_log=None,
        state=Path("/run/pixguard"),
    )


def test_every_key_arrives(tmp_path: Path) -> None:
    everything = """\
interfaces: {outside: eth0, inside: enp3s0f1.100}
workers: 4
queue: 0
queue-length: 1024
release: 6.0
segmentation: stream
blocked: answer-500
bugs: [split-terminator, data-before-reply]
smuggling: reset
allow-tls: true
fail-open: true
user: pixguard
log: /var/log/pixguard.log
json-log: /var/log/pixguard.json
state: /run/other
"""
    assert load(tmp_path, everything) == Box(
        interfaces=(("outside", "eth0"), ("inside", "enp3s0f1.100")),
        workers=4,
        queue=0,
        queue_length=1024,
        release="6.0",
        segmentation=Segmentation.STREAM,
        blocked=Blocked.ANSWER_500,
        bugs=(Bug.SPLIT_TERMINATOR, Bug.DATA_BEFORE_REPLY),
        smuggling=Smuggling.RESET,
        allow_tls=True,
        fail_open=True,
        user="pixguard",
        log=Path("/var/log/pixguard.log"),
        json_log=Path("/var/log/pixguard.json"),
        state=Path("/run/other"),
    )


@pytest.mark.parametrize("name", ["no", "on", "null", "1e3", "0x10", "2026-11-24"])
def test_a_word_that_yaml_takes_for_something_else_stays_a_word(tmp_path: Path, name: str) -> None:
    assert load(tmp_path, f"interfaces: {{{name}: {name}}}").interfaces == ((name, name),)


def test_a_byte_order_mark_is_no_part_of_the_first_key(tmp_path: Path) -> None:
    assert load(tmp_path, b"\xef\xbb\xbf" + LEAST.encode()) == load(tmp_path, LEAST)


@pytest.mark.parametrize(
    ("line", "column", "problem"),
    [
        ("workers: 0", 10, "workers is '0'"),
        ("workers: 65", 10, "workers is '65'"),
        ("workers: 010", 10, "workers is '010'"),
        ("workers: 0x2", 10, "workers is '0x2'"),
        ("workers: 1_0", 10, "workers is '1_0'"),
        ("workers: 2.0", 10, "workers is '2.0'"),
        ("workers: two", 10, "workers is 'two'"),
        ("workers: ", 9, "workers is ''"),
        ("workers: [2]", 10, "workers is a list"),
        ("workers: {2: 2}", 10, "workers is a mapping"),
        ("queue: -1", 8, "queue is '-1'"),
        ("queue: 65536", 8, "queue is '65536'"),
        ("queue-length: 63", 15, "queue-length is '63'"),
        ("queue-length: 1048577", 15, "queue-length is '1048577'"),
        ("segmentation: packets", 15, "segmentation is 'packets'"),
        ("blocked: hide", 10, "blocked is 'hide'"),
        ("smuggling: maybe", 12, "smuggling is 'maybe'"),
        ("allow-tls: on", 12, "allow-tls is 'on'"),
        ("fail-open: yes", 12, "fail-open is 'yes'"),
        ("bugs: all", 7, "bugs is 'all'"),
        ("bugs: {a: b}", 7, "bugs is a mapping"),
        ("bugs: [x]", 8, "a bug is 'x'"),
        ("user: 'mail user'", 7, "user is 'mail user'"),
        ("log: pixguard.log", 6, "log is 'pixguard.log'"),
        ("json-log: pixguard.json", 11, "json-log is 'pixguard.json'"),
        ('log: "/var/\\e[31m"', 6, "log is '/var/\\x1b[31m'"),
        ('log: "/var/\\0"', 6, "log is '/var/\\x00'"),
        ('state: "/\\ud800"', 8, "state is '/\\ud800'"),
        ("state: ~", 8, "state is '~'"),
    ],
)
def test_a_wrong_value_is_told_with_its_place_and_what_is_allowed(
    tmp_path: Path, line: str, column: int, problem: str
) -> None:
    [(found_line, found_column, found, remedy)] = findings(tmp_path, LEAST + line)
    assert (found_line, found_column, found) == (3, column, problem)
    assert remedy.startswith(line.split(":", maxsplit=1)[0] + " is ")


def test_an_unknown_release_draws_the_list_of_those_known(tmp_path: Path) -> None:
    [(_, _, problem, remedy)] = findings(tmp_path, LEAST + "release: 3.1\n")
    assert problem == "release is '3.1'"
    assert remedy == (
        f"release is one of {', '.join(RELEASES)}, with its maintenance number or without: 6.3(5)"
    )


@pytest.mark.parametrize(
    "name", ["a/b", "seventeen-letters", "in side", "eth+", "..", "a:b", 'a"b', "", "größe"]
)
def test_what_linux_or_netfilter_would_misread_is_no_interface(tmp_path: Path, name: str) -> None:
    content = f"interfaces:\n  outside: '{name}'\n"
    [(line, column, _, remedy)] = findings(tmp_path, content)
    assert (line, column) == (2, 12)
    assert "1 to 15" in remedy


def test_a_name_of_the_rule_file_has_no_blank(tmp_path: Path) -> None:
    [(line, column, problem, _)] = findings(tmp_path, "interfaces:\n  out side: eth0\n")
    assert (line, column, problem) == (2, 3, "the name is 'out side'")


@pytest.mark.parametrize("value", ["", " eth0", " []", " {}"])
def test_interfaces_must_name_one(tmp_path: Path, value: str) -> None:
    [(line, column, problem, _)] = findings(tmp_path, f"interfaces:{value}\n")
    assert (line, column, problem) == (1, 1, "interfaces names no interface")


def test_two_names_cannot_share_a_linux_interface(tmp_path: Path) -> None:
    [(line, column, problem, _)] = findings(tmp_path, LEAST + "  inside: eth0\n")
    assert (line, column, problem) == (3, 11, "eth0 is already outside")


def test_a_missing_key_an_unknown_one_and_one_given_twice(tmp_path: Path) -> None:
    found = findings(tmp_path, "user: mail\nworker: 2\nuser: nobody\n")
    assert [(line, column, problem) for line, column, problem, _ in found] == [
        (1, 1, "the key interfaces is missing"),
        (2, 1, "unknown key 'worker'"),
        (3, 1, "the key 'user' is given twice, first in line 1"),
    ]
    assert "workers" in found[1][3]


def test_a_key_given_twice_among_the_interfaces(tmp_path: Path) -> None:
    [(line, column, problem, _)] = findings(tmp_path, LEAST + "  outside: eth1\n")
    assert (line, column, problem) == (3, 3, "the key 'outside' is given twice, first in line 2")


def test_a_key_that_is_no_word(tmp_path: Path) -> None:
    [(line, column, problem, _)] = findings(tmp_path, LEAST + "? [a]\n: b\n")
    assert (line, column, problem) == (3, 3, "a key is a word")


def test_queues_end_where_their_numbers_do(tmp_path: Path) -> None:
    assert load(tmp_path, LEAST + "queue: 65528\nworkers: 8\n").queue == 65528
    [(line, column, _, remedy)] = findings(tmp_path, LEAST + "workers: 8\nqueue: 65529\n")
    assert (line, column) == (4, 1)
    assert remedy == "queue is at most 65528 with 8 workers"


@pytest.mark.parametrize(
    ("content", "line", "column", "part"),
    [
        ("", 1, 1, "a mapping of keys"),
        ("- a\n", 1, 1, "a mapping of keys"),
        ("interfaces: {outside: eth0\n", 2, 1, "not YAML: while parsing a flow mapping"),
        ("a: 'b\n", 2, 1, "not YAML: while scanning a quoted scalar"),
        ("a:\n\tb: c\n", 2, 1, "not YAML"),
        ("a: *b\n", 1, 4, "undefined alias"),
        ("a: b\n--- c\n", 2, 1, "single document"),
        ('a: "\\U00110000"\n', 1, 7, "out of range"),
        ("a: b\nc: \x1b[31m\n", 2, 4, "U+001B may not stand in YAML"),
        (b"a: b\nc: caf\xe9\n", 2, 7, "not UTF-8"),
        ("a: b\r\nc: {\r\n", 3, 1, "not YAML"),
    ],
)
def test_what_is_not_yaml_is_told_with_its_place(
    tmp_path: Path, content: str | bytes, line: int, column: int, part: str
) -> None:
    [(found_line, found_column, problem, _)] = findings(tmp_path, content)
    assert (found_line, found_column) == (line, column)
    assert part in problem


def test_nesting_without_end_is_refused(tmp_path: Path) -> None:
    [(line, _, problem, _)] = findings(tmp_path, "[" * 20000)
    assert (line, problem) == (1, "nested too deeply")


def test_an_alias_of_itself_is_refused(tmp_path: Path) -> None:
    content = "interfaces: &a\n  outside: *a\n"
    [(line, column, problem, _)] = findings(tmp_path, content)
    assert (line, column, problem) == (1, 13, "the interface is a mapping")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PixguardError, match=r"none\.yaml: cannot read .*: No such file"):
        load_box(tmp_path / "none.yaml")


def test_a_directory_and_an_endless_file(tmp_path: Path) -> None:
    with pytest.raises(PixguardError, match="Is a directory"):
        load_box(tmp_path)
    with pytest.raises(PixguardError, match=f"longer than {MAX_FILE} bytes"):
        load_box(Path("/dev/zero"))


def test_the_message_shows_the_line_with_a_caret(tmp_path: Path) -> None:
    with pytest.raises(FindingsError) as refusal:
        load(tmp_path, LEAST + "workers: many\n")
    assert str(refusal.value).splitlines() == [
        f"{tmp_path}/box.yaml:3:10: workers is 'many'",
        "    workers: many",
        "             ^",
        "    workers is a number of processes, 1 to 64",
    ]


def test_a_box_is_frozen_and_reaches_another_process(tmp_path: Path) -> None:
    box = load(tmp_path, LEAST)
    with pytest.raises(dataclasses.FrozenInstanceError):
        box.workers = 2  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(box)) == box  # noqa: S301
    assert hash(box) == hash(load(tmp_path, LEAST))


def test_interfaces_without_a_linux_interface_are_named(tmp_path: Path) -> None:
    rules = "nameif ethernet0 outside security0\nnameif ethernet1 inside security100\n"
    dmz = "nameif ethernet2 dmz security50\n"
    box = load(tmp_path, LEAST + "  inside: eth1\n")

    def left_out(text: str) -> list[tuple[int, str]]:
        configuration = read_rules(text, "f").configuration
        assert configuration is not None
        return [(each.place.line, each.problem) for each in box.left_out(configuration)]

    assert left_out(rules) == []
    assert left_out(rules + dmz) == [
        (3, "the box file does not say which Linux interface is `dmz`")
    ]
    assert left_out(rules + dmz + "interface ethernet2 auto shutdown\n") == []


def test_the_box_outranks_the_version_line() -> None:
    version = Version(product="PIX", number="6.3(5)")
    assert Box(interfaces=()).inspect_as(version) == RELEASES["6.3"]
    assert Box(interfaces=(), release="5.1").inspect_as(version) == RELEASES["5.1"]


def test_traits_that_the_box_overrides() -> None:
    box = Box(
        interfaces=(),
        release="8.4",
        blocked=Blocked.NOOP,
        smuggling=Smuggling.RESET,
        allow_tls=True,
        bugs=(Bug.SPLIT_TERMINATOR,),
    )
    assert box.inspect_as(None) == dataclasses.replace(
        RELEASES["8.4"].allowing_tls(),
        blocked=Blocked.NOOP,
        resets_smuggling=True,
        bugs=frozenset({Bug.SPLIT_TERMINATOR}),
    )


def test_historic_bugs_are_those_of_the_maintenance_release() -> None:
    box = Box(interfaces=(), historic=True)
    assert box.inspect_as(Version("PIX", "5.2(4)")).bugs == {Bug.DATA_BEFORE_REPLY}
    assert box.inspect_as(Version("PIX", "5.2(7)")).bugs == frozenset()


def test_allow_tls_needs_a_release_that_knows_it() -> None:
    with pytest.raises(PixguardError, match=r"6\.3 does not know allow-tls"):
        Box(interfaces=(), allow_tls=True).inspect_as(None)


def test_bugs_historic(tmp_path: Path) -> None:
    box = load(tmp_path, "interfaces: {outside: eth0}\nbugs: historic\n")
    assert (box.historic, box.bugs) == (True, ())


def test_stream_segmentation_changes_that_trait_alone() -> None:
    box = Box(interfaces=(), release="6.2", segmentation=Segmentation.STREAM)
    assert box.inspect_as(None) == dataclasses.replace(
        RELEASES["6.2"], short_segment=ShortSegment.STREAM
    )


@pytest.mark.parametrize("name", ["box.yaml", "lab.yaml"])
def test_the_examples_are_valid(name: str) -> None:
    box = load_box(RULES / name)
    assert [nameif for nameif, _ in box.interfaces] == ["outside", "inside"]


def only_box_or_finding(content: bytes, tmp_path: Path) -> None:
    try:
        box = load(tmp_path, content)
    except FindingsError as refusal:
        shown = str(refusal)
        assert shown.encode()  # no surrogate, which a terminal's encoding refuses
        assert all(c.isprintable() or c in "\n\t" for c in shown)
        lines = {f.place.line for f in refusal.findings}
        assert min(lines) >= 1
    else:
        assert box.interfaces


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("box")


@settings(max_examples=300)
@given(st.binary(max_size=200))
@example(b"\xff\xfea\x00")
@example(b"%YAML 1." + b"1" * 5000)
@example(b"!<%ff> a: b")
@example(b'a: "\\ud800"')
@example(b"\xc2\x85: \xe2\x80\xa8 [")
def test_any_bytes_are_a_box_or_a_finding(folder: Path, content: bytes) -> None:
    only_box_or_finding(content, folder)


FRAGMENTS = ["interfaces", "outside", "eth0", ": ", "\n", "  ", "- ", "[", "]", "{", "}", ","]
FRAGMENTS += ["&a ", "*a", "!!str ", "!x ", "|", ">", "'", '"', "? ", "<<", "---", "...", "%", "#"]
FRAGMENTS += ["\t", "\r", "\\U00110000", "\u2028", "\x1b", "workers", "65", "release", "6.3"]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=40).map("".join))
def test_any_pieces_of_yaml_are_a_box_or_a_finding(folder: Path, content: str) -> None:
    only_box_or_finding(content.encode(), folder)


NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,14}", fullmatch=True)


@given(
    st.lists(
        st.tuples(NAMES, NAMES), min_size=1, max_size=5, unique_by=(lambda p: p[0], lambda p: p[1])
    ),
    st.integers(1, 64),
    st.integers(0, 65536 - 64),
    st.integers(64, 1048576),
    st.sampled_from(sorted(RELEASES)),
    st.sampled_from(Segmentation),
)
def test_what_is_written_is_what_is_read(
    folder: Path,
    interfaces: list[tuple[str, str]],
    workers: int,
    queue: int,
    length: int,
    release: str,
    segmentation: Segmentation,
) -> None:
    content = yaml.safe_dump(
        {
            "interfaces": dict(interfaces),
            "workers": workers,
            "queue": queue,
            "queue-length": length,
            "release": release,
            "segmentation": segmentation.value,
        },
        sort_keys=False,
    )
    assert load(folder, content) == Box(
        interfaces=tuple(interfaces),
        workers=workers,
        queue=queue,
        queue_length=length,
        release=release,
        segmentation=segmentation,
    )
