"""DB instances, replicas, snapshots, parameter groups, and what RDS offers."""

import pytest
from gaps_server import Aws, Network, eventually, refused, server_fixture

aws = server_fixture("--no-waits")
# 100 s of AWS are 1 s here.
slow = server_fixture("--time-scale", "100")


class Database:
    def __init__(self, aws: Aws, name: str, cidr: str = "10.50", **more) -> None:
        self.aws, self.name = aws, name
        self.network = Network(aws, cidr)
        aws.rds.create_db_subnet_group(
            DBSubnetGroupName=name, DBSubnetGroupDescription="d", SubnetIds=self.network.subnets
        )
        self.made = aws.rds.create_db_instance(
            **{
                "DBInstanceIdentifier": name,
                "DBInstanceClass": "db.t4g.medium",
                "Engine": "mysql",
                "EngineVersion": "8.4",
                "AllocatedStorage": 20,
                "StorageType": "gp3",
                "StorageEncrypted": True,
                "MasterUsername": "game",
                "MasterUserPassword": "correct-horse",
                "MultiAZ": True,
                "BackupRetentionPeriod": 7,
                "DBSubnetGroupName": name,
                "VpcSecurityGroupIds": [self.network.group],
                "Tags": [{"Key": "provision:stack", "Value": name}],
                **more,
            }
        )["DBInstance"]

    def told(self, name=None):
        found = self.aws.rds.describe_db_instances(DBInstanceIdentifier=name or self.name)
        return found["DBInstances"][0]

    def status(self, name=None):
        return self.told(name)["DBInstanceStatus"]

    def available(self, name=None):
        eventually(lambda: self.status(name) == "available")
        return self.told(name)

    def modify(self, **changes):
        return self.aws.rds.modify_db_instance(DBInstanceIdentifier=self.name, **changes)

    def delete(self, name=None):
        self.aws.rds.delete_db_instance(
            DBInstanceIdentifier=name or self.name, SkipFinalSnapshot=True
        )

    def gone(self, name=None):
        def probe():
            try:
                self.told(name)
            except self.aws.rds.exceptions.DBInstanceNotFoundFault as error:
                assert error.response["Error"]["Code"] == "DBInstanceNotFound"
                return True

        eventually(probe)


def test_an_instance_is_created_in_time_and_tells_its_endpoint_then(slow):
    db = Database(slow, "timed")
    assert db.made["DBInstanceStatus"] == "creating"
    assert "Endpoint" not in db.told()
    with refused("InvalidDBInstanceState"):
        db.modify(DeletionProtection=True)
    with refused("InvalidDBInstanceState"):
        db.delete()
    eventually(lambda: db.status() == "backing-up")
    told = db.available()
    assert told["EngineVersion"] == "8.4.6"
    assert told["Endpoint"]["Address"].startswith("timed.") and told["Endpoint"]["Port"] == 3306
    assert {told["AvailabilityZone"], told["SecondaryAvailabilityZone"]} == {
        "us-east-1a",
        "us-east-1b",
    }
    assert told["TagList"] == [{"Key": "provision:stack", "Value": "timed"}]
    assert told["VpcSecurityGroups"][0]["VpcSecurityGroupId"] == db.network.group
    assert told["DBSubnetGroup"]["DBSubnetGroupName"] == "timed"


def test_a_class_change_is_a_failover_and_takes_its_time(slow):
    db = Database(slow, "bigger", "10.51")
    before = db.available()
    answer = db.modify(DBInstanceClass="db.t4g.large", ApplyImmediately=True)["DBInstance"]
    assert answer["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.large"}
    assert answer["DBInstanceClass"] == "db.t4g.medium"
    assert db.status() == "modifying"
    after = db.available()
    assert after["DBInstanceClass"] == "db.t4g.large" and not after.get("PendingModifiedValues")
    assert after["AvailabilityZone"] == before["SecondaryAvailabilityZone"]


def test_what_is_not_immediate_waits_for_the_window(aws):
    db = Database(aws, "window", "10.52")
    db.modify(DBInstanceClass="db.t4g.large")
    told = db.told()
    assert told["DBInstanceClass"] == "db.t4g.medium"
    assert told["PendingModifiedValues"] == {"DBInstanceClass": "db.t4g.large"}
    db.modify(BackupRetentionPeriod=3, ApplyImmediately=True)
    told = db.told()
    assert (told["DBInstanceClass"], told["BackupRetentionPeriod"]) == ("db.t4g.large", 3)


