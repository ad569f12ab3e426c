"""CloudFront before the buckets, and the firewalls before CloudFront and the load balancer."""

from __future__ import annotations

from cityverse.aws.buckets import bucket_id
from cityverse.aws.cloudformation import Json, att, ref, resource, sub, tags, when
from cityverse.data.registry import BUCKETS

# Policies that AWS keeps for everybody.
_CACHED = "658327ea-f89d-4fab-a63d-7e88639e58f6"  # CachingOptimized
_WITH_CORS = "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf"  # CORS-S3Origin
_SAFE = "67f7725c-6f97-4210-82d7-5512b31e9d03"  # SecurityHeadersPolicy

_MANAGED_RULES = (
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesAmazonIpReputationList",
)
# The editor's texts and uploads are larger than the 8 KB this rule lets through.
_COUNTED_ALONE = {"AWSManagedRulesCommonRuleSet": "SizeRestrictions_BODY"}


def delivery() -> Json:
    """The distribution: files by their prefixes, tiles below ``/tiles/``."""
    origins = {bucket_id(bucket): bucket.prefixes for bucket in BUCKETS}
    behaviours = [
        {"PathPattern": f"/{prefix}*", **_behaviour(origin)}
        for origin, prefixes in {**origins, "Tiles": ("tiles/",)}.items()
        for prefix in prefixes
    ]
    return {
        "OriginAccess": resource(
            "AWS::CloudFront::OriginAccessControl",
            {
                "OriginAccessControlConfig": {
                    "Name": sub("${AWS::StackName}-origin-access"),
                    "OriginAccessControlOriginType": "s3",
                    "SigningBehavior": "always",
                    "SigningProtocol": "sigv4",
                }
            },
        ),
        "Delivery": resource(
            "AWS::CloudFront::Distribution",
            {
                "DistributionConfig": {
                    "Enabled": True,
                    "Comment": "CityVerse: pictures, films and building tiles",
                    "HttpVersion": "http2and3",
                    "IPV6Enabled": True,
                    "PriceClass": "PriceClass_100",
                    "Origins": [_origin(name) for name in (*origins, "Tiles")],
                    "DefaultCacheBehavior": _behaviour("Tiles"),
                    "CacheBehaviors": behaviours,
                    "WebACLId": when("WithEdgeFirewall", ref("EdgeFirewallArn")),
                },
                "Tags": tags("media"),
            },
        ),
    }


def _origin(bucket: str) -> Json:
    return {
        "Id": bucket,
        "DomainName": att(bucket, "RegionalDomainName"),
        "OriginAccessControlId": att("OriginAccess", "Id"),
        "S3OriginConfig": {"OriginAccessIdentity": ""},
    }


def _behaviour(origin: str) -> Json:
    return {
        "TargetOriginId": origin,
        "ViewerProtocolPolicy": "redirect-to-https",
        "AllowedMethods": ["GET", "HEAD", "OPTIONS"],
        "Compress": True,
        "CachePolicyId": _CACHED,
        "OriginRequestPolicyId": _WITH_CORS,
        "ResponseHeadersPolicyId": _SAFE,
    }


def firewall(scope: str, **more: str) -> Json:
    """A web firewall: so many requests of one address in five minutes, and AWS's own rules.

    ``scope`` is ``REGIONAL`` for a load balancer or ``CLOUDFRONT``, which stands in us-east-1.
    """
    limit = {"Limit": ref("RequestsMost"), "AggregateKeyType": "IP"}
    rules = [
        {
            "Name": "rate",
            "Priority": 0,
            "Action": {"Block": {"CustomResponse": {"ResponseCode": 429}}},
            "Statement": {"RateBasedStatement": limit},
            "VisibilityConfig": _visible("rate"),
        },
        *(_managed(name, n) for n, name in enumerate(_MANAGED_RULES, 1)),
    ]
    return resource(
        "AWS::WAFv2::WebACL",
        {
            "Scope": scope,
            "DefaultAction": {"Allow": {}},
            "Rules": rules,
            "VisibilityConfig": _visible("firewall"),
            "Tags": tags("firewall"),
        },
        **more,
    )


def _managed(name: str, priority: int) -> Json:
    group: Json = {"VendorName": "AWS", "Name": name}
    if name in _COUNTED_ALONE:
        group["RuleActionOverrides"] = [
            {"Name": _COUNTED_ALONE[name], "ActionToUse": {"Count": {}}}
        ]
    return {
        "Name": name,
        "Priority": priority,
        "OverrideAction": {"None": {}},
        "Statement": {"ManagedRuleGroupStatement": group},
        "VisibilityConfig": _visible(name),
    }


def _visible(name: str) -> Json:
    return {
        "CloudWatchMetricsEnabled": True,
        "MetricName": f"cityverse-{name}",
        "SampledRequestsEnabled": True,
    }
