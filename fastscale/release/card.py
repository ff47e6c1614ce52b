"""The text beside a released checkpoint, made from its manifest entry and records alone, and the index of all of them."""

import shlex
from collections.abc import Sequence

from fastscale.data.sources import SOURCES
from fastscale.records import Record
from fastscale.release.manifest import Entry


def percent(error: dict) -> str:
    """`13.87 (mean of 3 runs 13.79, std 0.17)`."""
    value = f"{error['value']:.2f}"
    if error["n"] == 1:
        return f"{value} (a single run)"
    return f"{value} (mean of {error['n']} runs {error['mean']:.2f}, std {error['std']:.2f})"


def size(entry: Entry) -> str:
    """Of the file."""
    return f"{entry.bytes / 1e6:.2f} MB" if entry.bytes >= 1e6 else f"{entry.bytes / 1e3:.0f} kB"


def card(entry: Entry, records: Sequence[Record]) -> str:
    """The model card in Markdown: what it is, results, counts, how it was trained, how to load it, limits."""
    own = next((r for r in records if r.seed == entry.seed), None)
    lines = [
        f"# {entry.name}",
        "",
        f"`{entry.arch}`, trained on {entry.data} ({entry.num_classes} classes) with the recipe `{entry.recipe}`: "
        f"the {entry.weights} weights of seed {entry.seed}, "
        + (
            f"the one nearest to the mean of {len(entry.record_ids)} runs."
            if len(entry.record_ids) > 1
            else "the only run."
        ),
        "",
        "## Results",
        "",
        "| on the validation images | % |",
        "|:---|---:|",
    ]
    label = {"top1_error": "top-1 error", "top5_error": "top-5 error"}
    lines += [
        f"| {label.get(name, name)} | {percent(error)} |"
        for name, error in sorted(entry.errors.items())
    ]
    images = f"{entry.val_images:,} images, " if entry.val_images else ""
    lines += [
        "",
        f"{images}evaluated from this very file, to be repeated to within {entry.tolerance:g} points by",
        f"`{verify_command(entry)}`.",
        "",
        "## Counts",
        "",
        f"| at {entry.resolution} px, {entry.num_classes} classes | |",
        "|:---|---:|",
        f"| flops (multiply-adds) | {entry.flops:,} |",
        f"| params | {entry.params:,} |",
        f"| acts | {entry.acts:,} |",
        f"| file | {size(entry)}, {entry.dtype} |",
        "",
        "## How it was trained",
        "",
        "```bash",
        train_command(entry),
        "```",
        "",
        f"{entry.epochs} epoch{'s' if entry.epochs > 1 else ''}, {entry.resolution} px, test images with a shorter side of "
        f"{entry.test_resolution} px"
        + conditions(own)
        + (f", code at commit `{entry.commit[:12]}`" if entry.commit else "")
        + ".",
        f"Records: {', '.join(f'`{i}`' for i in entry.record_ids)} in [records.jsonl](records.jsonl).",
        "",
        "## How to load it",
        "",
        "```python",
        "import fastscale as fs",
        "",
        f'name = "{entry.name}"',
        "net = fs.load(name)            # eval mode; num_classes=... gives it a fresh last layer",
        f"prepare = fs.transforms(name)  # PIL image or uint8 array -> (3, {entry.resolution}, {entry.resolution}) tensor",
        "logits = net(prepare(image).unsqueeze(0))",
        "```",
        "",
        "```bash",
        f"fastscale predict photo.jpg --checkpoint {entry.name}",
        "```",
        "",
        f"sha256 `{entry.sha256}`, licence {entry.licence}.",
    ]
    lines += [f"Served at <{url}>." for url in entry.urls]
    return "\n".join([*lines, "", "## Limits", "", limits(entry), ""])


def train_command(entry: Entry) -> str:
    """Trains the same again, PATH standing for the reader's own copy of the data."""
    words = ["fastscale", "fit", "--run", entry.run, "--seed_everything", str(entry.seed)]
    return shlex.join([*words, *entry.arguments])


def verify_command(entry: Entry) -> str:
    """Evaluates the file again; data that have no name of their own are to be given."""
    words = ["fastscale", "checkpoint", "verify", entry.name]
    return shlex.join(words + ([] if entry.data in SOURCES else ["--data", "folder:PATH"]))


