"""The box file: what a rule file cannot say about the Linux machine that it runs on.

Every scalar is taken as the text that is written, whatever YAML would make of it: `release: 6.3`
is no number here, and an interface may be called `no`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import yaml
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
)

from appliance.config.model import Configuration, Version
from appliance.errors import Finding, FindingsError, PixguardError, Place, Severity
from appliance.smtp.release import (
    RELEASES,
    Blocked,
    Bug,
    Release,
    ShortSegment,
    choose,
    chosen_name,
    find,
    historic_bugs,
)

MAX_FILE = 65536
"""Bytes; the longest box file that makes sense has some hundred lines."""

QUEUES = 65536
"""NFQUEUE numbers are 16 bits wide (struct nfgenmsg, res_id)."""


class Segmentation(Enum):
    """Whether the boundaries of segments matter to inspection."""

    RELEASE = "release"
    """As the release does."""
    STREAM = "stream"
    """They do not: each byte is judged as it comes."""


class Smuggling(Enum):
    """What an ambiguous end of a mail does, such as `.` between two bare LF."""

    PASS = "pass"  # noqa: S105
    """Nothing: it is text, as on the device."""
    RESET = "reset"
    """It ends the connection."""


HISTORIC = "historic"
"""In place of a list of bugs: those that the release had."""


@dataclass(frozen=True, slots=True)
class Box:
    """The machine that the appliance runs on.

    Args:
        interfaces: pairs of a name that the rule file uses (nameif) and the Linux interface.
        workers: how many processes inspect.
        queue: number of the first worker's NFQUEUE; the others' follow it.
        queue_length: packets that the kernel holds for one worker.
        release: name of the release to inspect as, None for what the rule file says.
        segmentation: whether segment boundaries matter.
        blocked: what becomes of a line with a blocked verb, None for what the release does.
        bugs: the faults to imitate.
        historic: whether to imitate the faults that the release had, too.
        smuggling: what an ambiguous end of a mail does.
        allow_tls: whether STARTTLS is let through, where the release can do that.
        adopt: whether a connection is taken up whose beginning was not seen.
        fail_open: whether inspected connections pass unread while no worker is there to read.
        user: name of the unprivileged user that workers run as, None for nobody if root has
            started the appliance, else for who has.
        log: file that log lines are appended to, None for standard error.
        json_log: file that each event is appended to as JSON, None for none.
        metrics: address and port at which Prometheus may ask for metrics, None for none.
        state: directory for what must be put back after a crash.
    """

    interfaces: tuple[tuple[str, str], ...]
    workers: int = 1
    queue: int = 2500
    queue_length: int = 8192
    release: str | None = None
    segmentation: Segmentation = Segmentation.RELEASE
    blocked: Blocked | None = None
    bugs: tuple[Bug, ...] = ()
    historic: bool = False
    smuggling: Smuggling = Smuggling.PASS
    allow_tls: bool = False
    adopt: bool = False
    fail_open: bool = False
    user: str | None = None
    log: Path | None = None
    json_log: Path | None = None
    metrics: tuple[str, int] | None = None
    state: Path = Path("/run/pixguard")

    def inspect_as(self, version: Version | None) -> Release:
        """The release to inspect as.

        Args:
            version: the rule file's version line, if it has one.

        Raises:
            PixguardError: the version line names a release that is not known, and the box file
                names none, or the release does not know `allow-tls`.
        """
        chosen = choose(version, self.release)
        if self.allow_tls:
            if not chosen.may_allow_tls:
                raise PixguardError(
                    f"release {chosen.name} does not know allow-tls: take it out of the box file, "
                    "or imitate release 7.2 or later"
                )
            chosen = chosen.allowing_tls()
        bugs = frozenset(self.bugs)
        if self.historic:
            bugs |= historic_bugs(chosen_name(version, self.release))
        return replace(
            chosen,
            short_segment=(
                ShortSegment.STREAM
                if self.segmentation is Segmentation.STREAM
                else chosen.short_segment
            ),
            blocked=self.blocked or chosen.blocked,
            bugs=bugs,
            resets_smuggling=self.smuggling is Smuggling.RESET,
        )

    def left_out(self, configuration: Configuration) -> tuple[Finding, ...]:
        """A warning for each interface of a rule file that no Linux interface is named for.

        Args:
            configuration: what the rule file says; interfaces that it shuts down need none.
        """
        named = dict(self.interfaces)
        return tuple(
            Finding(
                interface.place,
                f"the box file does not say which Linux interface is `{interface.name}`",
                "nothing passes by it",
                severity=Severity.WARNING,
            )
            for interface in configuration.interfaces
            if interface.name not in named and not interface.shutdown
        )


def _decimal(text: str) -> int:
    # 010 is 8 in one version of YAML and 10 in the next, so it is neither here.
    if not re.fullmatch(r"0|[1-9][0-9]{0,8}", text):
        raise ValueError
    return int(text)


def _release(name: str) -> str:
    if find(name) is None:
        raise ValueError
    return name


def _switch(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError
    return text == "true"


def _absolute(text: str) -> str:
    if not text.startswith("/") or not text.isprintable():
        raise ValueError
    return text


def _listener(text: str) -> tuple[str, int]:
    address, _, port = text.rpartition(":")
    return str(IPv4Address(address)), _decimal(port)


Decimal: TypeAlias = Annotated[int, BeforeValidator(_decimal)]
Switch: TypeAlias = Annotated[bool, BeforeValidator(_switch)]
Port: TypeAlias = Annotated[int, Field(ge=1, le=65535)]
Listener: TypeAlias = Annotated[tuple[str, Port], BeforeValidator(_listener)]
AbsolutePath: TypeAlias = Annotated[Path, BeforeValidator(_absolute)]


@dataclass(frozen=True, slots=True)
class _Rule:
    allowed: TypeAdapter[Any]
    words: str


_INTERFACES = "interfaces"
_INTERFACES_WORDS = (
    "interfaces maps each name of the rule file to a Linux interface, such as `outside: eth0`"
)
_NAMEIF = _Rule(
    TypeAdapter(Annotated[str, StringConstraints(pattern=r"^[!-~]{1,48}$")]),
    "a name as in `nameif` is 1 to 48 printable ASCII characters without blanks",
)
# Narrower than the kernel's own rule (dev_valid_name), which lets through what would change the
# meaning of a netfilter rule: `+` at the end is a wildcard there, `"` and `\` quote.
_LINUX = _Rule(
    TypeAdapter(
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}$")],
    ),
    "the name of a Linux interface is 1 to 15 letters, digits, `_`, `.` and `-`",
)
_RULES = {
    "workers": _Rule(
        TypeAdapter(Annotated[Decimal, Field(ge=1, le=64)]),
        "workers is a number of processes, 1 to 64",
    ),
    "queue": _Rule(
        TypeAdapter(Annotated[Decimal, Field(ge=0, lt=QUEUES)]),
        f"queue is the number of the first NFQUEUE, 0 to {QUEUES - 1}",
    ),
    "queue-length": _Rule(
        TypeAdapter(Annotated[Decimal, Field(ge=64, le=1048576)]),
        "queue-length is a number of packets, 64 to 1048576",
    ),
    "release": _Rule(
        TypeAdapter(Annotated[str, AfterValidator(_release)]),
        f"release is one of {', '.join(RELEASES)}, with its maintenance number or without: 6.3(5)",
    ),
    "segmentation": _Rule(
        TypeAdapter(Segmentation),
        f"segmentation is one of {', '.join(choice.value for choice in Segmentation)}",
    ),
    "blocked": _Rule(
        TypeAdapter(Blocked), f"blocked is one of {', '.join(each.value for each in Blocked)}"
    ),
    "smuggling": _Rule(
        TypeAdapter(Smuggling), f"smuggling is one of {', '.join(s.value for s in Smuggling)}"
    ),
    "allow-tls": _Rule(TypeAdapter(Switch), "allow-tls is true or false"),
    "adopt": _Rule(TypeAdapter(Switch), "adopt is true or false"),
    "fail-open": _Rule(TypeAdapter(Switch), "fail-open is true or false"),
    "user": _Rule(
        TypeAdapter(Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$")]),
        "user is the name of a user of this machine, up to 32 letters, digits, `_`, `.` and `-`",
    ),
    "log": _Rule(TypeAdapter(AbsolutePath), "log is the absolute path of a file"),
    "json-log": _Rule(TypeAdapter(AbsolutePath), "json-log is the absolute path of a file"),
    "metrics": _Rule(
        TypeAdapter(Listener), "metrics is an address and a port, such as 127.0.0.1:9461"
    ),
    "state": _Rule(TypeAdapter(AbsolutePath), "state is the absolute path of a directory"),
}
_BUGS = "bugs"
_BUG = _Rule(
    TypeAdapter(Bug),
    f"bugs is {HISTORIC}, or a list of {', '.join(each.value for each in Bug)}",
)
_KEYS_WORDS = f"the keys are {', '.join([_INTERFACES, *_RULES, _BUGS])}"

# The line ends of YAML 1.1, so that the lines are those that its marks count.
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")


def load_box(path: Path) -> Box:
    """Read a box file.

    Args:
        path: the file.

    Raises:
        FindingsError: it is no valid box file; all that is wrong with it.
        PixguardError: it cannot be read.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE + 1)
    except OSError as error:
        raise PixguardError(f"{path}: cannot read the box file: {error.strerror}") from error
    if len(content) > MAX_FILE:
        raise PixguardError(f"{path}: is no box file: longer than {MAX_FILE} bytes")
    return _Reader(str(path), content).box()


