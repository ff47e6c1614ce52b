"""From images to batches: sources, `.beton` files, loaders and a LightningDataModule.

The three loaders have the same semantics. Reading order:

    paths, images, source_kinds, sources (scan, folder, ...)    where images come from
    info, beton, beton_file, encode, write, upgrade             how they are stored
    identity, listing, stale, verify                            whether the store matches its source
    framing, epochs, augment, decoding (native)                 what is in a batch
    ffcv_loader, own, plain_loader, workers                     the loaders
    cut_batch, resident                                         a data set kept on the device
    choice, module                                              choosing a loader

Importing this package is cheap: torch, Lightning and FFCV are imported only when they are needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastscale.lazy import lazy

if TYPE_CHECKING:
    from fastscale.data.beton import BetonInfo, check_beton, read_info
    from fastscale.data.framing import Framing
    from fastscale.data.images import ImageSet
    from fastscale.data.module import ImageData
    from fastscale.data.paths import beton_folder, data_root
    from fastscale.data.source_kinds import Source
    from fastscale.data.sources import SOURCES, source
    from fastscale.data.write import BrokenImages, prepare

_HOMES = {
    "paths": ("beton_folder", "data_root"),
    "images": ("ImageSet",),
    "source_kinds": ("Source",),
    "sources": ("SOURCES", "source"),
    "beton": ("BetonInfo", "check_beton", "read_info"),
    "write": ("BrokenImages", "prepare"),  # not write itself: a submodule has that name
    "framing": ("Framing",),
    "module": ("ImageData",),
}
__all__ = [
    "SOURCES",
    "BetonInfo",
    "BrokenImages",
    "Framing",
    "ImageData",
    "ImageSet",
    "Source",
    "beton_folder",
    "check_beton",
    "data_root",
    "prepare",
    "read_info",
    "source",
]

__getattr__ = lazy(__name__, _HOMES)
