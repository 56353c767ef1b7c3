"""The export as CASE/UCO linked data (CASE 1.4, UCO 1.4): who looked, with what, at which address, and what is kept.

Exchange programs read it; nothing here says more than ledger and evidence do. Identifiers are made from the case's own
(UUID version 5), so that the same state gives the same graph.
"""

from __future__ import annotations

import uuid
from typing import Any

from data.export.papers import Facts

_SPACE = uuid.UUID("6f0c7a0e-2f0e-5d3e-9a57-6c1a1f0b7d52")
_CONTEXT = {
    "@vocab": "http://example.org/local#",
    "kb": "http://example.org/kb/",
    "case-investigation": "https://ontology.caseontology.org/case/investigation/",
    "uco-action": "https://ontology.unifiedcyberontology.org/uco/action/",
    "uco-core": "https://ontology.unifiedcyberontology.org/uco/core/",
    "uco-identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
    "uco-observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
    "uco-tool": "https://ontology.unifiedcyberontology.org/uco/tool/",
    "uco-types": "https://ontology.unifiedcyberontology.org/uco/types/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def as_linked_data(facts: Facts, exhibits: list[dict[str, Any]]) -> dict[str, Any]:
    """A JSON-LD graph: the investigation, its tool and people, an action a visit, the files each left, the exhibits."""
    graph = _Graph(facts.name)
    investigation, tool = graph.identity("investigation", "case"), graph.identity("tool", "plainview")
    people = [graph.identity("identity", name) for name in facts.case.operators] or [
        graph.identity("identity", "unnamed")
    ]
    members = [tool, *people]
    graph.add(
        tool,
        "uco-tool:Tool",
        {
            "uco-core:name": "Plainview",
            "uco-tool:version": facts.version,
            "uco-tool:toolType": "text-only web recorder",
        },
    )
    for node, name in zip(people, facts.case.operators or ("unnamed operator",), strict=True):
        graph.add(node, "uco-identity:Person", {"uco-core:name": name})
    previous = ""
    files: dict[str, str] = {}
    for visit in facts.visits:
        name = visit["visit"]
        results = []
        for file, record in sorted(visit["files"].items()):
            node = graph.identity("file", f"{name}/{file}")
            files[f"{name}/{file}"] = node
            results.append(node)
            graph.add(node, "uco-observable:File", {"uco-core:hasFacet": _file_facets(graph, f"{name}/{file}", record)})
        provenance = graph.identity("provenance", name)
        graph.add(
            provenance,
            "case-investigation:ProvenanceRecord",
            {
                "uco-core:description": f"The files of visit {name} to {visit['service']}, as closed",
                "case-investigation:exhibitNumber": name,
                "uco-core:object": [_ref(node) for node in results],
            },
        )
        action = graph.identity("action", name)
        values: dict[str, Any] = {
            "uco-core:name": f"Visit {name}",
            "uco-core:description": f"One bounded look at {visit['service']}; outcome: {visit['outcome']}",
            "uco-action:startTime": _time(visit["started"]),
            "uco-action:endTime": _time(visit["ended"]),
            "uco-action:instrument": _ref(tool),
            "uco-action:performer": _ref(people[0]),
            "uco-action:result": [_ref(provenance), *(_ref(node) for node in results)],
        }
        if previous:
            values["case-investigation:wasInformedBy"] = _ref(previous)
        graph.add(action, "case-investigation:InvestigativeAction", values)
        previous = action
        members += [*results, provenance, action]
    members += _exhibits(graph, exhibits, files)
    graph.add(
        investigation,
        "case-investigation:Investigation",
        {
            "uco-core:name": facts.case.title or facts.name,
            "uco-core:description": f"Matter {facts.case.matter or 'not stated'}. {facts.case.authority}".strip(),
            "case-investigation:investigationForm": "case",
            "uco-core:object": [_ref(node) for node in members],
        },
    )
    return {"@context": _CONTEXT, "@graph": graph.nodes}


def _exhibits(graph: _Graph, exhibits: list[dict[str, Any]], files: dict[str, str]) -> list[str]:
    """Each exhibit: the page as kept (its hash), where it lies in the WARC file, and the words cited."""
    members = []
    for item in exhibits:
        page = graph.identity("exhibit", item["exhibit"])
        facets = [
            graph.part(
                "uco-observable:URLFacet",
                f"{item['exhibit']}/url",
                {"uco-observable:fullValue": item["address"]},
            ),
            graph.part(
                "uco-observable:ContentDataFacet",
                f"{item['exhibit']}/content",
                {"uco-observable:hash": [_hash(graph, item["exhibit"], item["stored_sha256"])]},
            ),
        ]
        record = graph.identity("provenance", item["exhibit"])
        graph.add(
            page,
            "uco-observable:ObservableObject",
            {
                "uco-core:name": f"{item['exhibit']}: page recorded as {item['observation']}",
                "uco-core:description": f"Possible indicator {item['code']} ({item['stance']}): {item['quote']}",
                "uco-core:hasFacet": facets,
            },
        )
        graph.add(
            record,
            "case-investigation:ProvenanceRecord",
            {
                "uco-core:description": f"WARC record {item['warc_record']} at byte {item['warc_offset']}",
                "case-investigation:exhibitNumber": item["exhibit"],
                "uco-core:object": [_ref(page)],
            },
        )
        link = graph.identity("relationship", item["exhibit"])
        graph.add(
            link,
            "uco-observable:ObservableRelationship",
            {
                "uco-core:source": _ref(page),
                "uco-core:target": _ref(files[f"{item['visit']}/records.warc.gz"]),
                "uco-core:kindOfRelationship": "Contained_Within",
                "uco-core:isDirectional": True,
            },
        )
        members += [page, record, link]
    return members


def _file_facets(graph: _Graph, name: str, record: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        graph.part(
            "uco-observable:FileFacet",
            f"{name}/file",
            {
                "uco-observable:fileName": name.rpartition("/")[2],
                "uco-observable:filePath": f"data/evidence/{name}",
                "uco-observable:sizeInBytes": {"@type": "xsd:integer", "@value": str(record["bytes"])},
            },
        ),
        graph.part(
            "uco-observable:ContentDataFacet",
            f"{name}/content",
            {"uco-observable:hash": [_hash(graph, name, record["sha256"])]},
        ),
    ]


def _hash(graph: _Graph, name: str, digest: str) -> dict[str, Any]:
    return graph.part(
        "uco-types:Hash",
        f"{name}/hash",
        {
            "uco-types:hashMethod": "SHA256",
            "uco-types:hashValue": {"@type": "xsd:hexBinary", "@value": digest.upper()},
        },
    )


def _time(text: str) -> dict[str, str]:
    return {"@type": "xsd:dateTime", "@value": text}


def _ref(node: str) -> dict[str, str]:
    return {"@id": node}


class _Graph:
    """The nodes in the order they were added, with identifiers that depend on the export alone."""

    def __init__(self, name: str) -> None:
        self.nodes: list[dict[str, Any]] = []
        self._space = uuid.uuid5(_SPACE, name)

    def identity(self, kind: str, name: str) -> str:
        """The identifier of the thing of that kind and name."""
        return f"kb:{kind}-{uuid.uuid5(self._space, f'{kind} {name}')}"

    def add(self, node: str, kind: str, values: dict[str, Any]) -> None:
        """Put a node in."""
        self.nodes.append({"@id": node, "@type": kind, **values})

    def part(self, kind: str, name: str, values: dict[str, Any]) -> dict[str, Any]:
        """A node that stands inside another."""
        return {"@id": self.identity(kind.rpartition(":")[2].lower(), name), "@type": kind, **values}
