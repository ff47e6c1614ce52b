"""Other projects' weights under our names, every tensor accounted for: pycls (the authors' zoo), timm, torchvision, EfficientNet-Lite."""

from fastscale.release.importing.convert import (
    ImportedWeights,
    import_file,
    import_tensors,
    recognise,
)
from fastscale.release.importing.names import FORMATS

__all__ = ["FORMATS", "ImportedWeights", "import_file", "import_tensors", "recognise"]
