"""A base at another resolution can be named wherever a name is taken."""

import pytest

import fastscale as fs
from fastscale.archs import at_resolution
from fastscale.archs.names import NetworkName, RunName
from fastscale.cli import main


def test_the_name_contains_the_resolution():
    own, sized = fs.arch("regnety-4gf"), fs.arch("regnety-4gf-160px")
    assert (sized.resolution, sized.test_resolution) == (160, 180)  # 272 / 240 of 160, rounded to 4
    assert fs.complexity(sized) == fs.complexity(own, resolution=160)
    scaled = fs.arch("regnety-4gf-160px.dWr-x4")
    assert scaled == fs.scale(sized, "dWr", 4) and scaled.resolution == 172
    assert NetworkName.parse(scaled.name).base == "regnety-4gf-160px"
    assert str(RunName.parse("regnetx-400mf.dds-96px.quick").network) == "regnetx-400mf.dds-96px"
    assert at_resolution(own, 240) == own


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("regnety-4gf-240px", "is regnety-4gf itself: write regnety-4gf"),
        ("regnety-4gf-9999px", "resolution 9,999 is too large"),
        ("regnety-4gf-016px", "no network is named"),
        ("regnety-4gf.dWr-x4-160px", "cannot read"),
        ("nonsense-160px", "no network is named"),
        ("regnety-4gf-160px-96px", "no network is named|resolution"),
    ],
)
def test_a_network_has_one_name(name, message):
    with pytest.raises(fs.InputError, match=message) as error:
        fs.arch(name)
    assert "\n" not in str(error.value)


def test_plan_takes_it(capsys):
    (found,) = fs.plan("regnety-500mf", "dWr", flops=1e9, resolution=160).candidates
    assert found.base == "regnety-500mf-160px" and fs.arch(found.arch.name) == found.arch
    assert 0.97e9 < found.counts.flops <= 1e9
    with pytest.raises(fs.InputError, match="its name fixes its resolution"):
        fs.plan("regnety-500mf.dWr-x2", flops=1e9, resolution=160)
    assert main(["plan", "regnety-500mf", "--resolution", "4", "--flops", "1G"]) == 2
    assert "resolution" in capsys.readouterr().err
