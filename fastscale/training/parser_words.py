"""Errors of Lightning's command line in plain words: unknown options, values of a wrong type."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from fastscale.common import did_you_mean, plain
from fastscale.errors import InputError
from fastscale.training.options import LINKED

KINDS = {
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "str": "a text",
    "tuple": "a list such as [0.2,1.0]",
    "list": "a list",
    "dict": "names with values",
}


def check_names(arguments: Sequence[str], known: Mapping[str, Any]) -> None:
    """InputError for an option that is not `known`; the parser would complete an abbreviation.

    Options of an object (`--trainer.callbacks.monitor`) are left to the parser.
    """
    objects = tuple(name.removesuffix("help") for name in known if name.endswith(".help"))
    names = [k for k in known if k.startswith("--") and not k.endswith((".help", "+"))]
    names = [k for k in names if k not in LINKED]
    for argument in arguments:
        name = argument.partition("=")[0]
        if name.startswith("--") and name not in known and not name.startswith(objects):
            raise InputError(f"unrecognised: {plain(name)[:80]}; {_meant(name, names)}")


def _meant(name: str, names: Sequence[str]) -> str:
    """A hint by the option's last word: `--epochs` is `--model.recipe.epochs`."""
    last = {k.rpartition(".")[2].lstrip("-"): k for k in names}
    word = name.rpartition(".")[2].lstrip("-")
    if "." not in name and word in last:
        return f"did you mean {last[word]!r}?"
    hint = did_you_mean(name, names)
    return hint if hint.startswith("did") else "`fastscale fit NAME --print_config` shows them all"


def in_words(error: Exception) -> str:
    """The parser's error: the option, what it wants, and what it got."""
    text = " ".join(str(error).split())
    found = re.match(r'(?:Parser key "|argument --)([^":]+)"?: (.*)', text)
    if found is None:
        return text.replace("unrecognized arguments", "unrecognised")[:300]
    option, why = f"--{found[1]}", found[2]
    if "Unable to load config" in why:
        return f"{option}: wanted a YAML file of settings, got{why.rpartition('config')[2]}"
    if problem := re.search(r"Problem with given class_path (.*?)(?: - |$)", why):
        return f"{option}: {problem[1][:300]}"
    got = re.search(r"(?:Got|Given) value: (.*)$", why)
    if got is None:
        return f"{option}: {why[:1].lower()}{why[1:300]}"
    wanted = " or ".join(_kinds(why.partition("] Errors: ")[0])) or "another value"
    return f"{option}: wanted {wanted}, got {got[1][:80]!r}"


def _kinds(types: str) -> list[str]:
    """Words for the types in a text, each once."""
    listed = re.findall(r"Literal\[([^\]]*)\]", types)
    literals = dict.fromkeys(word.strip(" '") for words in listed for word in words.split(","))
    classes = [name.rpartition(".")[2] for name in re.findall(r"<class '([\w.]+)'>", types)]
    found = [KINDS.get(name, f"a {name}") for name in classes if name != "NoneType"]
    return list(dict.fromkeys([*([", ".join(literals)] if literals else []), *found]))
