"""Exit codes, and how an error becomes one message that says what happened, what was kept and what to do."""

from __future__ import annotations

import errno
from enum import IntEnum


class Exit(IntEnum):
    """What the shell is told (documented in docs/reference/exit-codes.md)."""

    DONE = 0
    USAGE = 2
    PARTIAL = 3
    INTEGRITY = 4
    NOT_SEALED = 5
    ENVIRONMENT = 6
    INTERRUPTED = 130

    @property
    def meaning(self) -> str:
        """The sentence the manual prints for it."""
        return _MEANING[self]


_MEANING = {
    Exit.DONE: "Everything asked for was done.",
    Exit.USAGE: "The command, a setting or an input file is wrong; nothing was changed.",
    Exit.PARTIAL: "Part of it was done; what is missing is named, and running the command again continues.",
    Exit.INTEGRITY: "Something on file is not what was put there; each place is named.",
    Exit.NOT_SEALED: "A seal or time stamp was asked for and could not be made; the case is unsealed.",
    Exit.ENVIRONMENT: "This machine lacks something: a browser, disk space, a guard that holds; the message names it.",
    Exit.INTERRUPTED: "Interrupted from the keyboard; what was written is kept, and running again continues.",
}


class Stop(Exception):
    """End the command with *code* and a message for the person at the terminal."""

    def __init__(self, message: str, code: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.code = code


def explain(error: BaseException) -> tuple[str, Exit] | None:
    """The message and exit code for an error that a user can do something about; None for a fault of the program."""
    if isinstance(error, Stop):
        return str(error), error.code
    if isinstance(error, OSError):
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return (
                "The disk is full. What was written is kept; free some space and run the command again.",
                Exit.ENVIRONMENT,
            )
        if isinstance(error, PermissionError):
            return f"No permission to use {error.filename}. Nothing was changed.", Exit.ENVIRONMENT
    codes = {
        "CaseError": Exit.USAGE,
        "CodebookError": Exit.USAGE,
        "BadAddress": Exit.USAGE,
        "DecisionError": Exit.USAGE,
        "SampleError": Exit.USAGE,
        "ReferralError": Exit.USAGE,
        "LedgerBroken": Exit.INTEGRITY,
        "VisitChanged": Exit.INTEGRITY,
        "IndexDamaged": Exit.INTEGRITY,
        "NotIntact": Exit.INTEGRITY,
        "SealFailed": Exit.NOT_SEALED,
        "ExportFailed": Exit.USAGE,
        "ReasonMissing": Exit.USAGE,
        "IndexBusy": Exit.ENVIRONMENT,
        "IndexTooNew": Exit.ENVIRONMENT,
        "BrowserUnavailable": Exit.ENVIRONMENT,
        "GuardLeak": Exit.ENVIRONMENT,
    }
    code = codes.get(type(error).__name__)
    return (str(error), code) if code is not None else None
