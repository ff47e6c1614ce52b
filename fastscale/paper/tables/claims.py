"""Verdicts in words and as a table: what holds, what does not, what was not measured."""

from collections import Counter
from collections.abc import Sequence

from fastscale.paper.claims import Ours, condition
from fastscale.paper.tables.table import Column, Table, share
from fastscale.paper.verdicts import (
    FAILS,
    HOLDS,
    IN_OTHERS,
    ON_CPU,
    UNDECIDED,
    UNMEASURED,
    Verdict,
    target,
)


def claims_table(found: Sequence[Verdict]) -> Table:
    """One row per verdict."""
    columns = [
        Column("artifact", "artifact", right=False),
        Column("claim", "claim", right=False),
        Column("computed", "the number", right=False, terminal=False),
        Column("paper", "paper prints", _short),
        Column("recomputed", "recomputed", _short),
        Column("recomputed_networks", "networks", terminal=False),
        Column("ours", "ours", _ours, parts=("value", "low", "high", "without_stand_ins")),
        Column("ours_n", "n"),
        Column("where", "measured on", right=False),
        Column("holds_if", "holds if", right=False),
        Column("verdict", "verdict", right=False),
        Column("needs", "needs", right=False, terminal=False),
    ]
    rows = []
    for v in found:
        own = (_value(v.ours), v.ours.n, v.ours.where) if v.ours else (None, None, None)
        rows.append(
            [
                v.artifact,
                v.claim.claim,
                v.claim.computed,
                v.claim.paper,
                v.recomputed,
                v.networks,
                *own,
                condition(v.claim, target(v.claim, v.recomputed)),
                v.verdict,
                v.needs or None,
            ]
        )
    notes = [summary(found), METHOD]
    return Table("claims", "The paper's claims and our verdicts", columns, rows, notes)


def summary(found: Sequence[Verdict]) -> str:
    """How many claims have each verdict; a claim measured on several devices counts once."""
    by_claim: dict[str, list[str]] = {}
    for v in found:
        by_claim.setdefault(v.claim.id, []).append(v.verdict)
    counted = Counter(map(_of_all, by_claim.values()))
    own, others = (
        [
            f"{n} {label[n != 1]}"
            for verdict, label in _LABELS.items()
            if (n := counted[verdict + suffix])
        ]
        for suffix in ("", IN_OTHERS)
    )
    parts = [", ".join(own)] if own else []
    parts += [f"in others' measurements {', '.join(others)}"] if others else []
    s = "s" * (len(by_claim) != 1)
    return f"{len(by_claim)} claim{s}: {'; '.join(parts)}."


def sentences(found: Sequence[Verdict]) -> list[str]:
    """Three sentences: what holds and on which evidence, what does not, what was not measured."""
    holds = [v for v in found if v.verdict == HOLDS]
    fails = [v for v in found if v.verdict == FAILS]
    missing = [v for v in found if v.verdict in (UNMEASURED, ON_CPU)]
    by = Counter(v.ours.where.partition(",")[0] for v in holds if v.ours)
    where = ", ".join(f"{n} {w if w in _COUNTED else f'on {w}'}" for w, n in by.most_common())
    claims = "; ".join(dict.fromkeys(v.claim.claim for v in fails))
    wants = Counter(_want(v.needs) for v in missing if v.needs)
    needs = ", ".join(f"{n} {want}" for want, n in wants.most_common())
    return [
        f"**Holds** ({len(holds)}): {where or 'nothing yet'}.",
        f"**Does not hold** ({len(fails)}): {claims or 'nothing so far'}.",
        f"**Not measured** ({len(missing)}): {needs or 'nothing'}.",
    ]


_COUNTED = ("counted", "closed form")


def _want(needs: str) -> str:
    """What kind of measurement is missing: `device times`, `errors on ImageNet`, `trainings`."""
    if needs.startswith("device time"):
        return "device times"
    return "errors on ImageNet" if "imagenet-" in needs else "trainings of other data sets"


def grouped(found: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Verdicts by heading of claims.md, without empty headings."""
    order = (HOLDS, FAILS, UNDECIDED, HOLDS + IN_OTHERS, FAILS + IN_OTHERS, ON_CPU, UNMEASURED)
    groups = {
        name[:1].upper() + name[1:]: [v for v in found if v.verdict == name] for name in order
    }
    return {name: those for name, those in groups.items() if those}


def evidence(verdict: Verdict) -> str:
    """`Paper 0.99, ours 0.994 (n 19), NVIDIA H100.`, or the measurements that are missing.

    A number that the paper does not print names what it is computed from.
    """
    parts = []
    if (printed := verdict.claim.paper) is not None:
        parts.append(f"paper {_short(printed)}")
    elif verdict.recomputed is not None:
        parts.append(f"from {verdict.claim.measure.origin} {_short(verdict.recomputed)}")
    if (ours := verdict.ours) is not None:
        parts += [f"ours {_ours(_value(ours))} (n {ours.n})", ours.where]
    elif verdict.needs:
        parts.append(f"needs {verdict.needs}")
    text = ", ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _of_all(lines: Sequence[str]) -> str:
    """One verdict for a claim that has one for each of several devices or sizes."""
    found = {line for line in lines if line not in (UNMEASURED, ON_CPU)} or set(lines)
    if len(found) == 1:
        return found.pop()
    if HOLDS in found:
        return IN_PART
    return FAILS if FAILS in found else lines[0]


IN_PART = "holds in part"
# verdict -> (of one claim, of several)
_LABELS = {
    HOLDS: ("holds", "hold"),
    FAILS: ("does not", "do not"),
    IN_PART: ("holds in part only", "hold in part only"),
    UNDECIDED: ("undecided", "undecided"),
    UNMEASURED: ("not measured", "not measured"),
    ON_CPU: ("not measured on an accelerator", "not measured on an accelerator"),
}


def _short(value: float) -> str:
    return share(value) if not isinstance(value, float | int) else f"{value:.3g}"


_Value = tuple[float, float | None, float | None, float | None]


def _value(ours: Ours) -> _Value:
    """(value, low, high, value without stand-ins)."""
    return (ours.value, *(ours.interval or (None, None)), ours.without)


def _ours(value: _Value) -> str:
    ours, low, high, without = value
    if low is not None and high is not None:
        return f"{ours:+.2f} [{low:+.2f}, {high:+.2f}]"
    return _short(ours) + ("" if without is None else f" ({_short(without)})")


METHOD = (
    "A claim holds if our number is within the tolerance of the paper's number. If the paper "
    "prints none, we compute it from published points, or for Fig. 5 and 7 from counts. "
    "A paired difference that changes its sign between sizes is judged at each size. "
    "If our number has a 95 % interval (in brackets), the whole interval must be within the "
    "tolerance; if only a part is, the claim is undecided. For two one-sided tests it is their "
    "90 % interval. "
    "If some times are eager because no CUDA graph was captured, the number without them follows "
    "in parentheses, and both must hold. "
    "The paper's plots hold more points than could be read off, because small networks may hide "
    "each other, so its printed r differs a little from r of the known points. "
    "n: networks behind a correlation or count, runs per network behind a difference or ratio. "
    "Times on a CPU decide nothing: the paper's claims are about memory-bound accelerators."
)