def conditions(record: Record | None) -> str:
    """What else the record says of the run."""
    if record is None:
        return ""
    env = record.env
    return f", batch {env.get('batch')}, {env.get('precision')}, {env.get('layout')}, on {env['device']}"


def limits(entry: Entry) -> str:
    """What it must not be taken for."""
    lines = [
        f"It knows the {entry.num_classes} classes of {entry.data} and gives one of them to any image."
    ]
    if entry.data == "imagenet":
        lines.append("Photographs of other kinds than ImageNet's are not what it was measured on.")
    else:
        lines.append(
            f"Its errors are of {entry.data}: they say nothing about ImageNet, and are not to be compared with the paper's."
        )
    if len(entry.record_ids) == 1:
        lines.append("One run only: how far another seed would lie from it was not measured.")
    return " ".join(lines)


INTRODUCTION = """# Released checkpoints

Made by `fastscale checkpoint publish`; this page and the cards are generated from [manifest.json](manifest.json), and every error comes
from a [record](records.jsonl). `fastscale checkpoint verify` hashes and evaluates them again. Errors are those of the released file, in %;
n counts the runs behind mean and std. Training checkpoints load in the same way: `fs.load("runs/<run>/seed<k>")`.

`publish` leaves the optimizer's state behind, takes averaged or raw weights by the recorded error and the seed nearest to the mean of all,
and evaluates the very file it releases: its error must be the recorded one. A model hub (`fs.load("hf:org/name")`) needs
`pip install 'fastscale[hub]'`.
"""


def index(entries: Sequence[Entry]) -> str:
    """checkpoints/README.md."""
    if not entries:
        return INTRODUCTION + "\nNone yet.\n"
    head = [
        "network",
        "data",
        "px",
        "flops (multiply-adds)",
        "params",
        "acts",
        "top-1 error, %",
        "mean ± std (n)",
        "file",
        "licence",
    ]
    lines = ["| " + " | ".join(head) + " |", "|:---|:---|" + "---:|" * 7 + ":---|"]
    for e in sorted(entries, key=lambda e: (e.data, e.flops, e.name)):
        error = e.errors["top1_error"]
        spread = (
            f"{error['mean']:.2f} ± {error['std']:.2f} ({error['n']})"
            if error["n"] > 1
            else "single run"
        )
        row = [
            f"[{e.short}]({e.name}.md)",
            e.data,
            str(e.resolution),
            f"{e.flops:,}",
            f"{e.params:,}",
            f"{e.acts:,}",
        ]
        lines.append(
            "| " + " | ".join([*row, f"{error['value']:.2f}", spread, size(e), e.licence]) + " |"
        )
    return INTRODUCTION + "\n" + "\n".join(lines) + "\n"


ZOO_START, ZOO_END = (
    "<!-- released networks: made by fastscale checkpoint publish -->",
    "<!-- end of released networks -->",
)


def zoo(entries: Sequence[Entry]) -> str:
    """The table of README.md: one row a network, errors with their n, links to card and file."""
    lines = [
        "| network | data | flops (multiply-adds), M | params, M | acts, M | top-1 error, % (n) | file |",
        "|:---|:---|---:|---:|---:|:---|---:|",
    ]
    for e in sorted(entries, key=lambda e: (e.data, e.arch.partition(".")[0], e.flops, e.name)):
        error = e.errors["top1_error"]
        found = (
            f"{error['mean']:.2f} ± {error['std']:.2f} ({error['n']})"
            if error["n"] > 1
            else f"{error['value']:.2f} (1)"
        )
        counts = [
            f"{value / 1e6:.{digits}f}"
            for value, digits in ((e.flops, 2), (e.params, 3), (e.acts, 3))
        ]
        cells = [
            f"[{e.arch}](checkpoints/{e.name}.md)",
            e.data,
            *counts,
            found,
            f"[{size(e)}](checkpoints/{e.file})",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def with_zoo(text: str, entries: Sequence[Entry]) -> str:
    """A README with the table between its two marks made again; as it is, where it has none."""
    head, start, rest = text.partition(ZOO_START)
    _, end, tail = rest.partition(ZOO_END)
    return f"{head}{start}\n\n{zoo(entries)}\n{end}{tail}" if start and end else text
