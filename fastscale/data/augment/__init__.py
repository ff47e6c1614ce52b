"""AutoAugment and RandAugment of training images, after crop, resize and flip. Reading order:

    policy    which operations an image gets: the published tables, the ranges, the draws
    pillow    the operations as PIL does them: the definition, and the plain loader's
    numbers   what they are in tables, matrices and weights
    fast      the same operations by OpenCV and numba (kernels: their inner loops), for machines without a
              C++ compiler; elsewhere the FFCV loader has them compiled (native/augment.hpp)

What is ours to choose, and chosen: geometric operations take the nearest pixel, and grey (128, 128, 128) where there is none, as the
official code of EfficientNet does (torchvision: nearest, black by default; timm: bilinear or bicubic by chance; the paper's authors'
pycls: bilinear, the same grey).
"""
