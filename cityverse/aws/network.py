"""The network: two zones, each with a public and a private part; the load balancer."""

from __future__ import annotations

from typing import Any

from cityverse.aws.cloudformation import (
    Json,
    att,
    imported,
    logical,
    ref,
    resource,
    sub,
    tags,
    when,
)

APP_PORT = 8501
_ZONES = ("a", "b")
# A page holds a WebSocket open as long as it is open; Streamlit pings it far more often.
_IDLE_SECONDS = 3600
_STICKY_SECONDS = 86_400


def network() -> Json:
    """VPC, subnets, routes, and the ways to DynamoDB and S3 that stay inside AWS."""
    made: Json = {
        "Vpc": _tagged(
            "AWS::EC2::VPC",
            CidrBlock=ref("VpcCidr"),
            EnableDnsSupport=True,
            EnableDnsHostnames=True,
        ),
        "InternetGateway": _tagged("AWS::EC2::InternetGateway"),
        "InternetGatewayAttachment": resource(
            "AWS::EC2::VPCGatewayAttachment",
            {"VpcId": ref("Vpc"), "InternetGatewayId": ref("InternetGateway")},
        ),
        "PublicRoutes": _tagged("AWS::EC2::RouteTable", VpcId=ref("Vpc")),
        "PublicRoute": resource(
            "AWS::EC2::Route",
            {
                "RouteTableId": ref("PublicRoutes"),
                "DestinationCidrBlock": "0.0.0.0/0",
                "GatewayId": ref("InternetGateway"),
            },
            DependsOn="InternetGatewayAttachment",
        ),
    }
    for number, zone in enumerate(_ZONES):
        made |= _zone(number, zone)
    for service in ("dynamodb", "s3"):
        made[logical("endpoint", service)] = resource(
            "AWS::EC2::VPCEndpoint",
            {
                "VpcEndpointType": "Gateway",
                "ServiceName": sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
                "VpcId": ref("Vpc"),
                "RouteTableIds": [ref(logical("private-routes", zone)) for zone in _ZONES],
            },
        )
    return made | _security_groups()


def private_subnets() -> list[Json]:
    """Where the tasks run."""
    return [ref(logical("private-subnet", zone)) for zone in _ZONES]


def _tagged(kind: str, **properties: Any) -> Json:
    return resource(kind, {**properties, "Tags": tags("network")})


def _zone(number: int, zone: str) -> Json:
    """The subnets of one zone. The second has its own way out where one is not enough."""
    own_gateway = number == 0
    gateway = logical("nat", zone)
    here: Json = {} if own_gateway else {"Condition": "TwoGateways"}
    way_out = ref(gateway) if own_gateway else when("TwoGateways", ref(gateway), ref("NatA"))
    public, private = logical("public-subnet", zone), logical("private-subnet", zone)
    routes = logical("private-routes", zone)
    return {
        public: _subnet(number, number, public=True),
        private: _subnet(number, number + len(_ZONES), public=False),
        f"{public}Routes": _association(public, "PublicRoutes"),
        routes: _tagged("AWS::EC2::RouteTable", VpcId=ref("Vpc")),
        f"{private}Routes": _association(private, routes),
        f"{gateway}Address": resource(
            "AWS::EC2::EIP",
            {"Domain": "vpc", "Tags": tags("network")},
            DependsOn="InternetGatewayAttachment",
            **here,
        ),
        gateway: resource(
            "AWS::EC2::NatGateway",
            {
                "AllocationId": att(f"{gateway}Address", "AllocationId"),
                "SubnetId": ref(public),
                "Tags": tags("network"),
            },
            **here,
        ),
        logical("private-route", zone): resource(
            "AWS::EC2::Route",
            {
                "RouteTableId": ref(routes),
                "DestinationCidrBlock": "0.0.0.0/0",
                "NatGatewayId": way_out,
            },
        ),
    }


def _subnet(zone: int, block: int, *, public: bool) -> Json:
    return _tagged(
        "AWS::EC2::Subnet",
        VpcId=ref("Vpc"),
        AvailabilityZone={"Fn::Select": [zone, {"Fn::GetAZs": ""}]},
        CidrBlock={"Fn::Select": [block, {"Fn::Cidr": [ref("VpcCidr"), 2 * len(_ZONES), 8]}]},
        MapPublicIpOnLaunch=public,
    )


