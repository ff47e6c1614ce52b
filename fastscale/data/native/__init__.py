"""C++ threads that make whole batches without the GIL. Reading order:

    batch.cpp     batches and the threads that make them
    jpeg.hpp      decodes the part of a JPEG file that a crop needs
    resize.hpp    resizes the crop (area.hpp, linear.hpp; their vectors: lanes.hpp)
    augment.hpp   AutoAugment's operations
    build.py      compiles and loads the library
    pool.py       its Python interface

Nothing here imports torch.
"""
