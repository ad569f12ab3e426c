"""The few words of CloudFormation that the templates are written in: plain dicts and lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from cityverse.errors import InputError

Json = dict[str, Any]

# CloudFormation's own limits.
RESOURCES_MOST = 500
PARAMETERS_MOST = 200
BYTES_MOST = 1_000_000

NO_VALUE: Json = {"Ref": "AWS::NoValue"}
ACCOUNT: Json = {"Ref": "AWS::AccountId"}
DISTRIBUTIONS = "arn:${AWS::Partition}:cloudfront::${AWS::AccountId}:distribution/*"
REGION: Json = {"Ref": "AWS::Region"}
ALARM_PERIOD = 300
"""Seconds over which a figure is judged."""


def ref(name: str) -> Json:
    """The value of a parameter, or what identifies a resource."""
    return {"Ref": name}


def att(name: str, attribute: str) -> Json:
    """An attribute of a resource."""
    return {"Fn::GetAtt": [name, attribute]}


def sub(text: str, **values: Any) -> Json:
    """A text with ``${Name}`` in it; ``values`` are those that are no names of the template."""
    return {"Fn::Sub": [text, values] if values else text}


def imported(output: str) -> Json:
    """What the stack named by the parameter ``DataStack`` exports."""
    return {"Fn::ImportValue": {"Fn::Sub": f"${{DataStack}}-{output}"}}


def when(condition: str, then: Any, otherwise: Any = NO_VALUE) -> Json:
    """One value or the other; by default the property is left out."""
    return {"Fn::If": [condition, then, otherwise]}


def tags(part: str) -> list[Json]:
    """The tags by which costs are told apart."""
    return [{"Key": "application", "Value": "cityverse"}, {"Key": "part", "Value": part}]


def text_parameter(description: str, default: str | None = None, **more: Any) -> Json:
    """A parameter that is a text; one without a default must be given."""
    given = {} if default is None else {"Default": default}
    return {"Type": "String", "Description": description, **given, **more}


def number_parameter(description: str, default: int, least: int, most: int) -> Json:
    """A parameter that is a number."""
    return {
        "Type": "Number",
        "Description": description,
        "Default": default,
        "MinValue": least,
        "MaxValue": most,
    }


def switch(description: str, *, on: bool = False) -> Json:
    """A parameter that is ``on`` or ``off``."""
    return text_parameter(description, "on" if on else "off", AllowedValues=["on", "off"])


def is_on(parameter: str) -> Json:
    """Whether a switch is on."""
    return {"Fn::Equals": [ref(parameter), "on"]}


def given(parameter: str) -> Json:
    """Whether a text was given."""
    return {"Fn::Not": [{"Fn::Equals": [ref(parameter), ""]}]}


def resource(kind: str, properties: Mapping[str, Any], **more: Any) -> Json:
    """A resource; ``more`` holds Condition, DependsOn, DeletionPolicy and their like."""
    return {"Type": kind, **more, "Properties": dict(properties)}


def kept(kind: str, properties: Mapping[str, Any], **more: Any) -> Json:
    """A resource that outlives its stack and its replacement: what holds data."""
    return resource(kind, properties, DeletionPolicy="Retain", UpdateReplacePolicy="Retain", **more)


def statement(actions: Iterable[str], resources: Any, **more: Any) -> Json:
    """One thing that a policy allows."""
    return {"Effect": "Allow", "Action": sorted(actions), "Resource": resources, **more}


def policy(*statements: Any) -> Json:
    """A policy of these statements."""
    return {"Version": "2012-10-17", "Statement": list(statements)}


def assumed_by(service: str, **more: Any) -> Json:
    """The policy that lets a service of AWS take a role; ``more`` holds a Condition."""
    trusted = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return policy({**trusted, **more})


def logical(*words: str) -> str:
    """A logical id: these words, letters and digits alone, each begun with a capital."""
    parts = "-".join(words).replace("_", "-").split("-")
    return "".join(part[:1].upper() + part[1:] for part in parts)


def exported(name: str, value: Any, description: str, **more: Any) -> Json:
    """An output that other stacks import."""
    return {
        "Description": description,
        "Value": value,
        "Export": {"Name": sub(f"${{AWS::StackName}}-{name}")},
        **more,
    }


def template(
    description: str,
    *,
    parameters: Json,
    resources: Json,
    conditions: Json | None = None,
    outputs: Json | None = None,
) -> Json:
    """A whole template; raises InputError when it is over a limit of CloudFormation."""
    if len(resources) > RESOURCES_MOST:
        raise InputError(f"a template holds {RESOURCES_MOST} resources, not {len(resources)}")
    whole = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": description,
        "Parameters": parameters,
        "Conditions": conditions or {},
        "Resources": resources,
        "Outputs": outputs or {},
    }
    return {name: part for name, part in whole.items() if part}


def as_text(whole: Json) -> str:
    """The template as JSON, which is YAML too; raises InputError when it is too large."""
    text = json.dumps(whole, indent=1) + "\n"
    if len(text.encode()) > BYTES_MOST:
        raise InputError(f"a template holds {BYTES_MOST} bytes, not {len(text.encode())}")
    return text
