"""`scale`: a base network grown by a strategy, with the authors' rounding."""

from dataclasses import replace
from typing import Any

from fastscale.archs import AnyNet, Arch, EffNet
from fastscale.archs.compatibility import compatible_stages
from fastscale.scaling.strategy import Strategy


def factor_text(factor: float) -> str:
    """The fewest digits, of twelve or more, that read back as exactly this factor.

    >>> factor_text(4.0), factor_text(1.2345678), factor_text(4 / 3)
    ('4', '1.2345678', '1.3333333333333333')
    """
    short = f"{factor:.12g}"
    return short if float(short) == factor else repr(float(factor))


def scaled_name(base: str, strategy: Strategy, factor: float) -> str:
    """`<base>.<strategy>-x<factor>`: the only place where such a name is made."""
    return f"{base}.{strategy.name}-x{factor_text(factor)}"


def round_width(width: float) -> int:
    """Nearest multiple of 8, at least 8."""
    return max(1, round(width / 8)) * 8


def round_group_width(g: float) -> int:
    """Whole and at least 1; then 1 and 2 stay, 3 to 5 become 4, larger ones the nearest multiple of 8."""
    g = max(1, round(g))
    return g if g <= 2 else 4 if g <= 5 else round(g / 8) * 8


def round_resolution(resolution: float) -> int:
    """Nearest multiple of 4 pixels."""
    return round(resolution / 4) * 4


def scale(base: Arch, strategy: str | Strategy, factor: float) -> Arch:
    """`base` grown to about `factor` times its flops by `strategy`: a new arch named `<base>.<strategy>-x<factor>`.

    Depths `max(1, round(d * f_d))`, widths and group widths as the functions above, made compatible; train and test resolution by
    the same multiplier. RegNets keep stem and head width, EfficientNets scale both. Python's `round` (half to even), as the authors'.
    InputError for an unknown strategy, a factor <= 0 or not finite, or a result that no network can have.
    """
    strategy = Strategy.parse(strategy)
    f_d, f_w, f_r, f_g = strategy.multipliers(factor)
    common: dict[str, Any] = {
        "name": scaled_name(base.name, strategy, factor),
        "depths": tuple(max(1, round(d * f_d)) for d in base.depths),
        "resolution": round_resolution(base.resolution * f_r),
        "test_resolution": round_resolution(base.test_resolution * f_r),
    }
    widths = tuple(round_width(w * f_w) for w in base.widths)
    if isinstance(base, EffNet):
        return replace(
            base,
            **common,
            widths=widths,
            stem_width=round_width(base.stem_width * f_w),
            head_width=round_width(base.head_width * f_w),
        )
    return _scale_anynet(base, common, widths, f_g)


def _scale_anynet(
    base: AnyNet, common: dict[str, Any], widths: tuple[int, ...], f_g: float
) -> AnyNet:
    if base.grouped:
        group_widths = tuple(round_group_width(g * f_g) for g in base.group_widths)
    else:  # a plain 3x3 conv stays plain: one group, as wide as its bottleneck
        group_widths = tuple(
            max(1, round(w * b)) for w, b in zip(widths, base.bottleneck_ratios, strict=True)
        )
    widths, group_widths = compatible_stages(widths, base.bottleneck_ratios, group_widths)
    return replace(base, **common, widths=widths, group_widths=group_widths)
