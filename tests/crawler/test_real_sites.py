"""Real input: a real website crawled whole, and what came of it compared with what is known to be there."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import unquote

import pytest

from crawler.sweep import Closed, Failed, Workers, plan_sweep
from data.case import Case, CaseFacts, make_case, open_case
from data.ingest import take_in
from data.records import Service
from data.store import reading, rows
from tests.real_input import real_site, served, truth

POLICY = """
page_budget = 0
delay_seconds = 0.0
concurrency_per_host = 8
allow_private = ["127.0.0.0/8"]
render = "never"
"""


def case_for(folder: Path, service: str, url: str) -> Case:
    case = make_case(folder, CaseFacts(title=service, authority="test"), POLICY)
    case.record("services.added", {"services": [Service(service, urls=(url,)).as_json()]})
    return case


def run(case: Case) -> list[object]:
    events = list(Workers(case, plan_sweep(case), 1).events())
    take_in(case)
    return events


def paths(case: Case, origin: str, where: str) -> list[str]:
    """The page paths of a query, as the truth names them."""
    with reading(case) as connection:
        found = rows(
            connection,
            f"SELECT requested_url AS url FROM observations WHERE purpose IN ('entry', 'page') AND {where}",
        )
    names = [unquote(row["url"].removeprefix(f"{origin}/").partition("?")[0]) for row in found]
    return [f"{name}index.html" if name == "" or name.endswith("/") else name for name in names]


def test_every_page_of_a_real_site_is_stored_once_and_every_broken_link_is_an_observation(tmp_path: Path) -> None:
    site, known = real_site("sqlite"), truth("sqlite")
    with served(site) as origin:
        case = case_for(tmp_path / "case", "sqlite", f"{origin}/{known['entry']}")
        events = run(case)
    assert [type(event) for event in events if isinstance(event, Closed | Failed)] == [Closed]
    stored = paths(case, origin, "outcome = 'ok' AND stored_as IN ('response', 'conversion')")
    assert sorted(stored) == sorted(known["reachable"])
    broken = paths(case, origin, "outcome = 'not_found' AND status = 404 AND status_origin = 'server'")
    # The truth was computed with a parser that keeps "\" as a name; the URL Standard reads it as "/", which exists.
    assert sorted(broken) == sorted(set(known["broken"]) - {"\\"})


@pytest.mark.slow
def test_twenty_kills_at_random_points_end_with_the_same_set_as_no_kill(tmp_path: Path) -> None:
    import random

    random.seed(20261123)
    site, known = real_site("sqlite"), truth("sqlite")
    code = (
        "import sys; from pathlib import Path; from crawler.sweep import Workers, plan_sweep; from data.case import open_case\n"
        "if __name__ == '__main__':\n"
        "    case = open_case(Path(sys.argv[1])); plan = plan_sweep(case)\n"
        "    if not plan.resumed: case.record('sweep.started', {'sweep': plan.sweep, 'services': ['sqlite']})\n"
        "    list(Workers(case, plan, 1).events())\n"
    )
    script = tmp_path / "sweep.py"
    script.write_text(code)
    with served(site) as origin:
        case = case_for(tmp_path / "case", "sqlite", f"{origin}/{known['entry']}")
        for _ in range(20):
            process = subprocess.Popen([sys.executable, str(script), str(case.root)])
            time.sleep(random.uniform(0.8, 3.0))
            process.send_signal(signal.SIGKILL)
            process.wait()
            time.sleep(1.0)  # the worker sees that its parent is gone
        subprocess.run([sys.executable, str(script), str(case.root)], check=True, timeout=300)
    take_in(open_case(case.root))
    stored = paths(case, origin, "outcome = 'ok' AND stored_as IN ('response', 'conversion')")
    assert set(stored) == set(known["reachable"])
    twice = len(stored) - len(set(stored))
    with reading(case) as connection:
        said = rows(connection, "SELECT count(*) AS n FROM observations WHERE outcome = 'interrupted'")[0]["n"]
    assert twice <= said
    assert not list(case.spool.iterdir())
