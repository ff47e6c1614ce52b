"""A model hub (huggingface_hub, the extra `hub`): one repository for a file and its pages.

It holds the same file, manifest entry, records and card. HF_ENDPOINT, HF_TOKEN and the package's
login decide where and as whom. A file must have the hash in the repository's manifest, and that in
this project's manifest if it lists the file.
"""

import os
import re
from pathlib import Path
from typing import Any

from fastscale.common import shown
from fastscale.data.paths import offline
from fastscale.errors import InputError
from fastscale.home import home
from fastscale.release import places
from fastscale.release.card import page
from fastscale.release.checkpoint import Checkpoint, read_file
from fastscale.release.manifest import Entry, find, manifest_text, read_manifest, unknown

LARGEST_MANIFEST = 16 << 20  # bytes
_PART = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_REPO = re.compile(rf"(?P<repo>{_PART}/{_PART})(?:@(?P<revision>[A-Za-z0-9._-]{{1,100}}))?")


def hub() -> Any:
    """The package; InputError if it is not installed."""
    try:
        import huggingface_hub
    except ImportError:
        raise InputError(
            f"the model hub needs the package huggingface_hub: {home().extra('hub')}"
        ) from None
    return huggingface_hub


def endpoint() -> str | None:
    """The hub's address, read at each call; the package reads it only at import."""
    return os.environ.get("HF_ENDPOINT") or None


def repository(text: str) -> tuple[str, str | None]:
    """(org/name, revision) of `org/name[@revision]`."""
    found = _REPO.fullmatch(text)
    if not found or ".." in text:
        raise InputError(
            f"{text!r} is not a hub repository; write ORG/NAME, or hf:ORG/NAME[@REVISION] to load"
        )
    return found["repo"], found["revision"]


def reachable(repo: str) -> tuple[str, str | None]:
    """`repository`, for publishing: InputError offline or without the package."""
    found = repository(repo)
    if offline():
        raise InputError(f"hf:{found[0]}: not published: FASTSCALE_OFFLINE is set")
    hub()
    return found


def from_hub(text: str) -> Checkpoint:
    """The checkpoint of `hf:org/name[@revision][:checkpoint]` (default: the newest)."""
    place, _, name = text.removeprefix("hf:").partition(":")
    repo, revision = repository(place)
    entries = read_manifest(download(repo, revision, places.MANIFEST, LARGEST_MANIFEST))
    if not entries:
        raise InputError(f"hf:{repo}: holds no checkpoint of fastscale (its manifest is empty)")
    entry = find(name, entries) if name else max(entries, key=lambda e: (e.date, e.name))
    if entry is None:
        raise unknown(name, entries)
    known = next((e for e in places.released() if e.file == entry.file), entry)
    if known.sha256 != entry.sha256:
        raise InputError(
            f"hf:{repo}: says that {entry.file} has sha256 {entry.sha256}, "
            f"the manifest here says {known.sha256}"
        )
    path = download(repo, revision, entry.file, entry.bytes)
    if path.stat().st_size != entry.bytes:
        raise InputError(
            f"hf:{repo}: {entry.file} is {path.stat().st_size} bytes, "
            f"its manifest says {entry.bytes}"
        )
    return read_file(path, entry.sha256)


def download(repo: str, revision: str | None, file: str, most: int) -> Path:
    """A repository's file in our cache, by the package's resumable download.

    A file that the hub says is larger than `most` bytes is refused before the download.
    """
    package, folder = hub(), places.cache() / "hub"
    try:
        if not offline():
            url = package.hf_hub_url(repo, file, revision=revision, endpoint=endpoint())
            size = package.get_hf_file_metadata(url).size
            if size is not None and size > most:
                raise InputError(f"hf:{repo}: {file} is {size:,} bytes, wanted at most {most:,}")
        return Path(
            package.hf_hub_download(
                repo,
                file,
                revision=revision,
                cache_dir=folder,
                endpoint=endpoint(),
                local_files_only=offline(),
            )
        )
    except InputError:
        raise
    except Exception as error:  # the package and its transport raise many kinds
        why = ", and FASTSCALE_OFFLINE is set" if offline() else ""
        raise InputError(
            f"hf:{repo}: cannot get {file}{why} ({type(error).__name__}: {first_line(error)})"
        ) from None


def to_hub(
    repo: str, entry: Entry, folder: Path, card: str, records: str, private: bool = False
) -> str:
    """Commits the entry's file, manifest, records and card to `repo`; returns the commit's address.

    The repository is created if it does not exist.
    """
    repo, revision = reachable(repo)
    package = hub()
    api = package.HfApi(endpoint=endpoint(), library_name="fastscale")
    add = package.CommitOperationAdd
    content = {
        "README.md": front_matter(entry) + card,
        places.MANIFEST: manifest_text([entry]),
        places.RECORDS: records,
    }
    operations = [add(name, text.encode()) for name, text in content.items()]
    operations.append(add(entry.file, str(folder / entry.file)))
    try:
        api.create_repo(repo, private=private, exist_ok=True)
        done = api.create_commit(
            repo, operations, commit_message=f"{entry.name}", revision=revision
        )
    except Exception as error:
        raise InputError(
            f"hf:{repo}: could not publish ({type(error).__name__}: {first_line(error)})"
        ) from None
    return str(done.commit_url)


def front_matter(entry: Entry) -> str:
    """The front matter of a hub's card: licence, library and tags for its search."""
    known = entry.licence.lower() if re.fullmatch(r"[A-Za-z0-9.-]+", entry.licence) else "other"
    return page("hub.md.j2", e=entry, licence=known)


def first_line(error: Exception) -> str:
    """An error's text, shortened to one line."""
    return " ".join(shown(error).split())[:160]
