"""Imports weights of pycls (the authors' zoo), timm, torchvision and EfficientNet-Lite.

Every tensor must be accounted for.
"""

from fastscale.release.importing.convert import (
    ImportedWeights,
    import_file,
    import_tensors,
    recognise,
)
from fastscale.release.importing.names import FORMATS

__all__ = ["FORMATS", "ImportedWeights", "import_file", "import_tensors", "recognise"]
