"""What is told of the packets that the kernel denies, and of those that a line with `log` permits.

The kernel sends copies of them; the policy, in Python, says which rule it was and what is logged,
as it does in replay. What the kernel denies and the policy would not draws nothing.
"""

from __future__ import annotations

from dataclasses import replace

from appliance.access_log import AccessLog
from appliance.admission import Opening
from appliance.config.language import OBJECTS
from appliance.config.model import Configuration
from appliance.events import Report
from appliance.live import connmark
from appliance.live.conntrack import Conntrack
from appliance.live.packet_log import LoggedPacket
from appliance.opening import denied, of_packet, of_segment, unknown
from appliance.packet.checksum import header_length, ones_complement
from appliance.packet.segment import Segment
from appliance.policy.judgement import policy_of
from appliance.policy.object_nat import ObjectTranslations
from appliance.policy.routing import Routing
from appliance.policy.translation import Translation, Translations
from appliance.protocol import ICMP, TCP
from appliance.smtp.release import Release


class Denials:
    """Reports what the policy says of packets that the kernel has copied.

    Args:
        conntrack: knows connections.
        report: called with each event.
        configuration: what the rule file says.
        release: the release imitated.
    """

    def __init__(
        self, conntrack: Conntrack, report: Report, configuration: Configuration, release: Release
    ) -> None:
        self._conntrack = conntrack
        self._report = report
        self._log = AccessLog(report)
        self.configure(configuration, release)

    def configure(self, configuration: Configuration, release: Release) -> None:
        """From now on, ask another policy; flows stay known.

        Args:
            configuration: what the rule file says.
            release: the release imitated.
        """
        self._policy = policy_of(configuration, release)
        routing = Routing(configuration)
        self._translations = Translations(configuration, routing)
        self._ways: ObjectTranslations | None = None
        if configuration.language >= OBJECTS:
            self._ways = ObjectTranslations(configuration, routing)

    def take(self, packet: LoggedPacket, ingress: str, egress: str, now: float) -> None:
        """Report what is to be told of a packet.

        Args:
            packet: the packet. Its mark has PERMITTED if it passes and matched a line with `log`,
                and the number of the translation that the kernel has applied to its destination.
            ingress: name of the interface it came in by.
            egress: name of the interface it would have left by.
            now: the time in seconds.
        """
        read = _read(packet.data, ingress, egress, now)
        if read is None or not is_intact(packet.data):
            return
        opening, flags = read
        if not opening.begins:
            mark = self._conntrack.mark(
                TCP,
                opening.source,
                opening.source_port,
                opening.destination,
                opening.destination_port,
            )
            if mark is not None and mark & connmark.PERMITTED:
                return  # of a connection, and out of place there
            admission = unknown(self._as_addressed(opening, packet.mark))
        else:
            opening = self._as_addressed(opening, packet.mark)
            admission = self._policy.admit(opening)
        self._log.take(opening, admission, now)
        if admission.denial and not packet.mark & connmark.PERMITTED:
            self._report(denied(opening, admission, admission.denial, flags, now))

    def expire(self, now: float) -> None:
        """Let intervals end.

        Args:
            now: the time in seconds.
        """
        self._log.expire(now)

    def _as_addressed(self, opening: Opening, mark: int) -> Opening:
        """A packet with the destination that it had on the wire."""
        if self._ways:
            return self._ways.as_addressed(opening, connmark.translation(mark))
        destination, port = opening.destination, opening.destination_port
        translation = self._translations.numbered(connmark.translation(mark))
        # Checked, since a reload may have come in between.
        if not isinstance(translation, Translation) or not translation.takes_real(
            opening.protocol, destination, port
        ):
            return opening
        destination, port = translation.to_mapped(destination, port)
        return replace(opening, destination=destination, destination_port=port)


def _read(data: bytes, ingress: str, egress: str, now: float) -> tuple[Opening, int] | None:
    if len(data) < 20 or data[9] != TCP:
        return of_packet(data, ingress, egress, now)
    try:
        segment = Segment(data)
    except ValueError:
        return None
    return of_segment(segment, ingress, egress, now), segment.flags


def is_intact(packet: bytes) -> bool:
    """Whether the checksum of TCP or ICMP in an IPv4 packet is right, or still to be filled in.

    Before a packet is sent, or if it never leaves the machine, the field holds the sum of what TCP
    adds to it of the IPv4 header.

    Args:
        packet: the whole packet; those of other protocols are not looked at.
    """
    at = header_length(packet)
    end = int.from_bytes(packet[2:4], "big") or len(packet)
    if packet[9] == ICMP:
        return ones_complement(packet[at:end]) == 0
    if packet[9] != TCP:
        return True
    pseudo = (ones_complement(packet[12:20]) + TCP + end - at) % 0xFFFF
    unfilled = int.from_bytes(packet[at + 16 : at + 18], "big") % 0xFFFF == pseudo
    return unfilled or (pseudo + ones_complement(packet[at:end])) % 0xFFFF == 0
