"""Upgrades of databases and caches: what is refused, what waits for the window, what is taken back."""

from gaps_server import refused, server_fixture
from test_gaps_elasticache import Cache
from test_gaps_rds import Database

aws = server_fixture("--no-waits")


def group(aws, name, family):
    aws.rds.create_db_parameter_group(DBParameterGroupName=name, DBParameterGroupFamily=family, Description="d")
    return name


def replica(aws, db):
    name = f"{db.name}-replica"
    aws.rds.create_db_instance_read_replica(
        DBInstanceIdentifier=name, SourceDBInstanceIdentifier=db.name, VpcSecurityGroupIds=[db.network.group]
    )
    return name


def targets(aws, version):
    answer = aws.rds.describe_db_engine_versions(Engine="mysql", EngineVersion=version)
    return {t["EngineVersion"]: t["IsMajorVersionUpgrade"] for t in answer["DBEngineVersions"][0]["ValidUpgradeTarget"]}


def test_upgrade_targets(aws):
    assert targets(aws, "8.4.3") == {"8.4.4": False, "8.4.5": False, "8.4.6": False}
    assert targets(aws, "8.0.43") == {"8.4.3": True, "8.4.4": True, "8.4.5": True, "8.4.6": True}
    assert targets(aws, "8.4.6") == {}


def test_a_major_upgrade_needs_the_flag_and_a_group_of_its_family(aws):
    db = Database(aws, "major", "10.61", EngineVersion="8.0.41", DBParameterGroupName=group(aws, "old", "mysql8.0"))
    with refused("InvalidParameterCombination", "AllowMajorVersionUpgrade"):
        db.modify(EngineVersion="8.4.5", ApplyImmediately=True)
    with refused("InvalidParameterCombination", "is custom"):
        db.modify(EngineVersion="8.4.5", AllowMajorVersionUpgrade=True, ApplyImmediately=True)
    with refused("InvalidParameterCombination", "DBParameterGroupFamily mysql8.4"):
        db.modify(
            EngineVersion="8.4.5", AllowMajorVersionUpgrade=True, DBParameterGroupName="old", ApplyImmediately=True
        )
    group(aws, "new", "mysql8.4")
    with refused("InvalidParameterCombination", "DBParameterGroupFamily mysql8.0"):
        db.modify(DBParameterGroupName="new", ApplyImmediately=True)
    db.modify(EngineVersion="8.4.5", AllowMajorVersionUpgrade=True, DBParameterGroupName="new", ApplyImmediately=True)
    told = db.told()
    assert told["EngineVersion"] == "8.4.5" and not told["PendingModifiedValues"]
    assert [g["DBParameterGroupName"] for g in told["DBParameterGroups"]] == ["new"]


def test_versions_go_onwards_only(aws):
    db = Database(aws, "onwards", "10.62", EngineVersion="8.4.5")
    with refused("InvalidParameterCombination", "Cannot upgrade mysql from 8.4.5 to 8.4.3"):
        db.modify(EngineVersion="8.4.3", ApplyImmediately=True)
    with refused("InvalidParameterCombination", "Cannot upgrade"):
        db.modify(EngineVersion="8.0.43", AllowMajorVersionUpgrade=True, ApplyImmediately=True)
    db.modify(EngineVersion="8.4.6", ApplyImmediately=True)
    assert db.told()["EngineVersion"] == "8.4.6"


def test_replicas_are_upgraded_before_their_source(aws):
    db = Database(aws, "source", "10.63", EngineVersion="8.4.4")
    name = replica(aws, db)
    with refused("DBUpgradeDependencyFailure", "need to be upgraded: source-replica"):
        db.modify(EngineVersion="8.4.5")
    aws.rds.modify_db_instance(DBInstanceIdentifier=name, EngineVersion="8.4.5", ApplyImmediately=True)
    assert db.told(name)["EngineVersion"] == "8.4.5"
    db.modify(EngineVersion="8.4.5", ApplyImmediately=True)
    assert db.told()["EngineVersion"] == "8.4.5"


