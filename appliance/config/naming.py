"""The names of class maps and policy maps, which maps of all types share.

As Cisco's CLI configuration guide has it (chapter "Modular Policy Framework").
"""

from __future__ import annotations

from collections.abc import Container

from appliance.config.draft import Draft
from appliance.config.grammar import Arguments


def claim_class(draft: Draft, arguments: Arguments, own: Container[str]) -> str:
    """The name of a class map that is defined.

    Args:
        draft: what has been said so far.
        arguments: the command's, with that name as "name".
        own: the names of its type.

    Raises:
        Refusal: a class map of another type has it.
    """
    return _claim(arguments, own, draft.class_maps, draft.regex_classes, draft.esmtp_classes)


def claim_policy(draft: Draft, arguments: Arguments, own: Container[str]) -> str:
    """The same of a policy map."""
    return _claim(arguments, own, draft.policy_maps, draft.esmtp_maps)


def _claim(arguments: Arguments, own: Container[str], *all_types: Container[str]) -> str:
    name = arguments.need("name", str)
    if name not in own and any(name in names for names in all_types):
        raise arguments.refusal(
            "name",
            f"{name} is of another type",
            "maps of all types share their names: choose another one",
        )
    return name