def test_deletion_takes_time_and_a_final_snapshot(slow):
    db = Database(slow, "final", "10.53", DeletionProtection=True, CopyTagsToSnapshot=True)
    db.available()
    with refused("InvalidParameterCombination"):
        db.delete()
    db.modify(DeletionProtection=False, ApplyImmediately=True)
    with refused("InvalidParameterCombination"):
        slow.rds.delete_db_instance(DBInstanceIdentifier="final")
    slow.rds.delete_db_instance(
        DBInstanceIdentifier="final", FinalDBSnapshotIdentifier="final-kept"
    )

    def snapshot():
        return slow.rds.describe_db_snapshots(DBSnapshotIdentifier="final-kept")["DBSnapshots"][0]

    assert snapshot()["Status"] == "creating"
    assert db.status() == "deleting"
    eventually(lambda: snapshot()["Status"] == "available")
    assert snapshot()["TagList"] == [{"Key": "provision:stack", "Value": "final"}]
    with refused("InvalidDBInstanceState"):
        db.delete()
    db.gone()
    left = slow.rds.describe_db_snapshots(DBInstanceIdentifier="final")["DBSnapshots"]
    assert [s["DBSnapshotIdentifier"] for s in left] == ["final-kept"]


def test_a_replica_needs_an_available_source_with_backups(slow):
    db = Database(slow, "source", "10.54", DeletionProtection=True)

    def replicate(name="source-replica"):
        return slow.rds.create_db_instance_read_replica(
            DBInstanceIdentifier=name,
            SourceDBInstanceIdentifier="source",
            VpcSecurityGroupIds=[db.network.group],
            Tags=[{"Key": "role", "Value": "replica"}],
        )["DBInstance"]

    with refused("InvalidDBInstanceState", "available state"):
        replicate()
    source = db.available()
    replica = replicate()
    assert replica["DBInstanceStatus"] == "creating" and "Endpoint" not in replica
    told = db.available("source-replica")
    assert told["ReadReplicaSourceDBInstanceIdentifier"] == "source"
    assert told["TagList"] == [{"Key": "role", "Value": "replica"}]
    assert told["DeletionProtection"] is True and told["BackupRetentionPeriod"] == 0
    assert not told["MultiAZ"]
    assert told["Endpoint"]["Address"] != source["Endpoint"]["Address"]
    assert told["DbiResourceId"] != source["DbiResourceId"]
    assert db.told()["ReadReplicaDBInstanceIdentifiers"] == ["source-replica"]
    with refused("DBInstanceAlreadyExists"):
        replicate()
    slow.rds.modify_db_instance(DBInstanceIdentifier="source-replica", DeletionProtection=False)
    assert db.told()["DeletionProtection"] is True
    with refused("InvalidParameterCombination"):
        slow.rds.delete_db_instance(
            DBInstanceIdentifier="source-replica", FinalDBSnapshotIdentifier="no"
        )
    db.delete("source-replica")
    db.gone("source-replica")
    assert not db.told()["ReadReplicaDBInstanceIdentifiers"]


def test_no_replica_without_backups(aws):
    Database(aws, "no-backups", "10.55", BackupRetentionPeriod=0)
    with refused("InvalidDBInstanceState", "Automated backups"):
        aws.rds.create_db_instance_read_replica(
            DBInstanceIdentifier="r", SourceDBInstanceIdentifier="no-backups"
        )


def test_a_reboot_with_failover_changes_the_zone(slow):
    db = Database(slow, "reboot", "10.56")
    before = db.available()
    slow.rds.reboot_db_instance(DBInstanceIdentifier="reboot", ForceFailover=True)
    assert db.status() == "rebooting"
    assert db.available()["AvailabilityZone"] == before["SecondaryAvailabilityZone"]


