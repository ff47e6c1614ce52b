"""Imagenette (Howard, fast.ai): ten easy classes of ImageNet, 9,469 + 3,925 photographs.

The edition whose shorter side is 320 pixels.
"""

from __future__ import annotations

import os

from fastscale.data.paths import data_root
from fastscale.data.public_archive import PublicArchive

ARCHIVE = "imagenette2-320.tgz"


class Imagenette(PublicArchive):
    """The public archive; for another edition use `imagenette:/path`."""

    urls = (f"https://s3.amazonaws.com/fast-ai-imageclas/{ARCHIVE}",)
    sha256 = "569b4497c98db6dd29f335d1f109cf315fe127053cedf69010d047f0188e158c"
    md5 = "3df6f0d01a2c9592104656642f5e78a3"
    folder = "imagenette2-320"

    def __init__(self, spec: str = "imagenette", data_dir: str | os.PathLike[str] | None = None):
        super().__init__(data_root(data_dir) / "imagenette" / ARCHIVE, "imagenette", spec, data_dir)
