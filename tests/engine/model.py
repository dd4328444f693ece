"""A slow model of every release, byte by byte: what docs/evidence.md and docs/releases.md say.

It shares nothing with the engine, not even the table of releases. Segments come in order.
"""

from __future__ import annotations

import re

SEVEN = {b"HELO", b"MAIL", b"RCPT", b"DATA", b"RSET", b"NOOP", b"QUIT"}
FIFTEEN = SEVEN | {b"AUTH", b"EHLO", b"ETRN", b"HELP", b"SAML", b"SEND", b"SOML", b"VRFY"}
KEYWORDS = {
    b"8BITMIME", b"AUTH", b"BINARYMIME", b"CHECKPOINT", b"DSN", b"ENHANCEDSTATUSCODES", b"ETRN",
    b"PIPELINING", b"SIZE", b"VRFY",
}  # fmt: skip

GREETINGS = {
    "cmap": ("4.0", "4.1", "4.2", "4.3"),
    "first": ("4.4", "5.0"),
    "two": ("5.1", "5.2", "5.3", "6.0", "6.1", "6.2", "6.3", "fwsm-3"),
    "none": ("fwsm-2",),
}


class Model:
    """A release of Mailguard in front of one server.

    Args:
        name: the release.
        stream: whether segments do not matter.
    """

    def __init__(self, name: str, stream: bool) -> None:
        modern = name[0] in "789"
        self.greeting = next((g for g, names in GREETINGS.items() if name in names), "codes")
        self.verbs = FIFTEEN if modern else SEVEN
        bare = name in (*GREETINGS["two"], "5.0", "fwsm-2")
        self.needs_blank = {b"HELO", b"MAIL", b"RCPT"} if bare else set()
        self.row = "stream" if stream else "mask" if modern else "discard"
        self.edits_addresses = not modern
        self.reads_ehlo = modern
        self.noop = name == "fwsm-2"
        self.answers = name in ("4.0", "4.1")
        self.forwarded = b""
        self.to_client = b""
        self.due = ["g"]
        self.mail: bytes | None = None
        self.credentials: bytes | None = None
        self.line = b""  # of a release that answers, what is taken in
        self._begin()

    def _begin(self) -> None:
        self.kind = "start"
        self.verb = b""
        self.left = 0
        self.cr = False
        self.path: str | None = None  # of an address: before, within, after
        self.letters = b""
        self.expects = "c"

    # ---- the client's side ----

    def segment(self, data: bytes) -> bool:
        """The client sends a segment; returns whether it is forwarded."""
        commands = self.mail is None and self.credentials is None
        at_start = commands and self.kind == "start" and not self.cr and not self.line
        if at_start and not re.search(rb"[ \r\n]", data):
            if self.row == "discard":
                return False
            if self.row == "mask":
                self.kind = "verb-x"
        for index in range(len(data)):
            self._byte(data[index : index + 1], data[index:])
        self._answer()
        return True

    def _byte(self, char: bytes, rest: bytes) -> None:
        if self.mail is not None:
            self.forwarded += char
            self.mail += char
            if self.mail.endswith(b"\r\n.\r\n"):
                self.mail = None
                self.due.append("c")
                self._begin()
        elif self.credentials is not None:
            self.forwarded += char
            self.credentials += char
            if self.credentials.endswith(b"\r\n"):
                self.credentials = None
                self.due.append("a")
        elif self.answers:
            self.line += char
            if self.line.endswith(b"\r\n"):
                self._whole_line(self.line)
                self.line = b""
        else:
            self.forwarded += bytes((self._command(char[0], rest),))

    def _whole_line(self, line: bytes) -> None:
        """A release that answers has a whole line before it judges."""
        verb = re.match(rb"[^ \r\n]*", line)[0].upper()  # type: ignore[index]
        foreign = re.search(rb"[\0\r\n]", line[:-2]) or any(b >= 0x80 for b in verb)
        if line != b"\r\n" and (foreign or verb not in SEVEN):
            self.due.append("answer")
            return
        if verb in (b"MAIL", b"RCPT"):
            self.path = "before"
            line = line[: len(verb)] + bytes(map(self._address, line[len(verb) :]))
            self.path = None
        self.forwarded += line
        self.due.append("d" if verb == b"DATA" else "c")

    def _answer(self) -> None:
        while self.due and self.due[0] == "answer":
            del self.due[0]
            self.to_client += b"250 OK\r\n"

    def _command(self, byte: int, rest: bytes) -> int:
        char = bytes((byte,))
        if self.cr:
            self.cr = False
            if char == b"\n":
                self.due.append(self.expects)
                self._begin()
                return byte
            self._spoil()
        if self.kind == "start":
            self._judge_first(char, rest)
        if self.kind == "open":
            return self._open(char, rest)
        if self.kind in ("pass", "mask"):
            if self.left:
                self.left -= 1
                return byte if self.kind == "pass" else 0x58
            self.kind = "argument"
        if self.kind == "verb-x":
            if char in (b" ", b"\r"):
                self.kind = "argument"
            elif byte >= 0x80 or char in (b"\n", b"\0"):
                self._spoil()
            else:
                return 0x58
        if char == b"\r":
            self.cr = True
            return byte
        if char == b"\n" or (char == b"\0" and self.kind == "argument"):
            self._spoil()
        if self.kind == "noop":
            return byte if char == b"\n" else self._letter()
        if self.kind == "bad":
            return byte if char in (b" ", b"\n") else 0x58
        return self._address(byte)

    def _spoil(self) -> None:
        """The line is no valid command."""
        if self.kind != "noop":
            self.kind = "bad"

    def _letter(self) -> int:
        letter, self.letters = (self.letters or b" ")[0], self.letters[1:]
        return letter

    def _block(self, rest: bytes, otherwise: str) -> None:
        end = rest.find(b"\r\n")
        short = 0 <= end < 4 and self.row != "stream"
        if self.noop and not short:
            self.kind, self.letters = "noop", b"NOOP"
        else:
            self.kind = "bad" if self.noop else otherwise

    def _judge_first(self, char: bytes, rest: bytes) -> None:
        if char == b"\r":
            self.kind = "empty"
            return
        whole = None if self.row == "stream" else re.match(rb"([^ \r\n]*)([ \r\n])", rest)
        if whole is None:
            self.kind = "open"
            return
        verb, ender = whole[1].upper(), whole[2]
        self.left = len(verb)
        if not verb or ender == b"\n" or any(b >= 0x80 or b == 0 for b in verb):
            self._block(rest, "bad")
        elif verb in self.verbs and (ender == b" " or verb not in self.needs_blank):
            self.kind = "pass"
            self._known(verb)
        else:
            self._block(rest, "mask")

    def _open(self, char: bytes, rest: bytes) -> int:
        if char in (b" ", b"\r", b"\n"):
            if self.verb in self.verbs and char != b"\n":
                self.kind = "argument"
                self._known(self.verb)
            elif self.verb:
                self.kind = "bad"
            else:
                self._block(rest, "bad")
            self.cr = char == b"\r"
            return self._letter() if self.kind == "noop" and char == b" " else char[0]
        grown = self.verb + char.upper()
        if any(verb.startswith(grown) for verb in self.verbs):
            self.verb = grown
            return char[0]
        odd = char[0] >= 0x80 or char == b"\0"
        if self.verb:
            self.kind = "bad"
        else:
            self._block(rest, "bad" if odd else "verb-x")
        return self._letter() if self.kind == "noop" else 0x58

    def _known(self, verb: bytes) -> None:
        self.expects = {b"DATA": "d", b"AUTH": "a", b"EHLO": "e"}.get(verb, "c")
        if verb in (b"MAIL", b"RCPT") and self.edits_addresses:
            self.path = "before"

    def _address(self, byte: int) -> int:
        char = chr(byte)
        if self.path is None or char not in "|<>":
            return byte
        if char == "<" and self.path == "before":
            self.path = "within"
            return byte
        if char == ">" and self.path == "within":
            self.path = "after"
            return byte
        return 0x20

    # ---- the server's side ----

    def reply(self, text: bytes) -> None:
        """The server sends a whole reply, its lines ended by CRLF, in one segment."""
        lines = text.split(b"\r\n")[:-1]
        if self.due and self.due[0] == "g":
            del self.due[0]
            masked = lines if lines[0][:3] != b"220" else list(map(self._greet, range(99), lines))
            self.to_client += b"\r\n".join([*masked, b""])
        else:
            self.to_client += b"\r\n".join([*self._edited(lines), b""])
            self._replied(int(lines[-1][:3]))
        self._answer()

    def _greet(self, number: int, line: bytes) -> bytes:
        match self.greeting:
            case "none":
                return line
            case "cmap":
                return line[:4] + b"SMTP/cmap ready".ljust(len(line), b"_")[: len(line) - 4]
            case "first":
                return line[:4] * (not number) + b"*" * (len(line) - 4 * (not number))
            case "codes":
                return line[:4] + b"*" * (len(line) - 4)
        kept = re.sub(rb"(?<!0) |[^20 ]", b"*", line)
        return (line[:4] if number == 0 or line[3:4] == b"-" else kept[:4]) + kept[4:]

    def _edited(self, lines: list[bytes]) -> list[bytes]:
        if not (self.reads_ehlo and self.due and self.due[0] == "e" and lines[0][:3] == b"250"):
            return lines
        edited, count = lines[:1], 0
        for line in lines[1:]:
            text = line[4:]
            if text and re.split(rb"[ =]", text)[0].upper() not in KEYWORDS:
                text = b"X" * (len(text) - 1) + bytes((65 + count % 26,))
                count += 1
            edited.append(line[:4] + text)
        return edited

    def _replied(self, code: int) -> None:
        if code == 354:
            if "d" in self.due:
                self.due.clear()
                self.mail = self.forwarded[-4:]
                held, self.line = self.line, b""  # taken in, but mail by now
                for at in range(len(held)):
                    self._byte(held[at : at + 1], held[at:])
        elif code == 334:
            if "a" in self.due:
                del self.due[: self.due.index("a") + 1]
                fresh = self.kind == "start" and not self.cr
                if not self.due and fresh:
                    self.credentials = b""
                elif self.due:
                    self.due[0] = "a"
        elif self.due:
            del self.due[0]
