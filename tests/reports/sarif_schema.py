"""The part of SARIF 2.1.0 that the report uses, as JSON schema, written from the OASIS standard; nothing else passes.

Numbers are those of the standard's sections. The schema that OASIS publishes is in no package that tests can install;
a heavy test validates against the one in the source distribution of sarif-om.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
LEVEL = {"enum": ["none", "note", "warning", "error"]}  # 3.27.10
URI = {"type": "string", "format": "uri-reference"}
BAG = {"type": "object", "properties": {"tags": {"type": "array", "items": TEXT, "uniqueItems": True}}}  # 3.8


def _object(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": list(required), "properties": properties, "additionalProperties": False}


def _array(items: dict[str, Any], least: int = 0) -> dict[str, Any]:
    return {"type": "array", "items": items, "minItems": least, "uniqueItems": True}


MESSAGE = {**_object(text=TEXT), "required": ["text"]}  # 3.11: text or id
MULTIFORMAT = _object(("text",), text=TEXT, markdown=TEXT)  # 3.12
CONFIGURATION = _object(enabled={"type": "boolean"}, level=LEVEL, rank={"type": "number"}, properties=BAG)  # 3.50
DESCRIPTOR = _object(  # 3.49
    ("id",), id=TEXT, name=TEXT, shortDescription=MULTIFORMAT, fullDescription=MULTIFORMAT, help=MULTIFORMAT,
    helpUri={"type": "string", "format": "uri"}, defaultConfiguration=CONFIGURATION, properties=BAG,
)  # fmt: skip
COMPONENT = _object(("name",), name=TEXT, semanticVersion=TEXT, version=TEXT, rules=_array(DESCRIPTOR))  # 3.19
NOTIFICATION = _object(("message",), message=MESSAGE, level=LEVEL)  # 3.58
INVOCATION = _object(  # 3.20
    ("executionSuccessful",), executionSuccessful={"type": "boolean"}, exitCode={"type": "integer"},
    exitCodeDescription=TEXT, toolExecutionNotifications=_array(NOTIFICATION), properties=BAG,
)  # fmt: skip
REGION = _object(startLine={"type": "integer", "minimum": 1})  # 3.30
PHYSICAL = _object(("artifactLocation",), artifactLocation=_object(uri=URI), region=REGION)  # 3.29
LOGICAL = _object(name=TEXT, kind=TEXT)  # 3.33
LOCATION = _object(physicalLocation=PHYSICAL, logicalLocations=_array(LOGICAL))  # 3.28
RESULT = _object(  # 3.27
    ("message",), ruleId=TEXT, ruleIndex={"type": "integer", "minimum": -1}, level=LEVEL, message=MESSAGE,
    kind={"enum": ["notApplicable", "pass", "fail", "review", "open", "informational"]},
    locations=_array(LOCATION), occurrenceCount={"type": "integer", "minimum": 1},
    partialFingerprints={"type": "object", "additionalProperties": TEXT},
    baselineState={"enum": ["new", "unchanged", "updated", "absent"]}, properties=BAG,
)  # fmt: skip
RUN = _object(  # 3.14
    ("tool",), tool=_object(("driver",), driver=COMPONENT), invocations=_array(INVOCATION), results=_array(RESULT),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]}, properties=BAG,
)  # fmt: skip
LOG: dict[str, Any] = {  # 3.13
    "$schema": "http://json-schema.org/draft-07/schema#",
    **_object(("version", "runs"), version={"const": "2.1.0"}, runs=_array(RUN)),
}
LOG["properties"]["$schema"] = {"type": "string", "format": "uri"}