def test_what_waits_for_the_window_can_be_taken_back(aws):
    db = Database(aws, "waits", "10.64", EngineVersion="8.4.4")
    db.modify(EngineVersion="8.4.5", DBInstanceClass="db.t4g.large")
    told = db.told()
    assert told["PendingModifiedValues"] == {"EngineVersion": "8.4.5", "DBInstanceClass": "db.t4g.large"}
    assert (told["EngineVersion"], told["DBInstanceStatus"]) == ("8.4.4", "available")
    db.modify(DBInstanceClass="db.t4g.medium")
    assert db.told()["PendingModifiedValues"] == {"EngineVersion": "8.4.5"}
    # Whatever is changed at once takes along what waits.
    db.modify(ApplyImmediately=True)
    told = db.told()
    assert (told["EngineVersion"], told["DBInstanceClass"]) == ("8.4.5", "db.t4g.medium")
    assert not told["PendingModifiedValues"]


def modify(aws, cache, **changes):
    return aws.elasticache.modify_replication_group(ReplicationGroupId=cache.name, **changes)


def cache_group(aws, name, family):
    aws.elasticache.create_cache_parameter_group(
        CacheParameterGroupName=name, CacheParameterGroupFamily=family, Description="d"
    )
    return name


def test_a_cache_goes_onwards_and_from_redis_to_valkey(aws):
    cache = Cache(
        aws, "onwards", "10.65", EngineVersion="7.0", CacheParameterGroupName=cache_group(aws, "redis", "redis7")
    )
    modify(aws, cache, EngineVersion="7.1", ApplyImmediately=True)
    assert {c["EngineVersion"] for c in cache.clusters()} == {"7.1.0"}
    with refused("InvalidParameterCombination", "cannot be downgraded"):
        modify(aws, cache, EngineVersion="7.0", ApplyImmediately=True)
    with refused("InvalidParameterCombination", "Expected a parameter group of family valkey8"):
        modify(aws, cache, Engine="valkey", EngineVersion="8.0", ApplyImmediately=True)
    name = cache_group(aws, "valkey", "valkey8")
    modify(aws, cache, Engine="valkey", EngineVersion="8.0", CacheParameterGroupName=name, ApplyImmediately=True)
    assert {(c["Engine"], c["EngineVersion"]) for c in cache.clusters()} == {("valkey", "8.0.1")}
    assert cache.told()["Engine"] == "valkey"
    with refused("InvalidParameterCombination", "cannot be downgraded"):
        modify(aws, cache, Engine="redis", EngineVersion="7.1", CacheParameterGroupName="redis", ApplyImmediately=True)


def test_cache_changes_wait_on_the_clusters(aws):
    cache = Cache(aws, "waits", "10.66", EngineVersion="7.0")
    allowed = aws.elasticache.list_allowed_node_type_modifications(ReplicationGroupId=cache.name)
    assert "cache.t4g.small" in allowed["ScaleUpModifications"]
    assert allowed["ScaleDownModifications"] == []
    with refused("InvalidParameterValue"):
        modify(aws, cache, CacheNodeType="cache.t9.small", ApplyImmediately=True)
    modify(aws, cache, EngineVersion="7.1", CacheNodeType="cache.t4g.small")
    waiting = {"EngineVersion": "7.1.0", "CacheNodeType": "cache.t4g.small"}
    assert [c["PendingModifiedValues"] for c in cache.clusters()] == [waiting] * 3
    assert cache.told()["CacheNodeType"] == "cache.t4g.micro" and cache.told()["Status"] == "available"
    modify(aws, cache, CacheNodeType="cache.t4g.micro")
    assert [c["PendingModifiedValues"] for c in cache.clusters()] == [{"EngineVersion": "7.1.0"}] * 3
    modify(aws, cache, ApplyImmediately=True)
    assert {(c["EngineVersion"], c["CacheNodeType"]) for c in cache.clusters()} == {("7.1.0", "cache.t4g.micro")}
    assert all(not c["PendingModifiedValues"] for c in cache.clusters())
