"""A slow model of every release, byte by byte: what docs/evidence.md and docs/releases.md say.

It shares nothing with the engine, not even the table of releases. Segments come in order; it is
told where each ends, and in four places that matters: where a segment starts a command and ends
inside its verb, at the masked lines of a reply to EHLO, at the fault `split-terminator`, and for
what goes with the byte for which a connection is ended.
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

ANSWERS = {"answer-ok": b"250 OK\r\n", "answer-500": b"500 Command unrecognized\r\n"}

SMUGGLED = re.compile(rb"\n\.\n|(?<!\r)\n\.\r\n|\r\.\r")


class RefusedError(Exception):
    """The segment under way is not forwarded.

    Args:
        for_good: nor is anything behind it.
    """

    def __init__(self, for_good: bool) -> None:
        self.for_good = for_good


class Model:
    """A release of Mailguard in front of one server.

    Args:
        name: the release.
        stream: whether a segment that ends inside a verb is nothing special.
        blocked: what becomes of a blocked line, if not what the release does.
        tls: whether STARTTLS is let through.
        bugs: the names of the faults it has.
        resets: whether an ambiguous end of a mail ends the connection.
    """

    def __init__(
        self,
        name: str,
        stream: bool,
        *,
        blocked: str | None = None,
        tls: bool = False,
        bugs: frozenset[str] = frozenset(),
        resets: bool = False,
    ) -> None:
        modern = name[0] in "789"
        self.greeting = next((g for g, names in GREETINGS.items() if name in names), "codes")
        self.verbs = (FIFTEEN if modern else SEVEN) | ({b"STARTTLS"} if tls else set())
        self.keywords = KEYWORDS | ({b"STARTTLS"} if tls else set())
        bare = name in (*GREETINGS["two"], "5.0", "fwsm-2")
        self.needs_blank = {b"HELO", b"MAIL", b"RCPT"} if bare else set()
        self.row = "stream" if stream else "mask" if modern else "discard"
        self.addresses = "drop" if name in ("7.0", "7.1") else "keep" if modern else "blank"
        self.reads_ehlo = modern
        usual = {"4.0": "answer-ok", "4.1": "answer-ok", "fwsm-2": "noop"}.get(name, "mask")
        self.blocked = blocked or usual
        self.answer = ANSWERS.get(self.blocked, b"")
        self.bugs = bugs
        self.resets = resets
        self.over = False  # the connection, ended by the firewall
        self.opaque = False
        self.forwarded = b""
        self.to_client = b""
        self.due = ["g"]
        self.place = 0  # in the client's segment under way, behind the byte looked at
        self.said = b""  # of the server's line under way
        self.breaks: set[int] = set()  # where in it segments ended
        self.number = 0  # of that line in its reply
        self.reply_to = ""
        self.code = b""  # of its first line
        self.masked = 0  # lines of a reply to EHLO
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
        if self.over:
            return False
        before = {**vars(self), "due": self.due.copy()}
        try:
            return self._segment(data)
        except RefusedError as refusal:
            vars(self).update(before)
            self.over = refusal.for_good
            return False

    def _segment(self, data: bytes) -> bool:
        if self.opaque:
            self.forwarded += self.line + data  # with what was taken in before
            self.line = b""
            return True
        commands = self.mail is None and self.credentials is None
        at_start = commands and self.kind == "start" and not self.cr and not self.line
        if at_start and not re.search(rb"[ \r\n]", data):
            if self.row == "discard":
                return False
            if self.row == "mask" and not self.answer:
                self.kind = "verb-x"
        for index in range(len(data)):
            self.place = index + 1
            self._byte(data[index : index + 1], data[index:])
        self._answer()
        return True

    def _byte(self, char: bytes, rest: bytes) -> None:
        if self.mail is not None:
            self.forwarded += char
            self.mail += char
            if self.resets and SMUGGLED.search(self.mail):
                raise RefusedError(for_good=True)
            if self.mail.endswith(b"\r\n.\r\n"):
                if "split-terminator" in self.bugs and self.place <= len(b"\r\n"):
                    raise RefusedError(for_good=False)
                self.mail = None
                self.due.append("c")
                self._begin()
        elif self.credentials is not None:
            self.forwarded += char
            self.credentials += char
            if self.credentials.endswith(b"\r\n"):
                self.credentials = None
                self.due.append("a")
        elif self.answer:
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
        bare = verb in self.needs_blank and line[len(verb) : len(verb) + 1] != b" "
        if line != b"\r\n" and (foreign or bare or verb not in self.verbs):
            self.due.append("answer")
            return
        self._known(verb)
        line = line[: len(verb)] + bytes(map(self._address, line[len(verb) :]))
        self.forwarded += line
        self._expect()

    def _answer(self) -> None:
        while self.due and self.due[0] == "answer":
            del self.due[0]
            self.to_client += self.answer

    def _command(self, byte: int, rest: bytes) -> int:
        char = bytes((byte,))
        if self.cr:
            self.cr = False
            if char == b"\n":
                self._expect()
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
        return self._covered(byte) if self.kind in ("noop", "bad") else self._address(byte)

    def _covered(self, byte: int) -> int:
        """A byte of a line that goes on as another one, CRLF aside."""
        char = bytes((byte,))
        if char in (b"\r", b"\n"):
            return byte
        if self.kind == "noop":
            letter, self.letters = (self.letters or b" ")[0], self.letters[1:]
            return letter
        return byte if char == b" " and self.blocked != "mask-line" else 0x58

    def _expect(self) -> None:
        """A line has ended that the server will reply to."""
        expects = self.expects
        self._begin()
        self.due.append(expects)
        if expects == "d" and "data-before-reply" in self.bugs:
            self.mail = b"\r\n"

    def _spoil(self) -> None:
        """The line is no valid command."""
        if self.kind != "noop":
            self.kind = "bad"

    def _block(self, rest: bytes, otherwise: str) -> None:
        end = rest.find(b"\r\n")
        short = 0 <= end < 4 and self.row != "stream"
        if self.blocked == "noop" and not short:
            self.kind, self.letters = "noop", b"NOOP"
        else:
            self.kind = otherwise if self.blocked == "mask" else "bad"

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
            return char[0] if self.kind == "argument" else self._covered(char[0])
        grown = self.verb + char.upper()
        if any(verb.startswith(grown) for verb in self.verbs):
            self.verb = grown
            return char[0]
        odd = char[0] >= 0x80 or char == b"\0"
        if self.verb:
            self.kind = "bad"
        else:
            self._block(rest, "bad" if odd else "verb-x")
        return self._covered(char[0])

    def _known(self, verb: bytes) -> None:
        self.expects = {b"DATA": "d", b"AUTH": "a", b"EHLO": "e", b"STARTTLS": "s"}.get(verb, "c")
        if verb in (b"MAIL", b"RCPT") and self.addresses != "keep":
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
        if self.addresses == "drop":
            raise RefusedError(for_good=True)
        return 0x20

    # ---- the server's side ----

    def reply(self, data: bytes) -> None:
        """The server sends a segment."""
        if self.over:
            return
        for index in range(len(data)):
            if self.opaque:
                self.to_client += data[index:]
                return
            self.said += data[index : index + 1]
            if index + 1 == len(data):
                self.breaks.add(len(self.said))
            if self.said.endswith(b"\r\n"):
                line, self.said = self.said[:-2], b""
                self._line(line)
                self.breaks.clear()

    def _line(self, line: bytes) -> None:
        """The server has ended a line."""
        if self.number == 0:
            self.masked = 0
            self.reply_to = self.due[0] if self.due else ""
            self.code = line[:3]
        seen = line
        if self.reply_to == "g" and self.code == b"220":
            seen = self._greet(self.number, line)
        elif self.reply_to == "e" and self.code == b"250" and self.reads_ehlo and self.number:
            seen = line[:4] + self._extension(line[4:], {at - 4 for at in self.breaks})
        self.to_client += seen + b"\r\n"
        self.number += 1
        if re.match(rb"\d{3}(?!-)", line):
            self.number = 0
            if self.reply_to == "g":
                del self.due[0]
            else:
                self._replied(int(line[:3]))
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

    def _extension(self, text: bytes, breaks: set[int]) -> bytes:
        """A line of a reply to EHLO, behind its code, sent in segments that end there."""
        keyword = re.split(rb"[ =]", text)[0]
        if not text or keyword.upper() in self.keywords:
            return text
        gone = 0  # what has gone before the keyword was known to be none
        if any(0 < at <= len(keyword) for at in breaks):
            begins = [n for n in range(len(keyword) + 1) if self._begins_keyword(keyword[:n])]
            gone = max(begins)
        if gone == len(text):
            return text
        self.masked += 1
        masked = text[:gone] + b"X" * (len(text) - gone)
        if len(text) in breaks:  # its last byte's CR is in another segment
            return masked
        return masked[:-1] + bytes((65 + (self.masked - 1) % 26,))

    def _begins_keyword(self, text: bytes) -> bool:
        return any(keyword.startswith(text.upper()) for keyword in self.keywords)

    def _replied(self, code: int) -> None:
        if code == 354 and "data-before-reply" not in self.bugs:
            if "d" in self.due:
                self.due.clear()
                self.mail = self.forwarded[-2:]
                held, self.line = self.line, b""  # taken in, but mail by now
                for at in range(len(held)):
                    self._byte(held[at : at + 1], held[at:])
        elif code == 334:
            if "a" in self.due:
                del self.due[: self.due.index("a") + 1]
                fresh = self.kind == "start" and not self.cr and not self.line
                if not self.due and fresh:
                    self.credentials = b""
                elif self.due:
                    self.due[0] = "a"
        elif code == 220 and "s" in self.due:
            self.opaque = True
        elif self.due:
            del self.due[0]
