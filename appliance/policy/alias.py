"""What an `alias` translates: it is a `static` whose real side is where a route leads."""

from __future__ import annotations

from appliance.config.model import Alias, Configuration, Static


def as_static(alias: Alias, real_interface: str) -> Static:
    """An alias as the static that does the same.

    Args:
        alias: the command.
        real_interface: the interface that leads to what it stands for.
    """
    return Static(
        real_interface=real_interface,
        mapped_interface=alias.interface,
        real=alias.foreign,
        mapped=alias.alternate,
        protocol=None,
        real_port=0,
        mapped_port=0,
        max_connections=0,
        embryonic_limit=0,
        udp_connections=0,
        norandomseq=False,
        dns=False,
        place=alias.place,
    )


def naming(alias: Alias, configuration: Configuration) -> Static | None:
    """The static whose hosts an alias is for, if it is there for DNS answers alone.

    Such an alias has hosts learn real addresses of their own side for the mapped ones that a name
    server outside tells them. These must not be led away.

    Args:
        alias: the command.
        configuration: the whole.
    """
    return next(
        (
            each
            for each in configuration.statics
            if each.real_interface == alias.interface
            and each.mapped is not None
            and each.mapped.overlaps(alias.foreign)
            and each.real.overlaps(alias.alternate)
        ),
        None,
    )
