"""How many training images a source has, before a data module is made of it."""

from contextlib import suppress

from fastscale.data.beton import read_info
from fastscale.data.source_kinds import Source
from fastscale.errors import InputError


def training_size(source: Source) -> int:
    """Of what is written, else of the images themselves. InputError where neither is here."""
    with suppress(InputError):
        return read_info(source.betons / "train.beton").count
    return len(source.split("train"))
