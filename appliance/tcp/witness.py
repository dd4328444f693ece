"""What happens in a connection, told to whoever asked to hear of it."""

from __future__ import annotations

from collections.abc import Iterable

from appliance.events import Direction, Flow, Inspected, Kind, Report
from appliance.smtp.esmtp_map import Action
from appliance.smtp.ruling import Remark


class Witness:
    """Tells the inspection events of one connection.

    Args:
        flow: the connection.
        report: called with each event.
    """

    __slots__ = ("_flow", "_report")

    def __init__(self, flow: Flow, report: Report) -> None:
        self._flow = flow
        self._report = report

    def tell(
        self,
        now: float,
        kind: Kind,
        from_client: bool,
        offset: int,
        original: bytes = b"",
        rewritten: bytes = b"",
        detail: str = "",
        action: Action | None = None,
    ) -> None:
        """Tell an event.

        Args:
            now: the time, seconds.
            kind: what happened.
            from_client: whether the client sent the bytes concerned.
            offset: of the first of them in its stream.
            original: the bytes as they were sent.
            rewritten: as they were forwarded.
            detail: what a log line needs besides.
            action: what an inspection map has done about it, if one is asked.
        """
        direction = Direction.TO_SERVER if from_client else Direction.TO_CLIENT
        self._report(
            Inspected(now, kind, self._flow, direction, offset, original, rewritten, detail, action)
        )

    def tell_remarks(
        self, now: float, remarks: Iterable[Remark], from_client: bool, base: int
    ) -> None:
        """Tell what inspection remarked.

        Args:
            now: the time, seconds.
            remarks: the remarks.
            from_client: whether the client sent the bytes that they are about.
            base: offset in its stream of the first byte that was judged.
        """
        for remark in remarks:
            self.tell(
                now,
                remark.kind,
                from_client,
                base + remark.at,
                remark.original,
                remark.rewritten,
                remark.detail,
                remark.action,
            )