def test_no_failover_without_a_standby(aws):
    Database(aws, "single", "10.57", MultiAZ=False)
    with refused("InvalidParameterCombination"):
        aws.rds.reboot_db_instance(DBInstanceIdentifier="single", ForceFailover=True)


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"DBInstanceClass": "db.t9.tiny"}, "InvalidParameterCombination"),
        ({"EngineVersion": "9.9"}, "InvalidParameterCombination"),
        ({"VpcSecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidParameterValue"),
    ],
)
def test_what_is_not_on_offer_is_refused(aws, wrong, code):
    name = f"wrong-{list(wrong)[0].lower()}"
    with refused(code):
        Database(aws, name, "10.58", **wrong)


def test_offers_and_versions(aws):
    versions = aws.rds.describe_db_engine_versions(Engine="mysql", EngineVersion="8.4")
    assert {v["DBParameterGroupFamily"] for v in versions["DBEngineVersions"]} == {"mysql8.4"}
    default = aws.rds.describe_db_engine_versions(
        Engine="mysql", EngineVersion="8.4", DefaultOnly=True
    )
    assert [v["EngineVersion"] for v in default["DBEngineVersions"]] == ["8.4.6"]
    options = aws.rds.get_paginator("describe_orderable_db_instance_options").paginate(
        Engine="mysql", EngineVersion="8.4.6"
    )
    offered = [o for page in options for o in page["OrderableDBInstanceOptions"]]
    assert len(offered) > 100
    medium = [o for o in offered if o["DBInstanceClass"] == "db.t4g.medium"]
    assert {o["StorageType"] for o in medium} >= {"gp2", "gp3"}
    assert {"Name": "us-east-1a"} in medium[0]["AvailabilityZones"]


def test_parameters_and_what_waits_for_a_reboot(aws):
    aws.rds.create_db_parameter_group(
        DBParameterGroupName="params", DBParameterGroupFamily="mysql8.4", Description="d"
    )
    db = Database(aws, "params", "10.59", DBParameterGroupName="params")

    def change(name, value, method):
        aws.rds.modify_db_parameter_group(
            DBParameterGroupName="params",
            Parameters=[
                {"ParameterName": name, "ParameterValue": value, "ApplyMethod": method}
            ],
        )

    with refused("InvalidParameterCombination"):
        change("performance_schema", "1", "immediate")
    change("max_connections", "500", "immediate")
    assert db.told()["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    change("performance_schema", "1", "pending-reboot")
    assert db.told()["DBParameterGroups"][0]["ParameterApplyStatus"] == "pending-reboot"
    aws.rds.reboot_db_instance(DBInstanceIdentifier="params")
    assert db.told()["DBParameterGroups"][0]["ParameterApplyStatus"] == "in-sync"
    held = aws.rds.describe_db_parameters(DBParameterGroupName="params", Source="user")
    assert {p["ParameterName"] for p in held["Parameters"]} == {
        "max_connections",
        "performance_schema",
    }
    with refused("InvalidParameterValue"):
        aws.rds.create_db_parameter_group(
            DBParameterGroupName="x", DBParameterGroupFamily="mysql9", Description="d"
        )


def test_exported_logs_have_groups_that_stay(aws):
    db = Database(aws, "logs", "10.60", EnableCloudwatchLogsExports=["error", "slowquery"])

    def groups():
        listed = aws.logs.describe_log_groups(logGroupNamePrefix="/aws/rds/instance/logs/")
        return [group["logGroupName"].rsplit("/", 1)[1] for group in listed["logGroups"]]

    assert groups() == ["error", "slowquery"]
    db.delete()
    assert groups() == ["error", "slowquery"]


def test_a_subnet_group_lives_through_a_change(aws):
    db = Database(aws, "grown", "10.57", MultiAZ=False)
    more = aws.ec2.create_subnet(
        VpcId=db.network.vpc, CidrBlock="10.57.9.0/24", AvailabilityZone="us-east-1c"
    )["Subnet"]["SubnetId"]
    subnets = {*db.network.subnets, more}
    aws.rds.modify_db_subnet_group(DBSubnetGroupName="grown", SubnetIds=sorted(subnets))
    group = aws.rds.describe_db_subnet_groups(DBSubnetGroupName="grown")["DBSubnetGroups"][0]
    assert {subnet["SubnetIdentifier"] for subnet in group["Subnets"]} == subnets
