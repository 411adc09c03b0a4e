"""Replication groups: members, endpoints, replicas, failover, settings, deletion."""

from gaps_server import Aws, Network, eventually, refused, server_fixture

aws = server_fixture("--no-waits")
# 100 s of AWS are 1 s here.
slow = server_fixture("--time-scale", "100")


class Cache:
    def __init__(self, aws: Aws, name: str, cidr: str, **more) -> None:
        self.aws, self.name = aws, name
        self.network = Network(aws, cidr)
        aws.elasticache.create_cache_subnet_group(
            CacheSubnetGroupName=name,
            CacheSubnetGroupDescription="d",
            SubnetIds=self.network.subnets,
            Tags=[{"Key": "provision:stack", "Value": name}],
        )
        self.made = aws.elasticache.create_replication_group(
            **{
                "ReplicationGroupId": name,
                "ReplicationGroupDescription": "ranks",
                "Engine": "redis",
                "EngineVersion": "7.1",
                "CacheNodeType": "cache.t4g.micro",
                "NumCacheClusters": 3,
                "AutomaticFailoverEnabled": True,
                "MultiAZEnabled": True,
                "CacheSubnetGroupName": name,
                "SecurityGroupIds": [self.network.group],
                "Tags": [{"Key": "provision:stack", "Value": name}],
                **more,
            }
        )["ReplicationGroup"]

    def told(self):
        found = self.aws.elasticache.describe_replication_groups(ReplicationGroupId=self.name)
        return found["ReplicationGroups"][0]

    def available(self):
        eventually(lambda: self.told()["Status"] == "available")
        return self.told()

    def roles(self):
        members = self.told()["NodeGroups"][0]["NodeGroupMembers"]
        return {member["CacheClusterId"]: member["CurrentRole"] for member in members}

    def clusters(self):
        found = self.aws.elasticache.describe_cache_clusters(ShowCacheNodeInfo=True)
        return [c for c in found["CacheClusters"] if c["ReplicationGroupId"] == self.name]

    def interfaces(self):
        return self.aws.ec2.describe_network_interfaces(
            Filters=[{"Name": "group-id", "Values": [self.network.group]}]
        )["NetworkInterfaces"]

    def ids(self, *numbers):
        return [f"{self.name}-{number:03}" for number in numbers]


def test_three_members_come_in_time_with_their_endpoints(slow):
    cache = Cache(slow, "timed", "10.70")
    assert cache.made["Status"] == "creating"
    assert "PrimaryEndpoint" not in cache.told()["NodeGroups"][0]
    with refused("InvalidReplicationGroupState"):
        slow.elasticache.delete_replication_group(ReplicationGroupId="timed")
    told = cache.available()
    assert told["MemberClusters"] == cache.ids(1, 2, 3)
    assert (told["AutomaticFailover"], told["MultiAZ"]) == ("enabled", "enabled")
    node_group = told["NodeGroups"][0]
    endpoints = {node_group[e]["Address"] for e in ("PrimaryEndpoint", "ReaderEndpoint")}
    endpoints |= {m["ReadEndpoint"]["Address"] for m in node_group["NodeGroupMembers"]}
    assert len(endpoints) == 5
    zones = {m["PreferredAvailabilityZone"] for m in node_group["NodeGroupMembers"]}
    assert zones == {"us-east-1a", "us-east-1b"}
    assert list(cache.roles().values()) == ["primary", "replica", "replica"]
    clusters = cache.clusters()
    assert [c["CacheClusterId"] for c in clusters] == cache.ids(1, 2, 3)
    assert {c["CacheClusterStatus"] for c in clusters} == {"available"}
    assert all(c["CacheNodes"][0]["Endpoint"]["Port"] == 6379 for c in clusters)
    assert clusters[0]["CacheParameterGroup"]["CacheParameterGroupName"] == "default.redis7"
    assert len(cache.interfaces()) == 3


def test_it_is_gone_in_time_and_leaves_nothing(slow):
    cache = Cache(slow, "gone", "10.71")
    cache.available()
    slow.elasticache.delete_replication_group(ReplicationGroupId="gone")
    assert cache.told()["Status"] == "deleting"
    with refused("CacheSubnetGroupInUse"):
        slow.elasticache.delete_cache_subnet_group(CacheSubnetGroupName="gone")

    def gone():
        try:
            cache.told()
        except slow.elasticache.exceptions.ReplicationGroupNotFoundFault as error:
            assert error.response["Error"]["Code"] == "ReplicationGroupNotFoundFault"
            return True

    eventually(gone)
    assert not cache.clusters() and not cache.interfaces()
    slow.elasticache.delete_cache_subnet_group(CacheSubnetGroupName="gone")
    with refused("CacheSubnetGroupNotFoundFault"):
        slow.elasticache.delete_cache_subnet_group(CacheSubnetGroupName="gone")


def test_replicas_are_added_and_removed(slow):
    cache = Cache(slow, "count", "10.72", NumCacheClusters=2)
    cache.available()

    def change(verb, count):
        call = getattr(slow.elasticache, f"{verb}_replica_count")
        call(ReplicationGroupId="count", NewReplicaCount=count, ApplyImmediately=True)

    with refused("InvalidParameterValue"):
        change("increase", 1)
    change("increase", 2)
    assert cache.told()["Status"] == "modifying"
    assert {c["CacheClusterStatus"] for c in cache.clusters()} == {"modifying", "creating"}
    assert cache.available()["MemberClusters"] == cache.ids(1, 2, 3)
    change("decrease", 1)
    assert cache.available()["MemberClusters"] == cache.ids(1, 2)
    assert len(cache.interfaces()) == 2
    with refused("InvalidParameterCombination"):
        change("decrease", 0)


