"""RDS, ElastiCache and DynamoDB refuse what they refuse on AWS."""

from __future__ import annotations

import pytest
from network import Network, unique


@pytest.fixture
def network(aws):
    return Network(aws("ec2"))


@pytest.fixture
def rds(aws):
    return aws("rds")


@pytest.fixture
def cache(aws):
    return aws("elasticache")


@pytest.fixture
def subnet_group(rds, network):
    name = unique("db")
    rds.create_db_subnet_group(
        DBSubnetGroupName=name,
        DBSubnetGroupDescription="d",
        SubnetIds=network.subnets,
    )
    return name


def instance(group, **changes):
    params = {
        "DBInstanceIdentifier": unique("db"),
        "DBInstanceClass": "db.t4g.micro",
        "Engine": "mysql",
        "EngineVersion": "8.4.5",
        "MasterUsername": "game",
        "MasterUserPassword": "correct-horse-9",
        "AllocatedStorage": 20,
        "StorageType": "gp3",
        "StorageEncrypted": True,
        "BackupRetentionPeriod": 7,
        "DBSubnetGroupName": group,
        **changes,
    }
    return {key: value for key, value in params.items() if value is not None}


BAD_INSTANCES = [
    ({"Iops": 3000}, "InvalidParameterCombination"),
    ({"StorageThroughput": 125}, "InvalidParameterCombination"),
    ({"AllocatedStorage": 400, "Iops": 3000}, "InvalidParameterCombination"),
    ({"AllocatedStorage": 10}, "InvalidParameterValue"),
    ({"EnablePerformanceInsights": True}, "InvalidParameterCombination"),
    (
        {"DBInstanceClass": "db.m7g.large", "DatabaseInsightsMode": "advanced"},
        "InvalidParameterCombination",
    ),
    ({"DBInstanceClass": "t4g.micro"}, "InvalidParameterValue"),
    ({"MasterUserPassword": "short"}, "InvalidParameterValue"),
    ({"MasterUserPassword": "with@at-sign"}, "InvalidParameterValue"),
    ({"MasterUsername": "9lives"}, "InvalidParameterValue"),
    ({"MasterUsername": "far-too-long-user-name"}, "InvalidParameterValue"),
    ({"MasterUserPassword": None}, "MissingParameter"),
    ({"DBInstanceIdentifier": "two--hyphens"}, "InvalidParameterValue"),
    ({"DBInstanceIdentifier": "ends-"}, "InvalidParameterValue"),
    ({"MultiAZ": True, "AvailabilityZone": "eu-west-1a"}, "InvalidParameterCombination"),
    ({"MonitoringInterval": 7}, "InvalidParameterValue"),
    ({"EnableCloudwatchLogsExports": ["postgresql"]}, "InvalidParameterCombination"),
    ({"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidParameterValue"),
]


@pytest.mark.parametrize(("changes", "code"), BAD_INSTANCES)
def test_instances_that_cannot_be(rds, subnet_group, refused, changes, code):
    refused(code, rds.create_db_instance, **instance(subnet_group, **changes))


def test_replicas(rds, subnet_group, refused):
    call = rds.create_db_instance_read_replica
    source = instance(subnet_group, BackupRetentionPeriod=0)
    name = source["DBInstanceIdentifier"]
    rds.create_db_instance(**source)
    replica = {
        "DBInstanceIdentifier": unique("r"),
        "SourceDBInstanceIdentifier": name,
    }
    refused("InvalidDBInstanceState", call, **replica)
    rds.modify_db_instance(
        DBInstanceIdentifier=name, BackupRetentionPeriod=1, ApplyImmediately=True
    )
    refused("DBSubnetGroupNotAllowedFault", call, **replica, DBSubnetGroupName=subnet_group)
    call(**replica)
    refused(
        "InvalidParameterCombination",
        rds.delete_db_instance,
        DBInstanceIdentifier=replica["DBInstanceIdentifier"],
        FinalDBSnapshotIdentifier=unique("s"),
    )
    refused(
        "InvalidParameterCombination",
        rds.modify_db_instance,
        DBInstanceIdentifier=name,
        ManageMasterUserPassword=True,
    )


def test_replica_of_a_managed_password(rds, subnet_group, refused):
    source = instance(subnet_group, MasterUserPassword=None, ManageMasterUserPassword=True)
    rds.create_db_instance(**source)
    refused(
        "InvalidParameterCombination",
        rds.create_db_instance_read_replica,
        DBInstanceIdentifier=unique("r"),
        SourceDBInstanceIdentifier=source["DBInstanceIdentifier"],
    )


def test_deleting_an_instance(rds, subnet_group, refused):
    made = instance(subnet_group, DeletionProtection=True)
    name = made["DBInstanceIdentifier"]
    rds.create_db_instance(**made)
    delete = rds.delete_db_instance
    refused(
        "InvalidParameterCombination",
        delete,
        DBInstanceIdentifier=name,
        SkipFinalSnapshot=True,
    )
    rds.modify_db_instance(
        DBInstanceIdentifier=name, DeletionProtection=False, ApplyImmediately=True
    )
    refused("InvalidParameterCombination", delete, DBInstanceIdentifier=name)
    snapshot = unique("s")
    rds.create_db_snapshot(DBInstanceIdentifier=name, DBSnapshotIdentifier=snapshot)
    refused(
        "DBSnapshotAlreadyExists",
        delete,
        DBInstanceIdentifier=name,
        FinalDBSnapshotIdentifier=snapshot,
    )
    delete(DBInstanceIdentifier=name, SkipFinalSnapshot=True)


def test_groups_in_use(rds, subnet_group, refused):
    group = unique("pg")
    rds.create_db_parameter_group(
        DBParameterGroupName=group, DBParameterGroupFamily="mysql8.4", Description="d"
    )
    made = instance(subnet_group, DBParameterGroupName=group)
    rds.create_db_instance(**made)
    refused(
        "InvalidDBSubnetGroupStateFault",
        rds.delete_db_subnet_group,
        DBSubnetGroupName=subnet_group,
    )
    refused(
        "InvalidDBParameterGroupState",
        rds.delete_db_parameter_group,
        DBParameterGroupName=group,
    )
    rds.delete_db_instance(
        DBInstanceIdentifier=made["DBInstanceIdentifier"], SkipFinalSnapshot=True
    )
    rds.delete_db_parameter_group(DBParameterGroupName=group)
    rds.delete_db_subnet_group(DBSubnetGroupName=subnet_group)


def test_an_instance_holds_its_security_group(aws, rds, network, subnet_group, refused):
    group = network.group()
    rds.create_db_instance(**instance(subnet_group, VpcSecurityGroupIds=[group]))
    refused("DependencyViolation", aws("ec2").delete_security_group, GroupId=group)


def test_subnet_groups_need_two_zones(rds, network, refused):
    refused(
        "DBSubnetGroupDoesNotCoverEnoughAZs",
        rds.create_db_subnet_group,
        DBSubnetGroupName=unique("db"),
        DBSubnetGroupDescription="d",
        SubnetIds=network.subnets[:1],
    )


def test_parameters(rds, refused):
    group = unique("pg")
    rds.create_db_parameter_group(
        DBParameterGroupName=group, DBParameterGroupFamily="mysql8.4", Description="d"
    )

    def change(*names, method="pending-reboot"):
        return {
            "DBParameterGroupName": group,
            "Parameters": [
                {"ParameterName": n, "ParameterValue": "1", "ApplyMethod": method} for n in names
            ],
        }

    call = rds.modify_db_parameter_group
    refused("InvalidParameterValue", call, **change(*[f"p{n}" for n in range(21)]))
    refused(
        "InvalidParameterCombination",
        call,
        **change("performance_schema", method="immediate"),
    )
    call(**change("slow_query_log"))


def replication_group(**changes):
    params = {
        "ReplicationGroupId": unique("c"),
        "ReplicationGroupDescription": "d",
        "Engine": "redis",
        "CacheNodeType": "cache.t4g.micro",
        "NumCacheClusters": 2,
        "AutomaticFailoverEnabled": True,
        **changes,
    }
    return {key: value for key, value in params.items() if value is not None}


BAD_CACHES = [
    ({"AuthToken": "x" * 20}, "InvalidParameterValue"),
    (
        {
            "AuthToken": "short",
            "TransitEncryptionEnabled": True,
            "CacheSubnetGroupName": "any",
        },
        "InvalidParameterValue",
    ),
    (
        {"AuthToken": "at-signs@are-not-allowed", "TransitEncryptionEnabled": True},
        "InvalidParameterValue",
    ),
    ({"MultiAZEnabled": True, "AutomaticFailoverEnabled": False}, "InvalidParameterValue"),
    ({"NumCacheClusters": 1}, "InvalidParameterValue"),
    ({"ReplicasPerNodeGroup": 1}, "InvalidParameterCombination"),
    ({"ReplicationGroupId": "double--hyphen"}, "InvalidParameterValue"),
    ({"ReplicationGroupId": "x" * 41}, "InvalidParameterValue"),
    ({"ReplicationGroupDescription": None}, "MissingParameter"),
    ({"CacheSubnetGroupName": "no-such-group"}, "CacheSubnetGroupNotFoundFault"),
    ({"PreferredCacheClusterAZs": ["eu-west-1a"]}, "InvalidParameterValue"),
    ({"CacheNodeType": "cache.t2.micro"}, "InvalidParameterValue"),
]


@pytest.mark.parametrize(("changes", "code"), BAD_CACHES)
def test_caches_that_cannot_be(cache, refused, changes, code):
    refused(code, cache.create_replication_group, **replication_group(**changes))


def test_what_a_cache_uses_stays(aws, cache, network, refused):
    name, group = unique("cs"), network.group()
    cache.create_cache_subnet_group(
        CacheSubnetGroupName=name,
        CacheSubnetGroupDescription="d",
        SubnetIds=network.subnets,
    )
    made = cache.create_replication_group(
        **replication_group(CacheSubnetGroupName=name, SecurityGroupIds=[group])
    )["ReplicationGroup"]
    refused(
        "CacheSubnetGroupInUse",
        cache.delete_cache_subnet_group,
        CacheSubnetGroupName=name,
    )
    refused("DependencyViolation", aws("ec2").delete_security_group, GroupId=group)
    [member, *_] = made["MemberClusters"]
    refused("InvalidCacheClusterState", cache.delete_cache_cluster, CacheClusterId=member)
