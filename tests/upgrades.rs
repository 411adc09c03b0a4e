//! Upgrades of database and cache: planned with what players will notice, replicas first, now or in the maintenance window;
//! and nothing left to do afterwards.

use provision_tests::{LocalAws, Ran, root};

fn rehearsal() -> String {
    let text = std::fs::read_to_string(root().join("blueprints/rehearsal.toml")).expect("the blueprint ships");
    edited(&text, &[("engine_version = \"8.4\"", "engine_version = \"8.4.4\""), ("\"7.1\"", "\"7.0\"")])
}

/// `text` with each first of a pair, which must be there, replaced by the second.
fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (old, new)| {
        assert!(text.contains(old), "the blueprint does not say {old:?}");
        text.replacen(old, new, 1)
    })
}

/// The plan's changes: action, address, impact, fields, what players notice and the window that it waits for.
fn planned(plan: &Ran) -> String {
    let document = plan.json();
    let mut lines = Vec::new();
    for change in document["changes"].as_array().expect("changes") {
        let text = |key: &str| change[key].as_str().unwrap_or_default();
        lines.push(format!("{} {} ({})", text("action"), text("address"), text("impact")));
        for field in change["fields"].as_array().into_iter().flatten() {
            lines.push(format!(
                "  {}: {} -> {}",
                field["name"].as_str().unwrap_or_default(),
                field["before"],
                field["after"]
            ));
        }
        for key in ["players", "window"] {
            if let Some(said) = change[key].as_str() {
                lines.push(format!("  {key}: {said}"));
            }
        }
    }
    lines.join("\n")
}

fn up(aws: &LocalAws, blueprint: &str) -> Ran {
    aws.done(&["up", blueprint, "--yes", "--control-plane-only"])
}

/// Plans, applies, and proves that nothing is left to do and nothing has drifted.
fn apply(aws: &LocalAws, name: &str, text: &str) -> String {
    let blueprint = aws.blueprint(name, text);
    let plan = planned(&aws.done(&["plan", &blueprint, "--json"]));
    up(aws, &blueprint);
    aws.done(&["plan", "--check", &blueprint]);
    aws.done(&["drift", "--check", &blueprint]);
    plan
}

/// The order of the instances that were modified.
fn modified(aws: &LocalAws) -> String {
    let code = "for d in api.describe_db_instances()['DBInstances']:\n    \
        print(d['DBInstanceIdentifier'], d['EngineVersion'], d['DBInstanceClass'], d['PendingModifiedValues'])";
    aws.boto3("rds", code)
}

#[test]
fn now_with_replicas_first() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let base = rehearsal();
    let blueprint = aws.blueprint("base.toml", &base);
    up(&aws, &blueprint);
    aws.done(&["plan", "--check", &blueprint]);

    // RDS refuses a source before its replicas: that this is applied at all shows the order.
    let minor = edited(&base, &[("8.4.4", "8.4.5"), ("db.t4g.micro", "db.t4g.medium")]);
    insta::assert_snapshot!("a_minor_version_and_a_class", apply(&aws, "minor.toml", &minor));
    assert_eq!(modified(&aws).matches("8.4.5 db.t4g.medium {}").count(), 2, "{}", modified(&aws));

    let cache = edited(&minor, &[("\"7.0\"", "\"7.1\""), ("cache.t4g.micro", "cache.t4g.small")]);
    insta::assert_snapshot!("a_cache_version_and_a_node_type", apply(&aws, "cache.toml", &cache));
    let valkey = edited(&cache, &[("engine = \"redis\"", "engine = \"valkey\""), ("\"7.1\"", "\"8.0\"")]);
    insta::assert_snapshot!("redis_becomes_valkey", apply(&aws, "valkey.toml", &valkey));
    let told = "g = api.describe_replication_groups()['ReplicationGroups'][0]; print(g['Engine'], g['CacheNodeType'])";
    assert_eq!(aws.boto3("elasticache", told).trim(), "valkey cache.t4g.small");

    // What RDS does by itself under a major version is neither a change nor drift.
    let loose = edited(&valkey, &[("engine_version = \"8.4.5\"", "engine_version = \"8.4\"")]);
    insta::assert_snapshot!("any_minor_version", apply(&aws, "loose.toml", &loose));
    let upgrade = "for d in reversed(api.describe_db_instances()['DBInstances']): \
        api.modify_db_instance(DBInstanceIdentifier=d['DBInstanceIdentifier'], EngineVersion='8.4.6', ApplyImmediately=True)";
    aws.boto3("rds", upgrade);
    let loose = aws.blueprint("loose.toml", &loose);
    aws.done(&["plan", "--check", &loose]);
    aws.done(&["drift", "--check", &loose]);
}

