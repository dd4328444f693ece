"""What inspection maps have matched, counted over all connections, and how fast."""

from __future__ import annotations

from collections.abc import Iterator

from appliance.smtp.esmtp_map import Act, EsmtpMap
from appliance.smtp.plan import plan


class MapTally:
    """The counters of one inspection map, as `show service-policy inspect esmtp` prints them.

    Args:
        esmtp_map: the map.

    Attributes:
        plan: the map, sorted.
        packets: that were inspected.
        drops: packets that were dropped.
        resets: connections that were reset.
        banners: greetings that were masked.
        rows: matches of each of the map's rows.
        relayed: recipients of other domains than that of `mail-relay`.
        special: addresses with a character that `special-character` looks for.
    """

    __slots__ = (
        "_now",
        "_windows",
        "banners",
        "drops",
        "esmtp_map",
        "packets",
        "plan",
        "relayed",
        "resets",
        "rows",
        "special",
    )

    def __init__(self, esmtp_map: EsmtpMap) -> None:
        self.esmtp_map = esmtp_map
        self.plan = plan(esmtp_map)
        self.packets = 0
        self.drops = 0
        self.resets = 0
        self.banners = 0
        self.relayed = 0
        self.special = 0
        self.rows = [0] * len(esmtp_map.rows)
        self._now = 0.0
        self._windows: dict[int, tuple[float, int]] = {}

    def note_packet(self, now: float) -> None:
        """A packet of a connection that goes through the map is inspected.

        Args:
            now: its time, seconds.
        """
        self.packets += 1
        self._now = now

    def exceeds(self, row: int, rate: int) -> bool:
        """Count a match of a row with `rate-limit`.

        Args:
            row: its index.
            rate: matches that may pass in a second.

        Returns:
            whether it is one too many; then it is not counted.
        """
        began, number = self._windows.get(row, (self._now, 0))
        if self._now - began >= 1:
            began, number = self._now, 0
        if number >= rate:
            return True
        self._windows[row] = began, number + 1
        return False

    def lines(self) -> Iterator[str]:
        """What a device prints of it."""
        yield (
            f"Inspect: esmtp {self.esmtp_map.name}, packet {self.packets}, "
            f"drop {self.drops}, reset-drop {self.resets}"
        )
        if self.esmtp_map.mask_banner:
            yield f"  mask-banner, count {self.banners}"
        relay, special = self.esmtp_map.mail_relay, self.esmtp_map.special_character
        if relay:
            yield f"  mail-relay {relay.domain}"
            yield f"    {relay.action.text}, packet {self.relayed}"
        if special:
            yield "  special-character"
            yield f"    {special.text}, packet {self.special}"
        for row, count in zip(self.esmtp_map.rows, self.rows, strict=True):
            yield f"  {row.heading}"
            if row.action.act is not Act.NONE or row.action.log:
                yield f"    {row.action.text}, packet {count}"


class Tally:
    """The counters of all inspection maps that connections have gone through."""

    __slots__ = ("_last", "_maps")

    def __init__(self) -> None:
        self._maps: dict[EsmtpMap, MapTally] = {}
        self._last: MapTally | None = None

    def of(self, esmtp_map: EsmtpMap) -> MapTally:
        """The counters of a map; one that says something else has others, whatever its name."""
        # To hash a map takes as long as to judge a few commands.
        if self._last is None or self._last.esmtp_map is not esmtp_map:
            self._last = self._maps.setdefault(esmtp_map, MapTally(esmtp_map))
        return self._last

    def __iter__(self) -> Iterator[MapTally]:
        return iter(self._maps.values())
