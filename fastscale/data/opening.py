"""Opens a written split for training or evaluation, with every check before it is read."""

from fastscale.common import say_once
from fastscale.data.beton import Index, damaged, of_version_1, read_both
from fastscale.data.info import BetonInfo
from fastscale.data.source_kinds import Source
from fastscale.data.stale import changed
from fastscale.errors import InputError


def open_split(source: Source, split: str, stale_is_ok: bool = False) -> tuple[BetonInfo, Index]:
    """Description and index of a source's written split.

    InputError, with the command that fixes it, if the split is missing, damaged, of another
    source, of an earlier version or older than its images. `stale_is_ok`: print a line instead if
    it is older than its images.
    """
    path = source.betons / f"{split}.beton"
    info, index = read_both(path, source.command, old=True)
    command = source.command_for(info.settings)
    if (info.source, info.split) != (source.name, split):
        raise InputError(
            f"{path}: contains {info.source} {info.split}; rewrite it with: {source.command}"
        )
    if info.version == 1:
        raise of_version_1(path, command)
    if damaged(path, info, index):
        raise InputError(
            f"{path}: damaged, its image data differs from what was written; "
            f"rewrite it with: {command}"
        )
    if what := changed(source, info):
        line = f"{path}: its source has changed since it was written: {what}"
        if not stale_is_ok:
            raise InputError(
                f"{line}; update it with: {command}, or use what is stored: --data.stale ok"
            )
        say_once(f"{line}; using what is stored (stale: ok)")
    return info, index
