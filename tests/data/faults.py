"""A program that dies, or whose disk is full, at the nth write: run as ``python -m tests.data.faults MODE N ACTION CASE``.

Every way our code changes a file is counted (write, fsync, rename, unlink, truncate, chmod, mkdir). At the nth, MODE says:
``kill`` ends the process there and then, before the change; ``after`` does it right after the change; ``short`` writes
half of the data first; ``full`` raises ENOSPC, there and from then on, as a full disk does. With N = 0 nothing happens and
the count is printed.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_MODE, _AT = sys.argv[1] if len(sys.argv) > 1 else "count", int(sys.argv[2]) if len(sys.argv) > 2 else 0
_count = 0


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _counted(original: Callable[..., Any], *, writes: bool = False) -> Callable[..., Any]:
    def changed(*arguments: Any, **named: Any) -> Any:
        global _count
        if _first_is_ours(arguments):
            _count += 1
            if _AT and _MODE == "full" and _count >= _AT and writes:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if _count == _AT:
                if _MODE == "kill":
                    _die()
                if _MODE == "short" and writes:
                    original(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
                    _die()
                if _MODE == "after":
                    original(*arguments, **named)
                    _die()
        return original(*arguments, **named)

    return changed


def _first_is_ours(arguments: tuple[Any, ...]) -> bool:
    """Pipes and terminals do not count."""
    return not (arguments and isinstance(arguments[0], int) and arguments[0] <= 2)


def _install() -> None:
    os.write = _counted(os.write, writes=True)
    for name in ("fsync", "sync", "rename", "replace", "unlink", "remove", "truncate", "ftruncate", "chmod", "mkdir"):
        setattr(os, name, _counted(getattr(os, name)))
    for name in ("write_text", "write_bytes"):
        setattr(Path, name, _counted(getattr(Path, name), writes=_MODE == "full"))
    shutil.copyfile = _counted(shutil.copyfile, writes=_MODE == "full")


def main() -> None:
    """Do ACTION on the case with the fault in place."""
    action, root = sys.argv[3], Path(sys.argv[4])
    from data import export, ingest, rebuild, seal, store
    from data.case import open_case
    from data.seal import load_key

    case = open_case(root)
    key = load_key() if action in ("seal", "export") else None
    del export, ingest, rebuild, seal, store
    _install()
    _act(action, case, key)
    sys.stdout.write(f"{_count}\n")


def _act(action: str, case: Any, key: Any) -> None:
    if action == "ingest":
        from data.ingest import take_in

        take_in(case)
    elif action == "seal":
        from data.seal import make_seal

        make_seal(case, key)
    elif action in ("export", "zip"):
        from data.export import make_export

        make_export(case, name="bag", zipped=action == "zip", key=key)
    elif action == "rebuild":
        from data.rebuild import rebuild

        rebuild(case)
    elif action == "record":
        case.record("services.added", {"services": []})
    elif action == "spool":
        from tests.data.cases import spool_visit

        spool_visit(case, 7)
    else:
        raise SystemExit(f"no such action: {action}")


if __name__ == "__main__":
    main()