#[test]
fn what_is_not_possible_is_refused_before_anything_changes() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let base = edited(&rehearsal(), &[("engine = \"redis\"", "engine = \"valkey\""), ("\"7.0\"", "\"8.0\"")]);
    up(&aws, &aws.blueprint("base.toml", &base));
    let refused = |name: &str, edits: &[(&str, &str)], says: &[&str]| {
        let blueprint = aws.blueprint(name, &edited(&base, edits));
        aws.forget_calls();
        let ran = aws.run(&["up", &blueprint, "--yes", "--control-plane-only"]);
        assert_eq!(ran.code, Some(1), "{}", ran.err);
        for text in says {
            assert!(ran.err.contains(text), "not said: {text}\n{}", ran.err);
        }
        assert!(!aws.calls().iter().any(|call| call.mutating), "something was changed");
    };
    refused("down.toml", &[("8.4.4", "8.4.3")], &["8.4.4 back to 8.4.3", "engine_version = \"8.4\"", "snapshot"]);
    refused("none.toml", &[("8.4.4", "8.4.9")], &["MySQL 8.4.9"]);
    let back = [("engine = \"valkey\"", "engine = \"redis\""), ("\"8.0\"", "\"7.1\"")];
    refused("redis.toml", &back, &["valkey 8.0.1 back to redis 7.1", "delete-replication-group"]);
    refused("node.toml", &[("cache.t4g.micro", "cache.m7g.16xlarge")], &["ElastiCache does not scale"]);
    refused("small.toml", &[("storage_gb = 20", "storage_gb = 21")], &["storage_gb to 22 or more"]);
}

#[test]
fn in_the_maintenance_window() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let waits = "tls = false              # a local database";
    let later = edited(
        &rehearsal(),
        &[
            (waits, "apply = \"maintenance-window\"\ntls = false              # a local database"),
            (
                "tls = false              # as above",
                "apply = \"maintenance-window\"\ntls = false              # as above",
            ),
        ],
    );
    up(&aws, &aws.blueprint("base.toml", &later));
    let larger = edited(
        &later,
        &[
            ("8.4.4", "8.4.5"),
            ("db.t4g.micro", "db.t4g.medium"),
            ("\"7.0\"", "\"7.1\""),
            ("cache.t4g.micro", "cache.t4g.small"),
        ],
    );
    insta::assert_snapshot!("it_waits_for_the_window", apply(&aws, "larger.toml", &larger));
    let blueprint = aws.blueprint("larger.toml", &larger);

    // Replicas are upgraded, the primary waits, and the status says so.
    let status = aws.done(&["status", &blueprint, "--json"]).json();
    let told = |part: &str, number: usize| {
        let node = &status[part][number];
        format!(
            "{} {} {}",
            node["class"].as_str().or(node["type"].as_str()).unwrap_or("-"),
            node["engine_version"],
            node["waiting"]
        )
    };
    assert_eq!(
        [told("database", 0), told("database", 1), told("cache", 0)],
        [
            r#"db.t4g.micro "8.4.4" ["instance_class: db.t4g.medium","engine_version: 8.4.5"]"#,
            r#"db.t4g.medium "8.4.5" []"#,
            r#"cache.t4g.micro "7.0.7" ["engine_version: 7.1.0","node_type: cache.t4g.small"]"#,
        ]
    );

    // Taken back: nothing waits any more.
    let back = edited(&larger, &[("db.t4g.medium", "db.t4g.micro"), ("cache.t4g.small", "cache.t4g.micro")]);
    insta::assert_snapshot!("it_is_taken_back", apply(&aws, "back.toml", &back));
    assert!(
        modified(&aws).contains("game-dev-database 8.4.4 db.t4g.micro {'EngineVersion': '8.4.5'}"),
        "{}",
        modified(&aws)
    );

    // The window comes.
    aws.boto3("rds", "api.modify_db_instance(DBInstanceIdentifier='game-dev-database', ApplyImmediately=True)");
    aws.boto3(
        "elasticache",
        "api.modify_replication_group(ReplicationGroupId='game-dev-cache', ApplyImmediately=True)",
    );
    let back = aws.blueprint("back.toml", &back);
    assert!(modified(&aws).contains("game-dev-database 8.4.5 db.t4g.micro {}"), "{}", modified(&aws));
    aws.done(&["plan", "--check", &back]);
    aws.done(&["drift", "--check", &back]);

    // What waits is made at once where the blueprint says so.
    apply(&aws, "larger.toml", &larger);
    let now = larger.replace("apply = \"maintenance-window\"", "apply = \"now\"");
    insta::assert_snapshot!("it_does_not_wait_any_longer", apply(&aws, "now.toml", &now));
    assert_eq!(modified(&aws).matches("8.4.5 db.t4g.medium {}").count(), 2, "{}", modified(&aws));
}

