"""Changing moto's classes where they stand, keeping what was there."""

from collections.abc import Callable
from functools import wraps
from typing import Any


def wrap(owner: type, name: str) -> Callable[[Callable], Callable]:
    """Replaces `owner.name`; the new function gets the old one as its first argument."""

    def install(fn: Callable) -> Callable:
        original = getattr(owner, name)

        @wraps(original)
        def replacement(self: Any, *args: Any, **kwargs: Any) -> Any:
            return fn(original, self, *args, **kwargs)

        setattr(owner, name, replacement)
        return fn

    return install


def add(owner: type) -> Callable[[Callable], Callable]:
    """Adds a method (an action, for a response class) under the function's own name."""

    def install(fn: Callable) -> Callable:
        setattr(owner, fn.__name__, fn)
        return fn

    return install


def prop(owner: type, name: str) -> Callable[[Callable], property]:
    """Replaces an attribute by a read-only property; what moto assigns to it is dropped."""

    def install(fn: Callable) -> property:
        made = property(fn, lambda self, value: self.__dict__.__setitem__(f"_moto_{name}", value))
        setattr(owner, name, made)
        return made

    return install


def plain(value: Any) -> dict[str, Any]:
    """A parsed request structure as an ordinary dict; moto's own answer to any spelling."""
    return value.original_dict() if hasattr(value, "original_dict") else dict(value)
