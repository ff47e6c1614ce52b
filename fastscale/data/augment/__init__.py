"""AutoAugment and RandAugment of training images, after crop, resize and flip. Reading order:

    policy    which operations an image gets: the published tables, ranges and draws
    pillow    the operations through PIL: the definition, used by the plain loader
    numbers   their lookup tables, matrices and weights
    fast      the same operations with OpenCV and numba (inner loops in kernels), for machines
              without a C++ compiler; elsewhere the FFCV loader uses native/augment.hpp

The papers leave interpolation open. As in EfficientNet's official code, geometric operations take
the nearest pixel and fill with grey (128, 128, 128). Others: torchvision, nearest and black by
default; timm, bilinear or bicubic at random; the authors' pycls, bilinear and the same grey.
"""
