"""AutoAugment and RandAugment of training images, after crop, resize and flip. Reading order:

    policy    which operations an image gets: the published tables, the ranges, the draws
    pillow    the operations as PIL does them: the definition, and the plain loader's
    fast      the same operations, outside the interpreter lock (kernels: their inner loops): the FFCV loader's

What is ours to choose, and chosen: geometric operations take the nearest pixel, and grey (128, 128, 128) where there is none, as the
official code of EfficientNet does (torchvision: nearest, black by default; timm: bilinear or bicubic by chance; the paper's authors'
pycls: bilinear, the same grey).
"""
