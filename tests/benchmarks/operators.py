"""Operators: precision and recall of pairs on generated services with known owners, and the time for ten thousand.

Run: ``python -m tests.benchmarks.operators``. The generator shares what the web shares: libraries and CDNs by Zipf's law, a
few payment processors, formation agents' addresses, public policy templates, agencies that put one tag or host on all
of their customers, resellers' merchant accounts, sites copied together with their counter's id. None of it is an owner.
"""

from __future__ import annotations

import platform
import random
import time
from collections import Counter
from itertools import combinations

from analysis.finding import Side
from analysis.operators import Mark, Network, network
from data.findings import load_rules

SEED = 20261123


def generated(count: int, seed: int = SEED) -> tuple[list[Mark], dict[str, int]]:
    """Marks of *count* services, and the owner of each."""
    draw = random.Random(seed)
    owners: dict[str, int] = {}
    marks: dict[tuple[str, str, str], Mark] = {}

    def mark(service: str, kind: str, value: str) -> None:
        marks.setdefault((service, kind, value), Mark(service, kind, value, Side("same", service)))

    libraries = [f"lib{number}.example" for number in range(60)]
    weights = [1 / (rank + 1) for rank in range(len(libraries))]
    agents = [f"suite {number}, {number} harrow lane" for number in range(12)]
    policies = [f"policy-template-{number}" for number in range(25)]
    processors = [f"pay{number}.example" for number in range(6)]
    resold = [f"reseller-merchant-{number}" for number in range(max(2, count // 400))]
    agencies = [f"agency{number}" for number in range(max(3, count // 120))]
    owner = 0
    names: list[str] = []
    while len(names) < count:
        size = min(count - len(names), draw.choices((1, 2, 3, 5, 9, 20, 45), (70, 12, 8, 5, 3, 1.6, 0.4))[0])
        tags = [f"TAG-{owner}-{number}" for number in range(draw.choice((1, 1, 2)))]
        mail = f"hello@owner{owner}.example"
        company = f"Owner {owner} Holdings Ltd" if draw.random() < 0.6 else ""
        address = draw.choice(agents) if draw.random() < 0.45 else f"{owner} own street"
        wallet = f"wallet-{owner}" if draw.random() < 0.3 else ""
        merchant = draw.choice(resold) if draw.random() < 0.1 else f"merchant-{owner}"
        words = f"own-words-{owner}" if draw.random() < 0.7 else ""
        certificate = f"cert-{owner}" if draw.random() < 0.25 else ""
        client = f"client-{owner}" if draw.random() < 0.25 else ""
        for number in range(size):
            name = f"service-{owner:05d}-{number:03d}"
            names.append(name)
            owners[name] = owner
            if draw.random() < 0.7:
                mark(name, "tag", draw.choice(tags))
            mark(name, "email", mail if draw.random() < 0.6 else f"team@{name}.example")
            if company and draw.random() < 0.7:
                mark(name, "company", company)
                mark(name, "address", address)
                if draw.random() < 0.5:
                    mark(name, "registration", f"{owner:07d}")
            if wallet and draw.random() < 0.6:
                mark(name, "wallet", wallet)
            if draw.random() < 0.5:
                mark(name, "payment_account", merchant)
            if draw.random() < 0.5:
                mark(name, "rare_host", draw.choice(processors))
            if words and draw.random() < 0.6:
                mark(name, "template", words)
            if draw.random() < 0.5:
                mark(name, "template", draw.choice(policies))
            if certificate and draw.random() < 0.5:
                mark(name, "certificate", certificate)
            if client and draw.random() < 0.5:
                mark(name, "sign_on_client", client)
            for library in draw.choices(libraries, weights, k=draw.randint(0, 4)):
                mark(name, "rare_host", library)
            if draw.random() < 0.12:
                agency = draw.choice(agencies)
                mark(name, "rare_host", f"cdn.{agency}.example")
                mark(name, "template", f"theme-of-{agency}")
                if agency.endswith(("3", "7")):
                    mark(name, "tag", f"TAG-of-{agency}")
        owner += 1
    # Copied sites carry the counter's id of the one they were copied from.
    tagged = [item for item in marks.values() if item.kind == "tag"]
    for name in draw.sample(names, max(1, count // 200)):
        mark(name, "tag", draw.choice(tagged).value)
    return list(marks.values()), owners


def scored(net: Network, owners: dict[str, int]) -> tuple[float, float, int]:
    """Precision and recall over pairs of services in one cluster, and the number of pairs with one owner."""
    together = same = 0
    for members in net.clusters:
        together += len(members) * (len(members) - 1) // 2
        same += sum(owners[a] == owners[b] for a, b in combinations(members, 2))
    pairs = sum(size * (size - 1) // 2 for size in Counter(owners.values()).values())
    return same / max(1, together), same / max(1, pairs), pairs


def main() -> None:
    """Print the table."""
    rules = load_rules()
    print(f"{platform.machine()}, Python {platform.python_version()}, seed {SEED}")
    print(
        f"{'services':>9} {'owners':>7} {'marks':>8} {'clusters':>9} {'precision':>10} {'recall':>7} {'pairs':>8} {'seconds':>8}"
    )
    for count, seed in ((2_000, SEED), (2_000, SEED + 1), (2_000, SEED + 2), (10_000, SEED)):
        marks, owners = generated(count, seed)
        started = time.perf_counter()
        net = network(marks, rules)
        spent = time.perf_counter() - started
        precision, recall, pairs = scored(net, owners)
        print(
            f"{count:>9} {len(set(owners.values())):>7} {len(marks):>8} {len(net.clusters):>9} {precision:>10.4f} {recall:>7.4f} "
            f"{pairs:>8} {spent:>8.2f}"
        )


if __name__ == "__main__":
    main()
