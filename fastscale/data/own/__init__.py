"""The FFCV loader in a separate process, so that its Python cannot delay the launch of a step.

Reading order:

    ring      shared memory for whole batches
    child     the loader process: a GuardedLoader that decodes into the ring
    loader    the side of the training process: batches, errors, slots returned to the child

The child sends (slot, images) for a batch that is ready. The parent returns the slot when nobody
holds the batch and, on a GPU, when its copy to the device is done.
"""
