"""Checks of values from files that anybody may have written. Nothing here imports torch."""

from typing import Any

MOST_VALUES = 100_000  # of settings: a small file can name the same list a million times


def is_plain(value: object, depth: int = 4) -> bool:
    """Whether it consists of None, bools, texts, finite numbers, and lists and dicts of these.

    At most `depth` levels and 100,000 values.
    """
    level, count = [value], 1
    for below in range(depth, -1, -1):
        inner: list[Any] = []
        for v in level:
            if below and isinstance(v, list | tuple | dict):
                if isinstance(v, dict) and not all(type(k) is str for k in v):
                    return False
                count += len(v)
                if count > MOST_VALUES:
                    return False
                inner += v.values() if isinstance(v, dict) else v
            elif v is not None and type(v) not in (str, bool) and not is_number(v):
                return False
        level = inner
    return True


def is_number(value: object, least: float = -1e12, most: float = 1e12) -> bool:
    """Whether it is a number in that range; NaN, infinity and huge integers are not."""
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_whole(value: object, least: int, most: int) -> bool:
    """Whether it is a whole number in that range."""
    return type(value) is int and least <= value <= most


def is_error(name: object, value: object) -> bool:
    """Whether these are the name and value of an error in %."""
    return isinstance(name, str) and "_error" in name and is_number(value, 0, 100)


def is_channels(value: object, least: float = 0.0) -> bool:
    """Whether it is a mean (or with `least` above 0 a std) of R, G, B on the scale 0 to 255."""
    return (
        isinstance(value, list | tuple)
        and len(value) == 3
        and all(is_number(v, least, 255) for v in value)
    )


def is_texts(value: object) -> bool:
    """Whether it is a list of texts, or None."""
    return value is None or (
        isinstance(value, list | tuple) and all(isinstance(v, str) for v in value)
    )
