//! Nothing that `provision` sends for the blueprints that ship, their updates and their teardown is refused, neither by
//! botocore's service models nor by the rules of the local AWS. What is wrong is refused, with AWS's code.

use provision_tests::{LocalAws, root};

/// Old text, new text.
type Edit = (&'static str, &'static str);

/// The blueprint, and the edits of each update after the first `up`.
const CYCLES: &[(&str, &[&[Edit]])] = &[
    (
        "rehearsal",
        &[
            &[
                ("read_replicas = 1", "read_replicas = 2"),
                ("db.t4g.micro", "db.t4g.small"),
                ("t3.small", "t3.medium"),
                ("http = \"serve\"", "http = \"redirect\""),
                ("zones = 2", "zones = 3"),
            ],
            &[("nat = \"per-zone\"", "nat = \"single\""), ("10.0.0.0/16", "10.1.0.0/16")],
        ],
    ),
    ("starter", &[&[("deletion_protection = true", "deletion_protection = false"), ("t3.small", "t3.medium")]]),
    ("production", &[&[("deletion_protection = true", "deletion_protection = false")]]),
];

/// Calls of boto3, wrong on purpose, and the code that AWS answers with.
const WRONG: &[(&str, &str, &str)] = &[
    ("ec2", "create_vpc(CidrBlock='10.0.0.0/8')", "InvalidVpc.Range"),
    ("ec2", "create_subnet(CidrBlock='10.0.0.0/24')", "MissingParameter"),
    (
        "ec2",
        "create_launch_template(LaunchTemplateName='a b', LaunchTemplateData={})",
        "InvalidLaunchTemplateName.MalformedException",
    ),
    (
        "rds",
        "create_db_instance(DBInstanceIdentifier='two--hyphens', DBInstanceClass='db.t4g.micro', Engine='mysql')",
        "InvalidParameterValue",
    ),
    (
        "rds",
        "create_db_subnet_group(DBSubnetGroupName='one', DBSubnetGroupDescription='d', SubnetIds=[])",
        "DBSubnetGroupDoesNotCoverEnoughAZs",
    ),
    (
        "elasticache",
        "create_replication_group(ReplicationGroupId='9lives', ReplicationGroupDescription='d')",
        "InvalidParameterValue",
    ),
    ("elbv2", "create_load_balancer(Name='internal-lb', Subnets=['subnet-1', 'subnet-2'])", "ValidationError"),
    ("dynamodb", "create_table(TableName='a', KeySchema=[], AttributeDefinitions=[])", "ValidationException"),
    ("iam", "create_role(RoleName='x' * 65, AssumeRolePolicyDocument='{}')", "ValidationError"),
    ("acm", "request_certificate(DomainName='a.test', IdempotencyToken='has-a-hyphen')", "ValidationException"),
    ("logs", "put_retention_policy(logGroupName='a', retentionInDays=2)", "InvalidParameterException"),
    (
        "cloudwatch",
        "put_metric_alarm(AlarmName='a', EvaluationPeriods=0, ComparisonOperator='Never')",
        "ValidationError",
    ),
    ("secretsmanager", "create_secret(Name='a b')", "ValidationException"),
    ("autoscaling", "create_auto_scaling_group(AutoScalingGroupName='a', MinSize=1)", "ValidationError"),
];

#[test]
fn nothing_that_is_sent_is_refused() {
    let (mut sent, mut refused) = (0, Vec::new());
    for (name, updates) in CYCLES {
        let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
        let path = root().join(format!("blueprints/{name}.toml"));
        let mut text = std::fs::read_to_string(path).expect("the blueprint ships");
        let mut blueprint = aws.blueprint("0.toml", &text);
        aws.done(&["up", &blueprint, "--yes", "--control-plane-only"]);
        for (number, update) in updates.iter().enumerate() {
            for (old, new) in *update {
                assert!(text.contains(old), "{name} does not say {old:?}");
                text = text.replace(old, new);
            }
            blueprint = aws.blueprint(&format!("{}.toml", number + 1), &text);
            aws.done(&["up", &blueprint, "--yes", "--control-plane-only", "--allow-data-loss"]);
        }
        let down = aws.done(&["down", &blueprint, "--yes"]);
        assert!(down.out.contains("0 left"), "{}", down.out);
        for call in aws.calls() {
            sent += 1;
            if let Some((by, code)) = call.refused {
                refused.push(format!("{name}: {} {} {code}, by the {by}", call.service, call.action));
            }
        }
    }
    println!("{sent} requests of three blueprints, their updates and teardown: {} refused", refused.len());
    assert!(refused.is_empty(), "{refused:#?}");
}

#[test]
fn wrong_requests_are_refused() {
    let aws = LocalAws::start(&["--no-waits", "--control-plane-only"]);
    for (service, call, code) in WRONG {
        let script = format!(
            "from botocore.config import Config\nfrom botocore.exceptions import ClientError\n\
             api = boto3.client({service:?}, endpoint_url={:?}, region_name='eu-central-1', \
             config=Config(parameter_validation=False, retries={{'total_max_attempts': 1}}))\n\
             try:\n    api.{call}\n    print('accepted')\n\
             except ClientError as error:\n    print(error.response['Error']['Code'])",
            aws.url
        );
        assert_eq!(aws.boto3(service, &script).trim(), *code, "{service} {call}");
    }
    let refused = aws.calls().iter().filter(|call| call.refused.is_some()).count();
    assert_eq!(refused, WRONG.len(), "refused by the model or the rules");
    println!("{refused} wrong requests refused, each with AWS's code");
}
