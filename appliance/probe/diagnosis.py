"""What a session tells about the firewall in its path: observations in, a conclusion out.

Each observation leaves those candidates that could have brought it about, by the traits of the
releases and by the masks of the engine itself. Nothing here talks to anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from appliance.probe.candidate import (
    CANDIDATES,
    NO_FIREWALL,
    Candidate,
    Fate,
    those,
    those_whose,
)
from appliance.probe.reply import Question, Reply, Session
from appliance.smtp.ehlo import EhloMask
from appliance.smtp.greeting import GreetingMask
from appliance.smtp.release import Extensions, Greeting

_STARS = re.compile(rb"[*20 \t]*\*[*20 \t]*")
_CMAP = re.compile(rb"SMTP/cmap (?:ready_*|read?)")
_CODE_OF_LINE = re.compile(rb"[0-9]{3}(?:[ -]|$)")
_MASKED_EXTENSION = re.compile(rb"250[ -]X{2,}[A-Z]")


class Verdict(Enum):
    """Whether there is a Mailguard."""

    MAILGUARD = "mailguard"
    NONE = "none"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class Observation:
    """Something seen in a session.

    Args:
        text: what was seen.
        leaves: the candidates that could have brought it about.
    """

    text: str
    leaves: tuple[Candidate, ...]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a session tells.

    Args:
        observations: one by one.
        candidates: what is left after all of them.
        verdict: whether there is a Mailguard.
        conclusion: the same in a sentence or two.
    """

    observations: tuple[Observation, ...]
    candidates: tuple[Candidate, ...]
    verdict: Verdict
    conclusion: str


def diagnose(session: Session) -> Diagnosis:
    """Draw the conclusion from a session."""
    observations = tuple(_observations(session))
    left = those(lambda each: all(each in observation.leaves for observation in observations))
    # A setting is worth a word only where fewer do not explain what was seen.
    fewest = min((len(each.settings) for each in left if each.release), default=0)
    left = tuple(each for each in left if len(each.settings) <= fewest)
    return Diagnosis(observations, left, *_conclude(session, left))


def _conclude(session: Session, left: tuple[Candidate, ...]) -> tuple[Verdict, str]:
    firewalls = [candidate for candidate in left if candidate.release]
    labels = "; or ".join(map(str, firewalls))
    if not left:
        return Verdict.UNCLEAR, (
            "No release does all of this, and no ordinary server: another firewall, a server that "
            "imitates a Mailguard or accepts anything, or different servers behind one address."
        )
    if not firewalls:
        return Verdict.NONE, "No Mailguard is seen in the path."
    if NO_FIREWALL in left:
        if session.reply(Question.NONSENSE) and all(each.settings for each in firewalls):
            return Verdict.NONE, (
                "No Mailguard is seen in the path. This one would have left everything here as "
                f"it is: {labels}."
            )
        return Verdict.UNCLEAR, (
            "Too little was said to tell whether there is a Mailguard. If there is one, it is "
            f"one of these: {labels}."
        )
    ehlo = session.reply(Question.EHLO)
    through = all(each.fate(Question.EHLO) is Fate.PASSES for each in firewalls)
    if through and ehlo is not None and not ehlo.positive:
        return Verdict.UNCLEAR, (
            f"Either a Mailguard of {labels} before a server that does not know EHLO, "
            "or a server that imitates a Mailguard, as Postfix's smtp-sink -P does."
        )
    if len(firewalls) == 1:
        return Verdict.MAILGUARD, f"There is a Mailguard in the path: {labels}."
    return Verdict.MAILGUARD, (
        f"There is a Mailguard in the path. What was said fits several releases: {labels}."
    )


def _observations(session: Session) -> Iterator[Observation]:
    yield _greeting(session.greeting)
    nonsense = session.reply(Question.NONSENSE)
    if nonsense is not None:
        yield _nonsense(nonsense)
    yield from _quotations(session)
    ehlo = session.reply(Question.EHLO)
    if ehlo is not None:
        yield _ehlo(ehlo)
    if nonsense is not None and not nonsense.positive:
        yield from _likenesses(session, nonsense)
    yield from _noops(session)


