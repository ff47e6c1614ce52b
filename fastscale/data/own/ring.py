"""Shared memory for whole batches: slots of images and labels.

It has no name, so it is freed with the processes that map it.
"""

from __future__ import annotations

import mmap
import os

import numpy as np

PAGE = 4096


def slot_layout(images: int, side: int) -> tuple[int, int]:
    """Bytes from a slot's start to its labels, and of the slot."""
    labels = -(-images * side * side * 3 // PAGE) * PAGE
    return labels, labels + -(-images * 8 // PAGE) * PAGE


class Ring:
    """Slots with room for `images` images of (side, side, 3) uint8 and their labels each.

    `descriptor`: the file descriptor of the memory. The second process passes it, and it is closed
    there. OSError if there is too little memory.
    """

    def __init__(self, slots: int, images: int, side: int, descriptor: int | None = None):
        self.room, self.slot_bytes = slot_layout(images, side)
        size = slots * self.slot_bytes
        if descriptor is None:
            self.descriptor = os.memfd_create("fastscale-batches", os.MFD_CLOEXEC)
            os.ftruncate(self.descriptor, size)
        else:
            self.descriptor = descriptor
        try:
            self.memory = np.frombuffer(mmap.mmap(self.descriptor, size), dtype=np.uint8)
        finally:
            if descriptor is not None:
                self.close()

    def close(self) -> None:
        """Close the descriptor. The memory stays while an array of it is held."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def pixels(self, slot: int, images: int, side: int) -> np.ndarray:
        """(images, side, side, 3) uint8 of a slot: a new array, which `finalize` can watch."""
        start, size = slot * self.slot_bytes, images * side * side * 3
        part = self.memory[start : start + size].data
        return np.frombuffer(part, dtype=np.uint8).reshape(images, side, side, 3)

    def labels(self, slot: int, images: int) -> np.ndarray:
        """(images,) int64 of a slot."""
        start = slot * self.slot_bytes + self.room
        return self.memory[start : start + images * 8].view(np.int64)
