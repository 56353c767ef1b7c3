"""BagIt 1.0 (RFC 8493): the manifests around a payload, written without changing folder or moving a file."""

from __future__ import annotations

from pathlib import Path

from data.verify import Report, folder_tree

DECLARATION = "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"


def write_manifests(folder: Path, info: dict[str, str]) -> str:
    """Complete the bag in *folder* (payload below ``data/``, other tag files beside it); the tag manifest's SHA-256."""
    tree = folder_tree(folder, Report())
    payload = sorted(name for name in tree.files if name.startswith("data/"))
    size = sum(tree.files[name] for name in payload)
    lines = {**info, "Payload-Oxum": f"{size}.{len(payload)}"}
    _write(folder / "bagit.txt", DECLARATION)
    _write(folder / "bag-info.txt", "".join(f"{name}: {_one_line(value)}\n" for name, value in lines.items()))
    sums = tree.digests(payload)
    _write(folder / "manifest-sha256.txt", "".join(f"{sums[name]}  {name}\n" for name in payload))
    tags = folder_tree(folder, Report())
    names = sorted(name for name in tags.files if not name.startswith("data/") and name != "tagmanifest-sha256.txt")
    sums = tags.digests(names)
    _write(folder / "tagmanifest-sha256.txt", "".join(f"{sums[name]}  {name}\n" for name in names))
    return folder_tree(folder, Report()).digests(["tagmanifest-sha256.txt"])["tagmanifest-sha256.txt"]


def _one_line(value: str) -> str:
    return " ".join(value.split())


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")
