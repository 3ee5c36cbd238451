"""Reviews as SARIF and JUnit."""

import json
from xml.etree import ElementTree

import pytest

from tests.show import runs
from undertow.show.exchange import junit, sarif


@pytest.fixture(scope="module")
def reviews(tmp_path_factory):
    below = tmp_path_factory.mktemp("runs")
    sick, healthy = runs.sigmoids(below / "sick"), runs.residual(below / "healthy")
    return {"sick": runs.sick(sick), "healthy": runs.healthy(healthy)}


def test_every_finding_is_a_result_with_its_rule(reviews):
    log = json.loads(sarif(reviews))
    (run,) = log["runs"]
    expected = [f.code for review in reviews.values() for f in (*review.findings, *review.remarks)]
    assert [result["ruleId"] for result in run["results"]] == expected
    assert {rule["id"] for rule in run["tool"]["driver"]["rules"]} == set(expected)
    assert log["version"] == "2.1.0"


def test_alarms_are_errors_and_remarks_are_notes(reviews):
    results = json.loads(sarif(reviews))["runs"][0]["results"]
    errors = [result["ruleId"] for result in results if result["level"] == "error"]
    assert errors == [f.code for review in reviews.values() for f in review.findings]


def test_a_line_that_is_known_is_told(reviews):
    finding = reviews["sick"].findings[0]
    result = json.loads(sarif(reviews))["runs"][0]["results"][0]
    if finding.source:
        path, _, line = finding.source.rpartition(":")
        assert result["locations"][0]["physicalLocation"] == {
            "artifactLocation": {"uri": path},
            "region": {"startLine": int(line)},
        }
    assert result["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == finding.module


def test_each_run_is_a_suite_that_fails_by_its_alarms(reviews):
    suites = {suite.get("name"): suite for suite in ElementTree.fromstring(junit(reviews)).iter("testsuite")}
    assert suites["healthy"].get("failures") == "0"
    assert [case.get("name") for case in suites["healthy"].iter("testcase")] == ["learns"]
    failures = [failure.get("type") for failure in suites["sick"].iter("failure")]
    assert failures == [f.code for f in reviews["sick"].findings]
