"""`fastscale checkpoint publish | list | show | verify | load-test | import`: released networks."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from fastscale.cli.options import JSON, RUNS_DIR, Verbs, given, real, whole
from fastscale.cli.terminal import says_new_folder
from fastscale.common import matching
from fastscale.errors import InputError
from fastscale.home import home

SOURCES = ("pycls", "timm", "torchvision", "efficientnet-lite")
LIGHTNING = "\n\nFurther options are Lightning's: --data.workers 4, --trainer.devices 1."
NAMES = "released names or published files; default: all released checkpoints"
TRAINED_ON = "default: what it was trained on"
VERBS = {
    "publish": "Release a finished run; of several seeds, the one nearest to their mean.",
    "list": "List released networks with their counts and errors.",
    "show": "Show all about one checkpoint.",
    "verify": "Check the hashes of released networks and evaluate them again.",
    "load-test": "Load released networks and run each once.",
    "import": "Convert another project's weights to our file format.",
}


def add_checkpoint(verbs: Verbs) -> None:
    group = verbs.group("checkpoint", VERBS)
    example = (
        "fastscale checkpoint publish regnety-tiny.dWr-x4.quick --url https://example.org/{file}"
    )
    p = group.verb("publish", cmd_publish, example + LIGHTNING, further=True)
    p.add("run", None, "a run's name, its folder, or a seed's folder")
    p.add("--runs-dir", None, RUNS_DIR, default=str(home().runs))
    p.add("--out", None, "default: checkpoints/ of the current folder", metavar="DIR")
    p.weights()
    p.add(
        "--dtype",
        ("float32", "float16"),
        "of the stored weights; default: float32",
        default="float32",
    )
    text = "where the file will be served, {file} for its name; repeat for mirrors"
    p.add("--url", None, text, action="append", default=[], dest="urls", metavar="URL")
    text = "licence of the weights; default: that of the weights it started from, else MIT"
    p.add("--licence", None, text)
    text = "percentage points by which another evaluation may differ; default: 0.02; at most 1"
    p.add("--tolerance", real(0, 1), text, default=argparse.SUPPRESS)
    p.add("--data", None, TRAINED_ON, metavar="SOURCE", dest="source")
    text = "also publish to this repository of a model hub"
    p.add("--hub", None, text, metavar="ORG/NAME")
    p.add("--private", bool, "make that repository private")

    p = group.verb("list", cmd_list, "fastscale checkpoint list regnety")
    p.add("pattern", None, "only names that contain this", nargs="?", default="")
    p.add("--json", bool, JSON)

    example = "fastscale checkpoint show regnety-tiny.dWr-x4_fashion-mnist"
    p = group.verb("show", cmd_show, example)
    p.add("name", None, "a released name, or anything else that fs.load takes")
    p.add("--json", bool, JSON)

    example = "fastscale checkpoint verify regnety-tiny.dWr-x4_fashion-mnist --images 1000"
    p = group.verb("verify", cmd_verify, example + LIGHTNING, further=True)
    p.add("name", None, NAMES, nargs="*")
    text = "evaluate on only this many images, the same ones every time"
    p.add("--images", whole(1), text)
    p.add("--no-evaluate", bool, "check only files, headers and records")
    p.add("--data", None, TRAINED_ON, metavar="SOURCE")

    p = group.verb("load-test", cmd_load_test, "fastscale checkpoint load-test")
    p.add("name", None, NAMES, nargs="*")

    example = "fastscale checkpoint import resnet50.pth --from timm --arch resnet-50"
    p = group.verb("import", cmd_import, example)
    p.add("file", None, "the other project's file of weights")
    p.add("--from", SOURCES, "the project that it is from", dest="source", required=True)
    p.add("--arch", None, "default: recognised by the structure of the weights")
    text = "folder for the .safetensors file; default: the current one"
    p.add("--out", None, text, metavar="DIR", default=".")
    p.weights()


def cmd_publish(args: argparse.Namespace, rest: list[str]) -> int:
    """Publishes a run to checkpoints/, and to a hub."""
    from fastscale.release.card import card, verify_command
    from fastscale.release.places import RECORDS, to_publish
    from fastscale.release.publish import own_source, publish
    from fastscale.release.seeds import finished

    if args.hub:
        from fastscale.release.hub import reachable

        reachable(args.hub)  # raises before a long evaluation
    with says_new_folder(Path(args.out) if args.out else to_publish()):
        entry, path = publish(**given(args, publish), arguments=rest)
    error = entry.errors["top1_error"]
    spread = (
        f"mean of {error['n']} seeds {error['mean']:.2f}, std {error['std']:.2f}"
        if error["n"] > 1
        else "a single run"
    )
    print(
        f"{path}: {entry.weights} weights of seed {entry.seed}, top-1 error "
        f"{error['value']:.2f} % ({spread}), {entry.bytes:,} bytes"
    )
    shipped = path.parent.resolve() == home().checkpoints.resolve()
    print(f"its card: {path.with_name(entry.name + '.md')}")
    print(f'load it:  fastscale.load("{entry.short if shipped else path}")')
    seeds, _ = finished(args.run, args.runs_dir)
    trained_on = args.source or own_source(seeds[0])  # the user's folder, which no card names
    check = verify_command(entry, entry.name if shipped else str(path), trained_on)
    print(f"check it: {check}")
    if args.hub:
        from fastscale.release.hub import to_hub
        from fastscale.release.places import records_in

        records = records_in(path.parent / RECORDS)
        used = [records[i] for i in entry.record_ids]
        page, lines = card(entry, used, f"hf:{args.hub}"), "".join(r.to_json() + "\n" for r in used)
        print(f"published: {to_hub(args.hub, entry, path.parent, page, lines, args.private)}")
    return 0


def cmd_list(args: argparse.Namespace) -> int:
    """Prints one line per released network."""
    from fastscale.cli.listing import table
    from fastscale.release.listing import facts_of_others, rows_of, rows_of_others
    from fastscale.release.manifest import current_first
    from fastscale.release.places import released
    from fastscale.release.public import packaged

    ours, others = current_first(released()), packaged()
    kept = set(matching([e.name for e in ours] + [e.name for e in others], args.pattern))
    ours = [entry for entry in ours if entry.name in kept]
    others = [known for known in others if known.name in kept]
    if args.json:
        facts = [*map(asdict, ours), *map(facts_of_others, others)]
        print(json.dumps(facts, ensure_ascii=False))
    elif ours or others:
        print("\n".join(table([*rows_of_others(others), *rows_of(ours)])))
    else:
        under = f"under a name with {args.pattern!r}" if args.pattern else "yet"
        print(f"nothing is released {under}")
    return 0


def cmd_show(args: argparse.Namespace) -> int:
    """Prints the card of a released network, or the description in any other checkpoint."""
    from fastscale.release.card import card
    from fastscale.release.manifest import find
    from fastscale.release.places import RECORDS, records_in, released

    entry = find(args.name, released())
    if entry is not None:
        if args.json:
            print(json.dumps(asdict(entry), ensure_ascii=False))
            return 0
        records = records_in(home().checkpoints / RECORDS)
        print(card(entry, [records[i] for i in entry.record_ids if i in records]))
        return 0
    from fastscale.release.listing import errors_of_others
    from fastscale.release.load import open_checkpoint  # imports torch, which a card does not need
    from fastscale.release.public import find_public

    about = {k: v for k, v in asdict(open_checkpoint(args.name).about).items() if v is not None}
    if known := find_public(args.name):
        about |= errors_of_others(known)
    if args.json:
        print(json.dumps(about, ensure_ascii=False))
        return 0
    for name, value in about.items():
        shown = value
        if isinstance(value, tuple):
            shown = ", ".join(map(str, value[:12])) + (", ..." if len(value) > 12 else "")
        elif isinstance(value, dict):
            shown = ", ".join(f"{k} {v}" for k, v in value.items())
        print(f"{name:18}{shown}")
    return 0


def cmd_verify(args: argparse.Namespace, rest: list[str]) -> int:
    """Exit code 1 if any differs from the manifest or could not be evaluated."""
    from fastscale.data.sources import source
    from fastscale.release.places import named
    from fastscale.release.verify import verify

    if args.data is not None:
        source(args.data)  # an unknown source is the user's mistake, not an error of the files
    failed = 0
    for entry, folder in named(args.name):
        found = verify(entry, args.data, rest, args.images, not args.no_evaluate, folder)
        errors, verdict = list(found.problems), "WRONG" if found.problems else "as released"
        if found.unevaluated:
            verdict = "WRONG" if found.problems else "could not be evaluated"
            errors.append(f"could not be evaluated: {found.unevaluated}")
        failed += bool(errors)
        print("\n  ".join([f"{entry.name}: {verdict}", *found.lines]))
        for line in errors:
            print(f"error: {entry.name}: {line}", file=sys.stderr)
    return 1 if failed else 0


def cmd_load_test(args: argparse.Namespace) -> int:
    """Exit code 1 if any cannot be loaded."""
    from fastscale.release.places import named
    from fastscale.release.verify import load_test

    failed = 0
    for entry, folder in named(args.name):
        try:
            print(f"{entry.name}: {load_test(entry, folder)}")
        except InputError as error:
            failed += 1
            print(f"error: {error}", file=sys.stderr)
    return 1 if failed else 0


def cmd_import(args: argparse.Namespace) -> int:
    """Converts another project's file into one of ours, which loads by its path."""
    from fastscale.release.folder import write_imported
    from fastscale.release.importing import import_file
    from fastscale.release.load import from_imported

    if not Path(args.file).is_file():
        raise InputError(f"{args.file}: no such file")
    chosen = {} if args.weights == "auto" else {"weights": args.weights}
    found = import_file(args.file, args.source, args.arch, **chosen)
    with says_new_folder(Path(args.out)):
        path = write_imported(from_imported(found), args.source, args.out)
    print(f'{path}: loads with fastscale.load("{path}")')
    return 0
