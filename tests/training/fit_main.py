"""The `fastscale` command with hooks for tests; a script, because each process of a run starts it.

TEST_SEEN=FOLDER: writes down which training images each process sees, in order.
TEST_KILL=RANK:STEP:SIGNAL: sends a signal at the start of a step.
"""

import os
import signal
import sys

from fastscale.cli import main
from fastscale.data.framing import Framing
from fastscale.training.classifier import ImageClassifier

RANK = int(os.environ.get("LOCAL_RANK", "0"))


def write_down(folder):
    original = Framing.boxes  # every loader draws its crops here, for some images at a time

    def boxes(self, epoch, indices, *sizes):
        if self.train:
            with open(f"{folder}/rank{RANK}.txt", "a") as file:
                print(epoch, *indices, file=file)
        return original(self, epoch, indices, *sizes)

    Framing.boxes = boxes


def kill(rank, step, number):
    def on_train_batch_start(self, batch, batch_idx):
        if (RANK, self.global_step) == (int(rank), int(step)):
            os.kill(os.getpid(), getattr(signal, number))

    ImageClassifier.on_train_batch_start = on_train_batch_start


if __name__ == "__main__":
    if "TEST_SEEN" in os.environ:
        write_down(os.environ["TEST_SEEN"])
    if "TEST_KILL" in os.environ:
        kill(*os.environ["TEST_KILL"].split(":"))
    sys.exit(main())
