"""Routes: `route`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network

from appliance.config.command import FREE, Command, unimplemented
from appliance.config.draft import Draft, Use
from appliance.config.grammar import Argument, Arguments, Options, Sequence
from appliance.config.kinds import ADDRESS, INTERFACE, NETMASK, Integer
from appliance.config.model import Configuration, Route


def _route(arguments: Arguments) -> Route:
    address = arguments.need("address", IPv4Address)
    network = IPv4Network((address, arguments.need("netmask", int)), strict=False)
    return Route(
        interface=arguments.need("interface", str),
        network=network,
        gateway=arguments.get("gateway", IPv4Address) or IPv4Address(0),
        metric=arguments.get("metric", int) or 1,
        place=arguments.place,
    )


def _enter_route(draft: Draft, arguments: Arguments) -> None:
    route = _route(arguments)
    if int(route.gateway) == 0 or route.gateway.is_multicast:
        raise arguments.refusal(
            "gateway", f"{route.gateway} cannot be a gateway", "expected: the address of a router"
        )
    written = arguments.need("address", IPv4Address)
    if written != route.network.network_address:
        draft.warn_of_host_bits(arguments.where("address"), written, route.network)
    if any(other == route for other, _ in draft.routes):
        draft.warn(arguments.place, "this route exists already", "it changes nothing")
        return
    draft.routes.append((route, Use(route.interface, arguments.where("interface"))))


def _undo_route(draft: Draft, arguments: Arguments) -> None:
    wanted = _route(arguments)
    any_gateway = arguments.get("gateway", IPv4Address) is None

    def key(route: Route) -> Route:
        gateway = wanted.gateway if any_gateway else route.gateway
        return replace(route, gateway=gateway, metric=1)

    draft.routes = arguments.without(
        draft.routes, lambda each: key(each[0]) == key(wanted), "route"
    )


def _print_routes(configuration: Configuration) -> Iterator[str]:
    for route in configuration.routes:
        network = route.network.with_netmask.replace("/", " ")
        yield f"route {route.interface} {network} {route.gateway} {route.metric}"


_NETWORK = (
    Argument("interface", INTERFACE),
    Argument("address", ADDRESS),
    Argument("netmask", NETMASK),
)
_METRIC = Options(Argument("metric", Integer(1, 255, "METRIC")))

_NOT_LEARNT = "no route is learnt or announced: write `route` for what is not directly attached"

COMMANDS = (
    Command(
        "route",
        "the way to a network",
        _enter_route,
        Sequence(*_NETWORK, Argument("gateway", ADDRESS), _METRIC),
        _undo_route,
        Sequence(*_NETWORK, Options(Sequence(Argument("gateway", ADDRESS), _METRIC))),
        printed=_print_routes,
    ),
    unimplemented(
        "rip",
        "learn or announce routes",
        _NOT_LEARNT,
        public=(
            r"\S+ (?:default|passive)(?: version [12])?(?: authentication (?:text|md5) (\S+) \d+)?",
        ),
    ),
    unimplemented(
        "router",
        "learn or announce routes",
        _NOT_LEARNT,
        public=(r"(?!.*key).*",),
        opens=FREE,
    ),
)
