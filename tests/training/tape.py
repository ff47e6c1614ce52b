"""A stand-in for a CUDA graph on the CPU: it records operations, undoes them, and replays them.

As in a graph, Python's numbers are fixed by recording, tensors are read and written at their
addresses, and reading a tensor's value is an error.
"""

from contextlib import contextmanager

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

READS = ("_local_scalar_dense", "is_nonzero", "equal")
BATCH_NORM = (3, 4)  # arguments that are running statistics; its schema hides that it writes them


class _Recorder(TorchDispatchMode):
    def __init__(self):
        super().__init__()
        self.done, self.before, self.made = [], {}, set()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ in READS:
            raise RuntimeError(f"{func} reads a value while a graph is recorded")
        written = set()
        for i, argument in enumerate(func._schema.arguments):
            write = argument.alias_info is not None and argument.alias_info.is_write
            if write or (i in BATCH_NORM and "batch_norm" in str(func) and "back" not in str(func)):
                value = args[i] if i < len(args) else kwargs.get(argument.name)
                written |= {t for t in tree_flatten(value)[0] if isinstance(t, torch.Tensor)}
        for t in written:
            if t.untyped_storage().data_ptr() not in self.made and t not in self.before:
                self.before[t] = t.detach().clone()
        out = func(*args, **kwargs)
        aliases = any(r.alias_info is not None for r in func._schema.returns)
        outs = [] if aliases else [t for t in tree_flatten(out)[0] if isinstance(t, torch.Tensor)]
        self.made |= {t.untyped_storage().data_ptr() for t in outs}
        if written or not aliases:  # a view stays one
            self.done.append((func, args, kwargs, outs))
        return out


class Tape:
    """The parts of torch.cuda.CUDAGraph that are used here."""

    def pool(self):
        return None

    @contextmanager
    def recording(self):
        with _Recorder() as recorder:
            yield
        for tensor, value in recorder.before.items():
            tensor.detach().copy_(value)
        self.done = recorder.done

    def replay(self):
        with torch.no_grad():
            for func, args, kwargs, outs in self.done:
                new = tree_flatten(func(*args, **kwargs))[0]
                if outs:
                    for kept, value in zip(outs, filter(torch.is_tensor, new), strict=True):
                        kept.detach().copy_(value)


@contextmanager
def graph(tape, pool=None, capture_error_mode="global"):
    """Stands in for torch.cuda.graph."""
    assert capture_error_mode == "thread_local"
    with tape.recording():
        yield


class Stream:
    """A stream that is always up to date."""

    def __init__(self, device=None):
        pass

    def wait_stream(self, other):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        pass


def on_cpu(monkeypatch):
    """Replaces the parts of torch.cuda that a capture uses."""
    for name, value in {
        "CUDAGraph": Tape,
        "graph": graph,
        "Stream": Stream,
        "current_stream": Stream,
        "stream": lambda stream: stream,
        "synchronize": lambda device=None: None,
        "get_rng_state": lambda device=None: torch.get_rng_state(),
        "set_rng_state": lambda state, device=None: torch.set_rng_state(state),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
