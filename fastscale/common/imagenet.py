"""ImageNet's numbers, once."""

IMAGENET_IMAGES = 1_281_167  # of training
IMAGENET_PIXELS = 224  # the usual resolution, cut from IMAGENET_RESIZED at test time
IMAGENET_RESIZED = 256
# of its R, G, B, on the scale 0 to 255; what is not known of other photographs is taken from here
IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
