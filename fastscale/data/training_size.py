"""The number of a source's training images, without making a data module."""

from contextlib import suppress

from fastscale.data.beton import read_info
from fastscale.data.source_kinds import Source
from fastscale.errors import InputError


def training_size(source: Source) -> int:
    """The number of written training images, else of the source's. InputError if neither exists."""
    with suppress(InputError):
        return read_info(source.betons / "train.beton").count
    return len(source.split("train"))
