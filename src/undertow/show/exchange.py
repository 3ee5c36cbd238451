"""A review in the formats that tools for code review read: SARIF and JUnit."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

from undertow.diagnose.finding import Finding, Review
from undertow.diagnose.table import DIAGNOSES
from undertow.show.words import sentence

__all__ = ["junit", "sarif"]

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(reviews: Mapping[str, Review]) -> str:
    """Reviews, by the name of their run, as one SARIF 2.1.0 log: alarms are errors, remarks are notes.

    Source: OASIS, Static Analysis Results Interchange Format 2.1.0, 2020.
    """
    results = [
        _result(run, finding, level)
        for run, review in reviews.items()
        for level, findings in (("error", review.findings), ("note", review.remarks))
        for finding in findings
    ]
    known = sorted({result["ruleId"] for result in results})
    driver = {"name": "Undertow", "rules": [_rule(code) for code in known]}
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": results}]}
    return json.dumps(log, indent=2) + "\n"


def _rule(code: str) -> dict[str, Any]:
    known = DIAGNOSES[code]
    first = known.page.partition("\n")[0]
    return {
        "id": code,
        "name": known.name,
        "shortDescription": {"text": first},
        "fullDescription": {"text": known.page},
        "help": {"text": f"{known.page}\n\nSource: {known.source}", "markdown": known.page},
    }


def _result(run: str, finding: Finding, level: str) -> dict[str, Any]:
    """One finding; where no line of it is known, it is told of the run."""
    text = " ".join(filter(None, (sentence(finding.message), sentence(finding.advice) if finding.advice else "")))
    where: dict[str, Any] = {"logicalLocations": [{"fullyQualifiedName": finding.module or run, "kind": "module"}]}
    path, _, line = finding.source.rpartition(":")
    if path and line.isdigit():
        where["physicalLocation"] = {"artifactLocation": {"uri": path}, "region": {"startLine": int(line)}}
    return {
        "ruleId": finding.code,
        "level": level,
        "message": {"text": text},
        "locations": [where],
        "partialFingerprints": {"finding/v1": f"{run}/{finding.code}/{finding.module}"},
        "properties": {"run": run, "harm": round(finding.harm, 3)},
    }


def junit(reviews: Mapping[str, Review]) -> str:
    """Reviews, by the name of their run, as JUnit XML: a suite a run, a test that fails for each alarm."""
    suites = ElementTree.Element("testsuites")
    for run, review in reviews.items():
        cases: list[Finding | None] = [*review.findings] or [None]
        count = str(len(review.findings))
        suite = ElementTree.SubElement(suites, "testsuite", name=run, tests=str(len(cases)), failures=count, errors="0")
        for finding in cases:
            _case(suite, run, review, finding)
        ElementTree.SubElement(suite, "system-out").text = _remarks(review.remarks)
    ElementTree.indent(suites)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, run: str, review: Review, finding: Finding | None) -> None:
    name = "learns" if finding is None else f"{finding.code} {finding.name}"
    case = ElementTree.SubElement(suite, "testcase", classname=run, name=name)
    if finding is not None:
        failure = ElementTree.SubElement(case, "failure", type=finding.code, message=sentence(finding.message))
        failure.text = "\n".join(filter(None, (finding.source, finding.module, finding.advice)))
    elif review.verdict != "healthy":
        ElementTree.SubElement(case, "skipped", message=sentence(review.summary))


def _remarks(remarks: Sequence[Finding]) -> str:
    return "\n".join(f"{remark.code} {remark.name}: {remark.message}" for remark in remarks)
