"""The FFCV loader in a process of its own, so that the thread which launches the step never waits for the loader's Python. Reading order:

    ring      the memory that both processes see: whole batches
    child     the process: a GuardedLoader that decodes into the ring
    loader    the training process's side: batches, errors, slots that go back

The child sends (slot, images) for a batch that is ready; the parent sends a slot back when nobody holds the batch and, on a GPU, when its
copy to the device is done.
"""