def _greeting(greeting: Reply) -> Observation:
    if greeting.code != b"220":
        return Observation(
            f"The greeting's code is {_code(greeting)}; only a 220 is masked.", CANDIDATES
        )
    texts = [_CODE_OF_LINE.sub(b"", line, count=1) for line in greeting.lines]
    starred = any(texts) and all(_STARS.fullmatch(text) for text in texts if text)
    cmap = all(_CMAP.match(text) for text in texts)

    def fits(candidate: Candidate) -> bool:
        if candidate.greeting is Greeting.UNTOUCHED:
            return not starred and not cmap
        return _comes_out_as(candidate.greeting, greeting.lines)

    if not any(texts):
        seen = "The greeting has no text, so there is nothing to mask."
    elif cmap:
        seen = "The greeting reads SMTP/cmap."
    elif not starred:
        seen = "The greeting is in plain text."
    elif not all(_CODE_OF_LINE.match(line) for line in greeting.lines):
        seen = "The greeting is stars, and only its first line has a code."
    elif any(re.search(rb"[20]", text) for text in texts):
        seen = "The greeting is stars, but for its codes and for 2 and 0 in its text."
    else:
        seen = "The greeting is stars, but for its codes."
    return Observation(seen, those(fits))


def _comes_out_as(style: Greeting, lines: tuple[bytes, ...]) -> bool:
    """Whether a greeting comes out of a mask like this.

    What a mask has masked it leaves alone, so that is tried; but each line went in with a code.
    """
    codes = [b"220-"] * (len(lines) - 1) + [b"220 "]
    sent = b"".join(
        (code + line[len(code) :])[: len(line)] + b"\r\n"
        for code, line in zip(codes, lines, strict=True)
    )
    return GreetingMask(style).mask(sent) == b"".join(line + b"\r\n" for line in lines)


def _nonsense(reply: Reply) -> Observation:
    """No server accepts nonsense: where it is accepted, the server has read something else."""
    if reply.positive:
        return Observation(
            f"goodmorning is accepted ({_code(reply)}): the server has not seen it.",
            those_whose(Question.NONSENSE, Fate.NOOP, Fate.ANSWERED),
        )
    return Observation(
        f"goodmorning is refused ({_code(reply)}).",
        those_whose(Question.NONSENSE, Fate.PASSES, Fate.MASKED),
    )


def _quotations(session: Session) -> Iterator[Observation]:
    """Many servers quote the command that they do not know."""
    masked: list[Question] = []
    for question in Question:
        reply = session.reply(question)
        if reply is None or reply.positive:
            continue
        verb = question.verb
        text = b"\n".join(reply.lines)
        if len(verb) >= 4 and _exes(verb).search(text):
            masked.append(question)
        elif question is Question.NONSENSE and verb in text.lower():
            yield Observation(
                "The server quotes goodmorning as it was sent.",
                those_whose(question, Fate.PASSES),
            )
    if masked:
        yield Observation(
            f"The server quotes as X: {', '.join(_ascii(each.verb) for each in masked)}.",
            those(lambda each: all(each.fate(asked) is Fate.MASKED for asked in masked)),
        )


