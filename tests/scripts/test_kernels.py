"""scripts/gpu/kernels.py: the largest kernels of a step, rehearsed on a CPU."""

import importlib
import json

from fastscale.home import home


def test_the_largest_kernels_with_their_shares(monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(home().root / "scripts" / "gpu"))
    kernels = importlib.import_module("kernels")
    monkeypatch.setattr("sys.argv", ["kernels", "regnety-tiny", "--batch", "2", "--device", "cpu"])
    kernels.main()
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    shares = [share for _, share, _ in line["kernels"]]
    assert line["network"] == "regnety-tiny" and line["step_s"] > 0
    assert shares == sorted(shares, reverse=True) and 0.3 < sum(shares) <= 1
    assert any("convolution" in name for name, _, _ in line["kernels"])
