"""What cannot be said in another version."""

from __future__ import annotations

from dataclasses import dataclass

from appliance.errors import Place, printable


@dataclass(frozen=True, slots=True)
class Loss:
    """One thing that another version cannot say, or says otherwise.

    Args:
        place: where it stands in the file that is converted; None where no line says it.
        what: what cannot be said.
        becomes: what becomes of it.
    """

    place: Place | None
    what: str
    becomes: str

    def shown(self, file: str) -> str:
        """The loss as one line.

        Args:
            file: the file that is converted.
        """
        where = str(self.place) if self.place else printable(file)
        return f"{where}: {printable(self.what)}: {printable(self.becomes)}"