def _ehlo(reply: Reply) -> Observation:
    """The reply to EHLO: no release before 7.0 lets it through, the later ones mask its lines."""
    lines = reply.lines[1:]
    if not reply.positive:
        return Observation(
            f"EHLO is refused ({_code(reply)}).",
            those_whose(Question.EHLO, Fate.PASSES, Fate.MASKED),
        )
    if not lines:
        return Observation(
            f"EHLO is accepted ({_code(reply)}), and no service extensions are announced.",
            those_whose(Question.EHLO, Fate.PASSES, Fate.NOOP, Fate.ANSWERED),
        )
    masked = sum(bool(_MASKED_EXTENSION.fullmatch(line)) for line in lines)

    def fits(candidate: Candidate) -> bool:
        if candidate.fate(Question.EHLO) is not Fate.PASSES:
            return False
        if candidate.release is None or candidate.release.ehlo_keywords is None:
            return not masked
        return _extensions_come_out_as(candidate.release.ehlo_keywords, lines)

    return Observation(
        f"EHLO is answered; service extensions masked: {masked} of {len(lines)}.",
        those(fits),
    )


def _extensions_come_out_as(keywords: frozenset[bytes], lines: tuple[bytes, ...]) -> bool:
    """Whether the lines of a reply to EHLO, without the first, come out of the mask like this."""
    mask = EhloMask(Extensions(keywords))
    for line in lines:
        masked = bytearray(line + b"\r\n")
        mask.start_line()
        mask.mask(masked, len(b"250 "))
        # A line whose CR came in a later segment than its text has no letter.
        if masked != line + b"\r\n" and not re.fullmatch(rb"250[ -]X+", line):
            return False
    return True


def _likenesses(session: Session, nonsense: Reply) -> Iterator[Observation]:
    """A masked verb is as unknown to the server as nonsense is, and draws the same code."""
    for question in (Question.BARE_HELO, Question.HELP, Question.VRFY, Question.EXPN):
        reply = session.reply(question)
        if reply is not None and reply.code != nonsense.code:
            yield Observation(
                f"{_ascii(question.value)} is not answered like goodmorning ({_code(reply)}).",
                those_whose(question, Fate.PASSES, Fate.NOOP, Fate.ANSWERED),
            )
    # Every server knows HELO, and says something else to it than to nonsense.
    helo = session.reply(Question.BARE_HELO)
    if helo == nonsense:
        yield Observation(
            "HELO without a name is answered word for word like goodmorning.",
            those_whose(Question.BARE_HELO, Fate.MASKED),
        )
    extended = [session.reply(each) for each in (Question.EHLO, Question.HELP, Question.VRFY)]
    if all(reply is not None and reply.code == nonsense.code for reply in extended):
        # A server that knows none of them is rare (RFC 5321, section 4.5.1, asks for EHLO and
        # VRFY), so behind a masked greeting it is the firewall that blocks them.
        yield Observation(
            "EHLO, HELP and VRFY are all answered like goodmorning.",
            (*those_whose(Question.EHLO, Fate.MASKED), NO_FIREWALL),
        )


def _noops(session: Session) -> Iterator[Observation]:
    """A line over which NOOP was written draws the reply to NOOP."""
    noop = session.reply(Question.NOOP)
    for question in (Question.NONSENSE, Question.EHLO, Question.HELP, Question.EXPN):
        reply = session.reply(question)
        if noop is None or reply is None:
            continue
        if (reply.code, len(reply.lines)) != (noop.code, len(noop.lines)):
            yield Observation(
                f"{_ascii(question.value)} is not answered like NOOP.",
                those_whose(question, Fate.PASSES, Fate.MASKED, Fate.ANSWERED),
            )
            break  # a release writes NOOP over all of them or over none
    short = session.reply(Question.SHORT)
    if short is not None:
        fates = (Fate.ANSWERED,) if short.positive else (Fate.PASSES, Fate.MASKED)
        yield Observation(
            f"hey is {'accepted' if short.positive else 'refused'} ({_code(short)}).",
            those_whose(Question.SHORT, *fates),
        )


def _exes(verb: bytes) -> re.Pattern[bytes]:
    """As many X as the verb has bytes, and no more."""
    return re.compile(rb"(?<!X)X{%d}(?!X)" % len(verb))


def _code(reply: Reply) -> str:
    return _ascii(reply.code)


def _ascii(text: bytes) -> str:
    return text.decode("ascii")
