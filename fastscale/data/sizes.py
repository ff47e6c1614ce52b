"""How large the named data sets are, for plans and sums that read no image."""

IMAGENET = (1_281_167, 1000)  # training images, classes
SIZES = {
    "imagenet": IMAGENET,
    "fashion-mnist": (60_000, 10),
    "cifar10": (50_000, 10),
    "imagenette": (9_469, 10),
}
