"""`fastscale`, with what a test wants to see or to break; a script of its own, because every process of a run starts it again.

TEST_SEEN=FOLDER: which training images each process decodes, a line a batch. TEST_KILL=RANK:STEP:SIGNAL: a signal at the start of a step.
"""

import os
import signal
import sys

from fastscale.cli import main
from fastscale.data import ffcv_loader
from fastscale.training.classifier import ImageClassifier

RANK = int(os.environ.get("LOCAL_RANK", "0"))


def write_down(folder):
    original = ffcv_loader.Decode.generate_code

    def generate_code(self):
        decode = original(self)

        def noted(indices, *rest):
            if self.framing.train:
                with open(f"{folder}/rank{RANK}.txt", "a") as file:
                    print(self.local.epoch, *indices, file=file)
            return decode(indices, *rest)

        return noted

    ffcv_loader.Decode.generate_code = generate_code


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
