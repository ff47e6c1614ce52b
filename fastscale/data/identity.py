"""The identity of a data set: a hash of images, labels, class names and the stored form.

Data sets that would train differently never share a hash. The stored form counts only if storing
changed pixels. Scheme 2 is written `2:<sha256>`. Hashes without a prefix are of scheme 1, which
covered the bytes of the images alone; they are still computed to compare old records.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

SCHEME = "2:"


def labels_digest(labels: np.ndarray | Sequence[int]) -> str:
    """sha256 of the ordered labels as little-endian 64-bit integers."""
    return hashlib.sha256(np.asarray(labels, dtype="<i8").tobytes()).hexdigest()


def combined_hash(train: str, val: str) -> str:
    """Scheme 1: one hash of the two splits' list digests."""
    return hashlib.sha256(f"{train}\n{val}\n".encode()).hexdigest()


def data_hash(
    classes: Sequence[str], splits: Mapping[str, tuple[str, str]], stored: Mapping[str, Any]
) -> str:
    """Scheme 2: one hash of class names, splits and stored form.

    `classes` in label order; `splits`: (list digest, labels digest) of each; `stored`: {} if no
    pixel was changed.
    """
    content: dict[str, Any] = {"classes": list(classes), "splits": {**splits}}
    if stored:
        content["stored"] = {**stored}
    text = json.dumps(content, sort_keys=True, ensure_ascii=True)
    return SCHEME + hashlib.sha256(text.encode()).hexdigest()
