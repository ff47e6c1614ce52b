"""The sizes of the named data sets, for plans and estimates that read no images."""

from fastscale.common import IMAGENET_IMAGES
from fastscale.errors import InputError

SIZES = {  # training images, classes
    "imagenet": (IMAGENET_IMAGES, 1000),
    "fashion-mnist": (60_000, 10),
    "cifar10": (50_000, 10),
    "imagenette": (9_469, 10),
}


def epoch_of(data: str, images: int | None, classes: int | None) -> tuple[int, int]:
    """Training images and classes of `data`: as given, else those of the named data set.

    InputError if a size is neither given nor known; ImageNet's is never assumed.

    >>> epoch_of("cifar10", None, None), epoch_of("mine", 320, 5)
    ((50000, 10), (320, 5))
    """
    if known := SIZES.get(data):
        images = known[0] if images is None else images
        classes = known[1] if classes is None else classes
    if images is None or classes is None:
        raise InputError(
            f"data {data[:60]!r}: its size is not known here: give its images and classes "
            f"(known: {', '.join(SIZES)})"
        )
    return images, classes
