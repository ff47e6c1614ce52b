"""The default data set: from public urls or Debian's package, always with verified content."""

import gzip
import hashlib
import os
import stat

import numpy as np
import pytest

from fastscale.data import fashion_mnist, source
from fastscale.errors import InputError

COUNTS = {"train": 30, "t10k": 12}


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A small folder like that of the installed package, with its hashes."""
    folder, rng, hashes = tmp_path / "pkg", np.random.default_rng(0), {}
    folder.mkdir()
    for name in fashion_mnist.FILES:
        n = COUNTS[name.split("-")[0]]
        if "images" in name:
            head, body = (
                np.array([2051, n, 28, 28], dtype=">u4"),
                rng.integers(0, 256, (n, 28, 28), dtype=np.uint8),
            )
        else:
            head, body = np.array([2049, n], dtype=">u4"), np.arange(n, dtype=np.uint8) % 10
        content = head.tobytes() + body.tobytes()
        gz = gzip.compress(content, mtime=0)
        (folder / f"{name}.gz").write_bytes(gz)
        hashes[name] = (hashlib.sha256(content).hexdigest(), hashlib.md5(gz).hexdigest())
    monkeypatch.setattr(fashion_mnist, "FILES", hashes)
    monkeypatch.setattr(fashion_mnist, "INSTALLED", tmp_path / "not-installed")
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (f"file://{tmp_path}/dead/",))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "mkdir").symlink_to("/bin/mkdir")
    return folder


def fake_apt(tmp_path, package, *, system: bool = True, private: bool = True):
    """Fake apt-get and dpkg-deb that serve the package.

    `system`, `private`: whether they work with the machine's package lists and with private ones.
    """
    (tmp_path / "bin" / "apt-get").write_text(
        f"""#!/bin/sh
PATH=/bin:/usr/bin
echo "$@" >> {tmp_path}/apt.log
case "$*" in
  *update*) exit 100 ;;
  *Dir::State=*) {"true" if private else "exit 100"} ;;
  *) {"true" if system else "exit 100"} ;;
esac
touch dataset-fashion-mnist_1_all.deb
"""
    )
    target = os.path.relpath(fashion_mnist.INSTALLED, "/")
    (tmp_path / "bin" / "dpkg-deb").write_text(
        f"#!/bin/sh\nPATH=/bin:/usr/bin\nmkdir -p {target} && cp {package}/*.gz {target}/\n"
    )
    for f in (tmp_path / "bin").iterdir():
        if f.name != "mkdir":
            f.chmod(f.stat().st_mode | stat.S_IEXEC)


def check(home):
    s = source("fashion-mnist")
    train, val = s.split("train"), s.split("val")
    assert (len(train), len(val)) == (30, 12) and s.classes[9] == "ankle-boot"
    image, label = val[11]
    assert label == 1 and image.size == (28, 28) and image.mode == "RGB"
    raw = gzip.decompress((home / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    assert val.digest(11) == hashlib.sha256(raw[11 * 784 :]).hexdigest()
    assert (
        np.asarray(image) == np.frombuffer(raw[11 * 784 :], dtype=np.uint8).reshape(28, 28, 1)
    ).all()
    assert sorted(p.name for p in s.home.iterdir()) == [".fetch.lock", "images"], (
        "nothing else is left"
    )


def test_the_installed_package_is_used(package, monkeypatch, lines):
    monkeypatch.setattr(fashion_mnist, "INSTALLED", package)
    source("fashion-mnist").fetch(lines)
    check(package)


@pytest.mark.parametrize("system, calls", [(True, 1), (False, 3)])
def test_apt_fetches_it_without_root_even_with_empty_lists(package, tmp_path, lines, system, calls):
    fake_apt(tmp_path, package, system=system)
    source("fashion-mnist").fetch(lines)
    check(package)
    source("fashion-mnist").fetch(lines)
    assert len((tmp_path / "apt.log").read_text().splitlines()) == calls, "and only once"


@pytest.mark.parametrize("apt", [True, False])
def test_it_comes_from_the_public_urls_without_apt(package, tmp_path, monkeypatch, lines, apt):
    if apt:
        fake_apt(tmp_path, package)
    monkeypatch.setattr(
        fashion_mnist, "MIRRORS", (f"file://{tmp_path}/dead/", f"file://{package}/")
    )
    source("fashion-mnist").fetch(lines)
    check(package)
    assert not (tmp_path / "apt.log").exists()


def test_partial_downloads_are_removed_after_apt_succeeds(package, tmp_path, monkeypatch, lines):
    whole = source("fashion-mnist").home
    whole.mkdir(parents=True)
    for name in ("train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz.part"):
        (whole / name).write_bytes(b"some")
    fake_apt(tmp_path, package)
    source("fashion-mnist").fetch(lines)
    check(package)


def test_no_place_to_download_from_is_one_line(package, tmp_path, lines):
    fake_apt(tmp_path, package, system=False, private=False)
    with pytest.raises(InputError, match="could not fetch train-images") as e:
        source("fashion-mnist").fetch(lines)
    assert "\n" not in str(e.value)
    with pytest.raises(InputError, match="download it with: fastscale data write fashion-mnist"):
        source("fashion-mnist").split("train")


def test_wrong_content_is_refused(package, tmp_path, monkeypatch, lines):
    (package / "t10k-labels-idx1-ubyte.gz").write_bytes(gzip.compress(b"something else"))
    monkeypatch.setattr(fashion_mnist, "MIRRORS", (f"file://{package}/",))
    with pytest.raises(InputError, match="wrong file, deleted"):
        source("fashion-mnist").fetch(lines)
    monkeypatch.setattr(fashion_mnist, "INSTALLED", package)
    with pytest.raises(InputError, match=r"t10k-labels-idx1-ubyte\.gz: content has sha256"):
        source("fashion-mnist").fetch(lines)
    assert not (source("fashion-mnist").home / "images").exists()


def test_damage_is_found_and_repaired(package, monkeypatch, lines):
    monkeypatch.setattr(fashion_mnist, "INSTALLED", package)
    s = source("fashion-mnist")
    s.fetch(lines)
    with open(s.files / "train-images-idx3-ubyte", "r+b") as f:
        f.truncate(1000)
    s.fetch(lines)
    check(package)
    assert any("damaged" in line for line in lines)


def test_the_real_set_has_the_stated_mean_and_std(real_data):
    """On a machine that has downloaded it."""
    s = source("fashion-mnist", real_data)
    if not s.files.is_dir():
        pytest.skip("Fashion-MNIST is not in the data folder")
    pixels = s.split("train").array
    assert pixels.shape == (60000, 28, 28)
    assert pixels.mean(dtype=np.float64) == pytest.approx(s.mean[0], rel=1e-12) and pixels.std(
        dtype=np.float64
    ) == pytest.approx(s.std[0], rel=1e-12)
    expected = "1c00497bf0ae77f6e9c00ba9d87862c8cd306a1d561034c3e1b1e56069a091cb"
    assert s.split("train").list_digest() == expected