def test_a_failover_makes_a_replica_the_primary(slow):
    cache = Cache(slow, "failover", "10.73")
    before = cache.available()
    slow.elasticache.test_failover(ReplicationGroupId="failover", NodeGroupId="0001")
    assert cache.told()["Status"] == "modifying"
    after = cache.available()
    assert cache.roles() == dict(
        zip(cache.ids(1, 2, 3), ["replica", "primary", "replica"], strict=True)
    )
    endpoint = lambda told: told["NodeGroups"][0]["PrimaryEndpoint"]  # noqa: E731
    assert endpoint(after) == endpoint(before)


def test_settings_change_and_contradictions_do_not(aws):
    cache = Cache(aws, "settings", "10.74", NumCacheClusters=2)

    def modify(**changes):
        aws.elasticache.modify_replication_group(
            ReplicationGroupId="settings", ApplyImmediately=True, **changes
        )

    with refused("InvalidParameterCombination"):
        modify(AutomaticFailoverEnabled=False)
    modify(AutomaticFailoverEnabled=False, MultiAZEnabled=False)
    modify(CacheNodeType="cache.t4g.small", ReplicationGroupDescription="new")
    told = cache.told()
    assert (told["CacheNodeType"], told["Description"]) == ("cache.t4g.small", "new")
    with refused("InvalidReplicationGroupState"):
        aws.elasticache.test_failover(ReplicationGroupId="settings", NodeGroupId="0001")
    aws.elasticache.decrease_replica_count(
        ReplicationGroupId="settings", NewReplicaCount=0, ApplyImmediately=True
    )
    with refused("InvalidParameterCombination"):
        modify(AutomaticFailoverEnabled=True)


def test_a_member_is_not_deleted_on_its_own(aws):
    Cache(aws, "member", "10.75")
    with refused("InvalidCacheClusterState"):
        aws.elasticache.delete_cache_cluster(CacheClusterId="member-002")


def test_tags_of_every_kind(aws):
    cache = Cache(aws, "tagged", "10.76")
    subnets = aws.elasticache.describe_cache_subnet_groups(CacheSubnetGroupName="tagged")
    arns = [
        cache.told()["ARN"],
        cache.clusters()[0]["ARN"],
        subnets["CacheSubnetGroups"][0]["ARN"],
        aws.elasticache.create_cache_parameter_group(
            CacheParameterGroupName="tagged",
            CacheParameterGroupFamily="redis7",
            Description="d",
            Tags=[{"Key": "provision:stack", "Value": "tagged"}],
        )["CacheParameterGroup"]["ARN"],
    ]
    for arn in arns:
        told = aws.elasticache.list_tags_for_resource(ResourceName=arn)["TagList"]
        assert told == [{"Key": "provision:stack", "Value": "tagged"}], arn
    aws.elasticache.add_tags_to_resource(
        ResourceName=arns[0], Tags=[{"Key": "more", "Value": "m"}]
    )
    told = aws.elasticache.list_tags_for_resource(ResourceName=arns[0])["TagList"]
    assert {"Key": "more", "Value": "m"} in told


def test_parameter_groups(aws):
    aws.elasticache.create_cache_parameter_group(
        CacheParameterGroupName="params", CacheParameterGroupFamily="redis7", Description="d"
    )
    cache = Cache(aws, "params", "10.77", CacheParameterGroupName="params")
    aws.elasticache.modify_cache_parameter_group(
        CacheParameterGroupName="params",
        ParameterNameValues=[
            {"ParameterName": "maxmemory-policy", "ParameterValue": "noeviction"}
        ],
    )
    told = aws.elasticache.describe_cache_parameters(
        CacheParameterGroupName="params", Source="user"
    )["Parameters"]
    assert [(p["ParameterName"], p["ParameterValue"]) for p in told] == [
        ("maxmemory-policy", "noeviction")
    ]
    name = cache.clusters()[0]["CacheParameterGroup"]["CacheParameterGroupName"]
    assert name == "params"
    with refused("InvalidCacheParameterGroupState"):
        aws.elasticache.delete_cache_parameter_group(CacheParameterGroupName="params")
    aws.elasticache.delete_replication_group(ReplicationGroupId="params")
    aws.elasticache.delete_cache_parameter_group(CacheParameterGroupName="params")
    with refused("CacheParameterGroupNotFound"):
        aws.elasticache.describe_cache_parameter_groups(CacheParameterGroupName="params")
    with refused("InvalidParameterValue"):
        aws.elasticache.create_cache_parameter_group(
            CacheParameterGroupName="x", CacheParameterGroupFamily="redis9", Description="d"
        )


def test_engine_versions(aws):
    told = aws.elasticache.describe_cache_engine_versions(Engine="valkey", DefaultOnly=True)
    assert [v["EngineVersion"] for v in told["CacheEngineVersions"]] == ["7.2", "8.1"]
    with refused("InvalidParameterCombination"):
        Cache(aws, "version", "10.78", EngineVersion="9.9")