#[test]
fn another_major_version_takes_its_parameter_group_along() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    let base = edited(&rehearsal(), &[("engine_version = \"8.4.4\"", "engine_version = \"8.4\"")]);
    let blueprint = aws.blueprint("base.toml", &base);
    up(&aws, &blueprint);
    // As if the stack had been made when 8.0 was current.
    let older = "old = {d['DBInstanceIdentifier']: d for d in api.describe_db_instances()['DBInstances']}\n\
        primary, replica = old['game-dev-database'], old['game-dev-database-replica-1']\n\
        tags = api.list_tags_for_resource(ResourceName=primary['DBInstanceArn'])['TagList']\n\
        replica_tags = api.list_tags_for_resource(ResourceName=replica['DBInstanceArn'])['TagList']\n\
        held = primary['DBParameterGroups'][0]['DBParameterGroupName']\n\
        made = api.describe_db_parameter_groups(DBParameterGroupName=held)['DBParameterGroups'][0]\n\
        group_tags = api.list_tags_for_resource(ResourceName=made['DBParameterGroupArn'])['TagList']\n\
        for d in (replica, primary): api.delete_db_instance(DBInstanceIdentifier=d['DBInstanceIdentifier'], SkipFinalSnapshot=True)\n\
        api.delete_db_parameter_group(DBParameterGroupName=held)\n\
        api.create_db_parameter_group(DBParameterGroupName=held.replace('8-4', '8-0'), DBParameterGroupFamily='mysql8.0', \
            Description=made['Description'], Tags=group_tags)\n\
        groups = [g['VpcSecurityGroupId'] for g in primary['VpcSecurityGroups']]\n\
        api.create_db_instance(DBInstanceIdentifier='game-dev-database', Engine='mysql', EngineVersion='8.0.41', DBName='game', \
            DBInstanceClass='db.t4g.micro', MasterUsername='game', MasterUserPassword='correct-horse', AllocatedStorage=20, \
            StorageType='gp3', StorageEncrypted=True, MultiAZ=True, BackupRetentionPeriod=1, VpcSecurityGroupIds=groups, \
            DBSubnetGroupName=primary['DBSubnetGroup']['DBSubnetGroupName'], DBParameterGroupName=held.replace('8-4', '8-0'), \
            PreferredBackupWindow=primary['PreferredBackupWindow'], CACertificateIdentifier='rds-ca-rsa2048-g1', \
            PreferredMaintenanceWindow=primary['PreferredMaintenanceWindow'], CopyTagsToSnapshot=True, PubliclyAccessible=False, \
            EnableCloudwatchLogsExports=['error', 'slowquery'], Tags=tags)\n\
        api.create_db_instance_read_replica(DBInstanceIdentifier='game-dev-database-replica-1', \
            SourceDBInstanceIdentifier='game-dev-database', DBInstanceClass='db.t4g.micro', VpcSecurityGroupIds=groups, \
            CopyTagsToSnapshot=True, PubliclyAccessible=False, EnableCloudwatchLogsExports=['error', 'slowquery'], Tags=replica_tags)";
    aws.boto3("rds", older);
    // The record of the last run knows nothing of it.
    // The database that was made here by hand has another host name, which the servers' template follows: not part of this.
    let plan = planned(&aws.done(&["plan", &blueprint, "--json"]));
    let plan = plan.split("update launch-template").next().unwrap_or_default().trim_end();
    insta::assert_snapshot!("another_major_version", plan);
    aws.done(&["up", &blueprint, "--yes", "--control-plane-only", "--overwrite-drift"]);
    aws.done(&["plan", "--check", &blueprint]);
    assert_eq!(modified(&aws).matches("8.4.6").count(), 2, "{}", modified(&aws));
    let families = "print(sorted(g['DBParameterGroupFamily'] for g in api.describe_db_parameter_groups()['DBParameterGroups'] \
        if not g['DBParameterGroupName'].startswith('default.')))";
    assert_eq!(aws.boto3("rds", families).trim(), "['mysql8.4']");
}
