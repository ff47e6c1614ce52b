"""Whether an error says that memory did not suffice."""

import torch

# what torch says in a plain RuntimeError: on Windows, on Linux, on a GPU, in cuBLAS and cuDNN
NO_MEMORY = ("not enough memory", "can't allocate memory", "CUDA out of memory", "ALLOC_FAILED")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device's or the host's memory did not suffice, or was raised
    while such an error was handled: a graph that cannot be recorded to its end says only that."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    if isinstance(error, RuntimeError) and any(text in str(error) for text in NO_MEMORY):
        return True
    return error.__context__ is not None and out_of_memory(error.__context__)
