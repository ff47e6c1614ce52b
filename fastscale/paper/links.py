"""Checks that links and pictures in the committed Markdown lead to existing files.

Web addresses are not checked, because the smoke tier needs no network.
"""

import re
from collections.abc import Collection, Iterator
from pathlib import Path
from urllib.parse import unquote

from fastscale.common import read_text

PAGES = (
    "*.md",
    "checkpoints/*.md",
    "configs/**/*.md",
    "docs/*.md",
    "examples/*.md",
    "paper_figures/**/*.md",
)
_LINK = re.compile(
    r"\]\(\s*<?(?P<inline>[^)>\s]+)"  # [text](target), ![text](target "title")
    r"|^ {0,3}\[[^\]]+\]:\s+<?(?P<named>[^>\s]+)"  # [name]: target
    r"|<(?:a|img)\b[^>]*?\b(?:href|src)\s*=\s*[\"'](?P<html>[^\"']+)",
    re.MULTILINE,
)
_CODE = re.compile(r"^(```|~~~).*?^\1|`[^`\n]*`", re.MULTILINE | re.DOTALL)
_ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|//", re.IGNORECASE)  # https:, mailto:


def broken_links(root: Path, reported: Collection[Path] = ()) -> list[str]:
    """One line for each link to a missing file, or to a missing heading of a Markdown file.

    Missing files in `reported` (resolved paths) are skipped.
    """
    found = []
    for path in sorted({path for pattern in PAGES for path in root.glob(pattern)}):
        for line, target in links(read_text(path)):
            file, _, anchor = target.partition("#")
            place = path.parent / unquote(file) if file else path
            name = path.relative_to(root)
            if not place.exists():
                if place.resolve() not in reported:
                    found.append(f"{name}, line {line}: {target} does not exist")
            elif anchor and place.suffix == ".md" and anchor not in anchors(read_text(place)):
                found.append(f"{name}, line {line}: {target} names no heading")
    return found


def links(text: str) -> Iterator[tuple[int, str]]:
    """(line, target) of every link and picture that is not a web address."""
    shown = _CODE.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
    for match in _LINK.finditer(shown):
        target = match["inline"] or match["named"] or match["html"]
        if not _ELSEWHERE.match(target):
            yield shown.count("\n", 0, match.start()) + 1, target


def anchors(text: str) -> set[str]:
    """The anchors of a Markdown file: explicit ids, and headings as GitHub spells them.

    The second of two equal headings ends in -1.

    >>> sorted(anchors("# Two words, `code`\\n# Two words, code"))
    ['two-words-code', 'two-words-code-1']
    """
    found = set(re.findall(r"\b(?:id|name)=[\"']([^\"']+)", text))
    seen: dict[str, int] = {}
    for heading in re.findall(r"^#{1,6}\s+(.*?)\s*#*$", text, re.MULTILINE):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower()
        name = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        count = seen[name] = seen.get(name, -1) + 1
        found.add(f"{name}-{count}" if count else name)
    return found
