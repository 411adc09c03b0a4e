"""What is right is taken: databases and caches made and unmade in the right order."""

from __future__ import annotations

import pytest
from conftest import running
from network import TAGS, Network, unique
from test_rules_data import instance


@pytest.fixture(scope="module")
def server():
    with running("--control-plane-only", "--no-waits") as own:
        yield own


def test_data(server):
    ec2, rds = server.client("ec2"), server.client("rds")
    cache = server.client("elasticache")
    network, name = Network(ec2), unique("game-dev")
    group = network.group()
    rds.create_db_subnet_group(
        DBSubnetGroupName=name,
        DBSubnetGroupDescription="data subnets",
        SubnetIds=network.subnets,
        Tags=TAGS,
    )
    rds.create_db_parameter_group(
        DBParameterGroupName=name,
        DBParameterGroupFamily="mysql8.4",
        Description="game",
        Tags=TAGS,
    )
    rds.modify_db_parameter_group(
        DBParameterGroupName=name,
        Parameters=[
            {
                "ParameterName": "character_set_server",
                "ParameterValue": "utf8mb4",
                "ApplyMethod": "pending-reboot",
            }
        ],
    )
    made = instance(
        name,
        EngineVersion="8.4",
        MultiAZ=True,
        DBParameterGroupName=name,
        VpcSecurityGroupIds=[group],
        DBName="game",
        EnableCloudwatchLogsExports=["error", "slowquery"],
        EngineLifecycleSupport="open-source-rds-extended-support-disabled",
        CopyTagsToSnapshot=True,
        Tags=TAGS,
    )
    primary = made["DBInstanceIdentifier"]
    rds.create_db_instance(**made)
    rds.create_db_instance_read_replica(
        DBInstanceIdentifier=f"{primary}-r1",
        SourceDBInstanceIdentifier=primary,
        DBInstanceClass="db.t4g.micro",
        VpcSecurityGroupIds=[group],
        Tags=TAGS,
    )
    cache.create_cache_subnet_group(
        CacheSubnetGroupName=name,
        CacheSubnetGroupDescription="d",
        SubnetIds=network.subnets,
        Tags=TAGS,
    )
    cache.create_cache_parameter_group(
        CacheParameterGroupName=name,
        CacheParameterGroupFamily="redis7",
        Description="d",
        Tags=TAGS,
    )
    cache.create_replication_group(
        ReplicationGroupId=name[:40],
        ReplicationGroupDescription="ranks",
        Engine="redis",
        EngineVersion="7.1",
        CacheNodeType="cache.t4g.micro",
        NumCacheClusters=3,
        AutomaticFailoverEnabled=True,
        MultiAZEnabled=True,
        CacheSubnetGroupName=name,
        CacheParameterGroupName=name,
        SecurityGroupIds=[group],
        TransitEncryptionEnabled=True,
        AtRestEncryptionEnabled=True,
        AuthToken="A1!&#$^<>-" * 3,
        Tags=TAGS,
    )
    cache.delete_replication_group(ReplicationGroupId=name[:40])
    cache.delete_cache_parameter_group(CacheParameterGroupName=name)
    cache.delete_cache_subnet_group(CacheSubnetGroupName=name)
    rds.delete_db_instance(DBInstanceIdentifier=f"{primary}-r1", SkipFinalSnapshot=True)
    rds.delete_db_instance(
        DBInstanceIdentifier=primary, FinalDBSnapshotIdentifier=f"{primary}-final"
    )
    rds.delete_db_parameter_group(DBParameterGroupName=name)
    rds.delete_db_subnet_group(DBSubnetGroupName=name)
    ec2.delete_security_group(GroupId=group)
    network.remove()