class _Reader:
    """Reads one file and gathers what is wrong with it."""

    def __init__(self, file: str, content: bytes) -> None:
        self._file = file
        self._content = content
        text = content.decode("utf-8-sig", "replace")
        self._lines = _LINE_END.split(text)
        self._findings: list[Finding] = []

    def box(self) -> Box:
        """The box that the file describes.

        Raises:
            FindingsError: it describes none.
        """
        root = self._compose()
        if not isinstance(root, yaml.MappingNode):
            if not self._findings:
                self._report(0, 0, "a box file is a mapping of keys to values", _KEYS_WORDS)
            raise self._refusal()
        values: dict[str, Any] = {}
        keys: dict[str, yaml.Node] = {}
        for key, key_node, node in self._entries(root):
            keys[key] = key_node
            if key == _INTERFACES:
                values[_INTERFACES] = self._interfaces(key_node, node)
            elif key == _BUGS:
                values["bugs"], values["historic"] = self._bugs(node)
            elif key in _RULES:
                value = self._value(f"{key} is", node, _RULES[key])
                if value is not None:
                    values[key.replace("-", "_")] = value
            else:
                self._report_at(key_node, f"unknown key {_shown(key)}", _KEYS_WORDS)
        if _INTERFACES not in keys:
            self._report_at(root, "the key interfaces is missing", _INTERFACES_WORDS)
        if not self._findings:
            box = Box(**values)
            if box.queue + box.workers <= QUEUES:
                return box
            self._report_at(
                keys["queue"],
                f"the queues of {box.workers} workers from {box.queue} on end past {QUEUES - 1}",
                f"queue is at most {QUEUES - box.workers} with {box.workers} workers",
            )
        raise self._refusal()

    def _refusal(self) -> FindingsError:
        return FindingsError(tuple(sorted(self._findings, key=_position)))

    def _compose(self) -> yaml.Node | None:
        """The document's root; None if it is empty, or if a finding says why there is none."""
        try:
            text = self._content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            before = error.object[: error.start].decode()  # the byte order mark is none of it
            self._report_after(before, "this is not UTF-8", "a box file is UTF-8 text")
            return None
        try:
            loader = yaml.SafeLoader(text)
        except yaml.reader.ReaderError as error:
            code = ord(text[error.position])
            self._report_after(
                text[: error.position], f"the character U+{code:04X} may not stand in YAML", ""
            )
            return None
        try:
            return loader.get_single_node()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or loader.get_mark()
            context = f"{error.context}: " if error.context else ""
            problem = f"not YAML: {context}{error.problem}"
        except RecursionError:
            mark, problem = loader.get_mark(), "nested too deeply"
        except ValueError:
            # The library lets these through: "\U00110000", or a %YAML version of many digits.
            mark, problem = loader.get_mark(), "not YAML: a number is out of range"
        self._report(mark.line, mark.column, problem, "")
        return None

    def _interfaces(self, key_node: yaml.Node, node: yaml.Node) -> tuple[tuple[str, str], ...]:
        if not isinstance(node, yaml.MappingNode) or not node.value:
            self._report_at(key_node, "interfaces names no interface", _INTERFACES_WORDS)
            return ()
        pairs: list[tuple[str, str]] = []
        owners: dict[str, str] = {}
        for name, name_node, value_node in self._entries(node):
            nameif = self._value("the name is", name_node, _NAMEIF)
            linux = self._value("the interface is", value_node, _LINUX)
            if nameif is None or linux is None:
                continue
            if linux in owners:
                self._report_at(
                    value_node,
                    f"{linux} is already {owners[linux]}",
                    "each Linux interface has one name",
                )
            owners[linux] = name
            pairs.append((nameif, linux))
        return tuple(pairs)

    def _bugs(self, node: yaml.Node) -> tuple[tuple[Bug, ...], bool]:
        if isinstance(node, yaml.ScalarNode) and node.value == HISTORIC:
            return (), True
        if not isinstance(node, yaml.SequenceNode):
            what = _shown(node.value) if isinstance(node, yaml.ScalarNode) else "a mapping"
            self._report_at(node, f"bugs is {what}", _BUG.words)
            return (), False
        found = [self._value("a bug is", each, _BUG) for each in node.value]
        return tuple(bug for bug in found if bug is not None), False

    def _entries(self, mapping: yaml.MappingNode) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
        """Key, where the key stands, and value; keys that are no keys are reported."""
        seen: dict[str, yaml.Node] = {}
        for key_node, value_node in mapping.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._report_at(key_node, "a key is a word", "")
            elif key_node.value in seen:
                line = seen[key_node.value].start_mark.line + 1
                self._report_at(
                    key_node,
                    f"the key {_shown(key_node.value)} is given twice, first in line {line}",
                    "remove one of them",
                )
            else:
                seen[key_node.value] = key_node
                yield key_node.value, key_node, value_node

    def _value(self, subject: str, node: yaml.Node, rule: _Rule) -> Any:
        """The value of a scalar; None, and a finding, if the rule does not allow it."""
        if not isinstance(node, yaml.ScalarNode):
            kind = "a mapping" if isinstance(node, yaml.MappingNode) else "a list"
            self._report_at(node, f"{subject} {kind}", rule.words)
            return None
        try:
            return rule.allowed.validate_python(node.value)
        except ValidationError:
            self._report_at(node, f"{subject} {_shown(node.value)}", rule.words)
            return None

    def _report_at(self, node: yaml.Node, problem: str, remedy: str) -> None:
        self._report(node.start_mark.line, node.start_mark.column, problem, remedy)

    def _report_after(self, before: str, problem: str, remedy: str) -> None:
        lines = _LINE_END.split(before)
        self._report(len(lines) - 1, len(lines[-1]), problem, remedy)

    def _report(self, line: int, column: int, problem: str, remedy: str) -> None:
        text = self._lines[line] if line < len(self._lines) else ""
        place = Place(self._file, line + 1, column + 1)
        self._findings.append(Finding(place, problem, remedy, text))


def _position(finding: Finding) -> tuple[int, int]:
    return finding.place.line, finding.place.column


def _shown(value: str) -> str:
    """A value as a message quotes it: escaped, and not longer than a line."""
    return ascii(value if len(value) <= 48 else value[:45] + "...")