def _association(subnet: str, routes: str) -> Json:
    return resource(
        "AWS::EC2::SubnetRouteTableAssociation",
        {"SubnetId": ref(subnet), "RouteTableId": ref(routes)},
    )


def _security_groups() -> Json:
    anywhere = {"CidrIp": "0.0.0.0/0", "IpProtocol": "tcp"}
    ports = {443: "people", 80: "people, sent on to 443"}
    return {
        "BalancerSecurity": _tagged(
            "AWS::EC2::SecurityGroup",
            GroupDescription="CityVerse: the load balancer, open to everybody",
            VpcId=ref("Vpc"),
            SecurityGroupIngress=[
                {**anywhere, "FromPort": port, "ToPort": port, "Description": who}
                for port, who in ports.items()
            ],
        ),
        "TaskSecurity": _tagged(
            "AWS::EC2::SecurityGroup",
            GroupDescription="CityVerse: the app, reached by the load balancer alone",
            VpcId=ref("Vpc"),
            SecurityGroupIngress=[
                {
                    "IpProtocol": "tcp",
                    "FromPort": APP_PORT,
                    "ToPort": APP_PORT,
                    "SourceSecurityGroupId": ref("BalancerSecurity"),
                    "Description": "load balancer",
                }
            ],
        ),
        "WorkerSecurity": _tagged(
            "AWS::EC2::SecurityGroup",
            GroupDescription="CityVerse: the worker, reached by nobody",
            VpcId=ref("Vpc"),
        ),
    }


def balancer() -> Json:
    """The load balancer: TLS, one browser always to one task, health, access logs."""
    return {
        "Balancer": _tagged(
            "AWS::ElasticLoadBalancingV2::LoadBalancer",
            Type="application",
            Scheme="internet-facing",
            Subnets=[ref(logical("public-subnet", zone)) for zone in _ZONES],
            SecurityGroups=[ref("BalancerSecurity")],
            LoadBalancerAttributes=_attributes(
                {
                    "idle_timeout.timeout_seconds": str(_IDLE_SECONDS),
                    "routing.http.drop_invalid_header_fields.enabled": "true",
                    "deletion_protection.enabled": "true",
                    "access_logs.s3.enabled": "true",
                    "access_logs.s3.bucket": imported("LogsBucket"),
                    "access_logs.s3.prefix": "alb",
                }
            ),
        ),
        "AppTargets": _tagged(
            "AWS::ElasticLoadBalancingV2::TargetGroup",
            VpcId=ref("Vpc"),
            Port=APP_PORT,
            Protocol="HTTP",
            TargetType="ip",
            HealthCheckPath="/healthz",
            HealthCheckIntervalSeconds=15,
            HealthCheckTimeoutSeconds=5,
            HealthyThresholdCount=2,
            UnhealthyThresholdCount=3,
            Matcher={"HttpCode": "200"},
            TargetGroupAttributes=_attributes(
                {
                    "stickiness.enabled": "true",
                    "stickiness.type": "lb_cookie",
                    "stickiness.lb_cookie.duration_seconds": str(_STICKY_SECONDS),
                    "deregistration_delay.timeout_seconds": "120",
                    "load_balancing.algorithm.type": "least_outstanding_requests",
                }
            ),
        ),
        "Listener": resource(
            "AWS::ElasticLoadBalancingV2::Listener",
            {
                "LoadBalancerArn": ref("Balancer"),
                "Port": 443,
                "Protocol": "HTTPS",
                "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
                "Certificates": [{"CertificateArn": ref("CertificateArn")}],
                "DefaultActions": [{"Type": "forward", "TargetGroupArn": ref("AppTargets")}],
            },
        ),
        "PlainListener": resource(
            "AWS::ElasticLoadBalancingV2::Listener",
            {
                "LoadBalancerArn": ref("Balancer"),
                "Port": 80,
                "Protocol": "HTTP",
                "DefaultActions": [
                    {
                        "Type": "redirect",
                        "RedirectConfig": {
                            "Protocol": "HTTPS",
                            "Port": "443",
                            "StatusCode": "HTTP_301",
                        },
                    }
                ],
            },
        ),
    }


def _attributes(values: Json) -> list[Json]:
    return [{"Key": key, "Value": value} for key, value in values.items()]
