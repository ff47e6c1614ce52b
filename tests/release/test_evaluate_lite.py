"""evaluate_lite.py counts right: among all outputs, among five, and among the data's classes."""

import torch

import fastscale as fs
from fastscale.release.importing import ImportedWeights
from scripts.evaluate_lite import score


def test_errors_are_those_of_the_outputs():
    torch.manual_seed(0)
    net = fs.build("regnetx-tiny", 12).eval()
    mean, std = (100.0, 110.0, 120.0), (50.0, 60.0, 70.0)
    weights = ImportedWeights("regnetx-tiny", net.state_dict(), 12, mean, std, None, "a test", None)
    batches = [
        (torch.randint(0, 256, (n, 3, 32, 32), dtype=torch.uint8), torch.randint(0, 3, (n,)))
        for n in (20, 7)
    ]
    outputs = (7, 2, 11)  # label k is this output
    found = score(weights, batches, outputs)
    right, n = [0, 0, 0], 0
    for images, labels in batches:
        pixels = (images - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
        for logits, label in zip(net(pixels).detach(), labels.tolist(), strict=True):
            order = logits.argsort(descending=True).tolist()
            among = max(outputs, key=lambda k: float(logits[k]))
            for place, hit in enumerate(
                (order[0] == outputs[label], outputs[label] in order[:5], among == outputs[label])
            ):
                right[place] += hit
            n += 1
    assert n == found["images"] == 27
    assert [found[k] for k in ("top1_error", "top5_error", "top1_error_among")] == [
        round(100 * (1 - r / n), 4) for r in right
    ]
