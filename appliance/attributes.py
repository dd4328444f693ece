"""What objects of a class consist of, whether the class is compiled or not."""

from __future__ import annotations


def attribute_names(of: type) -> tuple[str, ...]:
    """The names of the attributes of a named tuple or of a class with slots.

    Args:
        of: the class.
    """
    kept = ("_fields", "__mypyc_attrs__", "__slots__")  # the second where it is compiled
    return next((tuple(getattr(of, name)) for name in kept if hasattr(of, name)), ())
