"""Writing what is drawn."""

from pathlib import Path

from fastscale.common import write_whole


def write_text(path: Path, text: str) -> Path:
    """Writes UTF-8 text with plain newlines, its folder made when needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_whole(path, text)
