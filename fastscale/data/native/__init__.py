"""Images of whole batches by threads of C++, outside the interpreter's lock. Reading order:

    batch.cpp     what a batch is, and the threads that make it
    jpeg.hpp      the part of a JPEG file that a crop needs
    resize.hpp    the crop to its size (area.hpp, linear.hpp; lanes.hpp: their vectors)
    augment.hpp   AutoAugment's operations
    build.py      compiling and loading it
    pool.py       the same for Python

Nothing here imports torch.
"""
