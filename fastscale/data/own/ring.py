"""Shared memory for whole batches: slots of images and labels. It has no name: it goes with the processes that see it."""

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
    """`slots` times room for `images` images of (side, side, 3) uint8 and their labels; OSError where the memory cannot be had.

    `descriptor`: of the memory, for the process that is to see it too (there: given, and closed).
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
        """Closes the descriptor; the memory stays while an array of it is held."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1

    def pixels(self, slot: int, images: int, side: int) -> np.ndarray:
        """(images, side, side, 3) uint8 of a slot: an array of its own, whose end can be seen."""
        start, size = slot * self.slot_bytes, images * side * side * 3
        part = self.memory[start : start + size].data
        return np.frombuffer(part, dtype=np.uint8).reshape(images, side, side, 3)

    def labels(self, slot: int, images: int) -> np.ndarray:
        """(images,) int64 of a slot."""
        start = slot * self.slot_bytes + self.room
        return self.memory[start : start + images * 8].view(np.int64)
