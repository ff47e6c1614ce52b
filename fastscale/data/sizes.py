"""How large the named data sets are, for plans and sums that read no image."""

from fastscale.common import IMAGENET_IMAGES
from fastscale.errors import InputError

SIZES = {  # training images, classes
    "imagenet": (IMAGENET_IMAGES, 1000),
    "fashion-mnist": (60_000, 10),
    "cifar10": (50_000, 10),
    "imagenette": (9_469, 10),
}


def epoch_of(data: str, images: int | None, classes: int | None) -> tuple[int, int]:
    """Training images and classes of `data`: as given, else those of the data set of that name.

    InputError where a size is neither given nor known: ImageNet's would be another data set's.

    >>> epoch_of("cifar10", None, None), epoch_of("mine", 320, 5)
    ((50000, 10), (320, 5))
    """
    found = (images, classes)
    if known := SIZES.get(data):
        found = tuple(k if g is None else g for g, k in zip(found, known, strict=True))  # type: ignore[assignment]
    if found[0] is None or found[1] is None:
        raise InputError(
            f"data {data[:60]!r}: its size is not known here: give its images and classes "
            f"(known: {', '.join(SIZES)})"
        )
    return found[0], found[1]
