"""A written split, opened for training or evaluation: what is wrong with it is said before it is read."""

from fastscale.data.beton import Index, damaged, read_both
from fastscale.data.choice import say_once
from fastscale.data.info import BetonInfo
from fastscale.data.source_kinds import Source
from fastscale.data.stale import changed
from fastscale.errors import InputError


def open_split(source: Source, split: str, stale_is_ok: bool = False) -> tuple[BetonInfo, Index]:
    """Description and index of a source's written split. InputError in one line, with the command
    that mends it, where it is missing, damaged, of another source, of an earlier version, or (unless
    `stale_is_ok`, which says so once) older than its images."""
    path = source.betons / f"{split}.beton"
    info, index = read_both(path, source.command, old=True)
    command = source.command_for(info.settings)
    if (info.source, info.split) != (source.name, split):
        raise InputError(
            f"{path}: holds {info.source} {info.split}; make it again with: {source.command}"
        )
    if info.version == 1:
        raise InputError(
            f"{path}: written by an earlier version, which did not keep labels and stored form; "
            f"bring it up to date (what proves to match is not encoded again) with: {command}"
        )
    if damaged(path, info, index):
        raise InputError(
            f"{path}: damaged, its image data is not what was written; "
            f"make it again with: {command}"
        )
    if what := changed(source, info):
        line = f"{path}: its source has changed since it was written: {what}"
        if not stale_is_ok:
            raise InputError(
                f"{line}; bring it up to date with: {command}, "
                "or go on with what is stored: --data.stale ok"
            )
        say_once(f"{line}; going on with what is stored (stale: ok)")
    return info, index
