"""Constants of ImageNet."""

IMAGENET_IMAGES = 1_281_167  # for training
IMAGENET_PIXELS = 224  # the usual resolution, cut from IMAGENET_RESIZED at test time
IMAGENET_RESIZED = 256
# of R, G, B on the scale 0 to 255; also used for photographs whose statistics are unknown
IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)
