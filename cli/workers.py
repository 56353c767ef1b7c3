"""Options of the commands that can use more than one machine, and the engine that they name."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from data.case import Case
    from data.engine import Engine


class EngineName(StrEnum):
    """Where the work runs."""

    LOCAL = "local"
    RAY = "ray"


EngineOption = Annotated[
    EngineName,
    typer.Option(
        "--engine", help="Where the work runs: local processes, or a Ray cluster (pip install 'plainview[ray]')."
    ),
]
AddressOption = Annotated[
    str, typer.Option("--address", metavar="HOST:PORT", help="The Ray cluster; without one, Ray on this machine alone.")
]
StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        metavar="URL",
        help="Where workers on other machines put evidence: a shared folder, or s3://bucket/prefix (keys from the environment).",
    ),
]
ProcessesOption = Annotated[int, typer.Option("--processes", min=1, max=256, help="Worker processes on this machine.")]
PROCESSES = min(2, os.cpu_count() or 1)


@contextlib.contextmanager
def the_engine(name: EngineName, processes: int, address: str) -> Iterator[Engine]:
    """The engine of a command; its workers end with it. Raises ``Stop`` for options that do not go together."""
    from cli.exits import Exit, Stop
    from data.engine import EngineMissing, opened

    if address and name is not EngineName.RAY:
        raise Stop("--address names a Ray cluster; add --engine ray.")
    try:
        engine = opened(name.value, processes, address)
    except EngineMissing as error:
        raise Stop(str(error), Exit.ENVIRONMENT) from None
    try:
        yield engine
    finally:
        engine.close()


def the_store(case: Case, engine: Engine, store: str) -> str:
    """Where workers put visits: *store*, none where they write into the case themselves. Raises ``Stop`` where one is needed."""
    from cli.exits import Stop
    from data.engine import Local

    if store or isinstance(engine, Local):
        return store
    if not engine.shares_disk:
        raise Stop(
            "Workers on other machines cannot write into the case's folder. Name a place that all of them reach: --store "
            "s3://bucket/prefix, or --store FOLDER on a shared disk."
        )
    return str(case.root / "arriving" / "store")
