//! The IAM policy that `provision` needs: each action on the resources that it needs it for. Tests hold it to the calls
//! that are made, and to AWS's own list of what an action can be limited by.

use serde_json::{Map, Value, json};

/// What the policy is for. What is not known is left open.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// The stack's name.
    pub stack: Option<String>,
    /// Its home region.
    pub region: Option<String>,
    /// The account.
    pub account: Option<String>,
    /// An existing VPC that the stack is made in.
    pub vpc: Option<String>,
    /// Hosted zones whose records are changed.
    pub zones: Vec<String>,
}

/// A further limit of a statement.
enum Only {
    /// None: the resources say it all, or the actions take no limit.
    Listed,
    /// What is made is tagged as the stack's in the same call.
    Tagging,
    /// What is changed is tagged as the stack's.
    Tagged,
    /// Operator, key and values of a condition.
    If(&'static str, &'static str, &'static [&'static str]),
    /// Records of the zones, where these are known.
    Records,
}

struct Statement {
    sid: &'static str,
    actions: &'static [&'static str],
    resources: &'static [&'static str],
    only: Only,
}

/// The resource of an action that cannot be limited by one, or whose resources have no names beforehand.
const ANY: &[&str] = &["*"];

/// Placeholders in ARNs: `{partition}`, `{region}`, `{account}`, `{name}` of the stack, and `{stack}`, with which the names
/// of the stack's resources begin; `{stack23}` where names are so short that the stack's is cut after so many characters.
#[rustfmt::skip]
const STATEMENTS: &[Statement] = &[
    Statement { sid: "Look", only: Only::Listed, resources: ANY, actions: &[
        "acm:ListCertificates",
        "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes", "autoscaling:DescribePolicies",
        "autoscaling:DescribeScalingActivities",
        "cloudfront:ListDistributions", "cloudfront:ListOriginAccessControls",
        "cloudwatch:DescribeAlarms",
        "ec2:DescribeAddresses", "ec2:DescribeAvailabilityZones", "ec2:DescribeInstanceTypeOfferings",
        "ec2:DescribeInstanceTypes", "ec2:DescribeInstances", "ec2:DescribeInternetGateways", "ec2:DescribeLaunchTemplateVersions",
        "ec2:DescribeLaunchTemplates", "ec2:DescribeNatGateways", "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables", "ec2:DescribeSecurityGroupRules", "ec2:DescribeSecurityGroups",
        "ec2:DescribeSnapshots", "ec2:DescribeSubnets", "ec2:DescribeVolumes", "ec2:DescribeVpcAttribute",
        "ec2:DescribeVpcEndpoints", "ec2:DescribeVpcs",
        "elasticache:DescribeCacheClusters", "elasticache:DescribeCacheEngineVersions", "elasticache:DescribeCacheParameterGroups",
        "elasticache:DescribeCacheParameters", "elasticache:DescribeCacheSubnetGroups",
        "elasticache:DescribeReplicationGroups", "elasticache:DescribeReservedCacheNodesOfferings",
        "elasticloadbalancing:DescribeListeners", "elasticloadbalancing:DescribeLoadBalancers",
        "elasticloadbalancing:DescribeTags", "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetGroups", "elasticloadbalancing:DescribeTargetHealth",
        "iam:GetAccountSummary", "iam:SimulatePrincipalPolicy",
        "logs:DescribeLogGroups",
        "rds:DescribeDBInstances", "rds:DescribeDBParameterGroups", "rds:DescribeDBParameters",
        "rds:DescribeDBSnapshots", "rds:DescribeDBSubnetGroups", "rds:DescribeOrderableDBInstanceOptions",
        "route53:GetHostedZoneCount", "route53:ListHostedZones", "route53:ListHostedZonesByName",
        "s3:ListAllMyBuckets",
        "secretsmanager:ListSecrets",
        "servicequotas:GetAWSDefaultServiceQuota", "servicequotas:GetServiceQuota",
        "sts:GetCallerIdentity",
    ] },
    Statement { sid: "NetworkMake", only: Only::Tagging, resources: ANY, actions: &[
        "ec2:AllocateAddress", "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress",
        "ec2:CreateInternetGateway", "ec2:CreateLaunchTemplate", "ec2:CreateNatGateway", "ec2:CreateRouteTable",
        "ec2:CreateSecurityGroup", "ec2:CreateSubnet", "ec2:CreateTags", "ec2:CreateVpc", "ec2:CreateVpcEndpoint",
    ] },
    // What is made in, or of, something of the stack needs that allowed too.
    Statement { sid: "NetworkChange", only: Only::Tagged, resources: ANY, actions: &[
        "ec2:AssociateRouteTable", "ec2:AttachInternetGateway", "ec2:AuthorizeSecurityGroupEgress",
        "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateLaunchTemplateVersion", "ec2:CreateNatGateway",
        "ec2:CreateRoute", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet",
        "ec2:CreateVpcEndpoint", "ec2:DeleteInternetGateway", "ec2:DeleteLaunchTemplate", "ec2:DeleteNatGateway",
        "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteVpc",
        "ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway", "ec2:DisassociateRouteTable",
        "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress",
        "ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation", "ec2:RevokeSecurityGroupEgress",
        "ec2:RevokeSecurityGroupIngress",
    ] },
    // An existing VPC carries no tags of the stack.
    Statement { sid: "NetworkUse", only: Only::Listed, actions: &[
        "ec2:AttachInternetGateway", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup", "ec2:CreateSubnet",
        "ec2:CreateVpcEndpoint", "ec2:DetachInternetGateway",
    ], resources: &["arn:{partition}:ec2:{region}:{account}:vpc/{vpc}"] },
    // Asked as a dry run; AWS asks for it where a group is made from a launch template.
    Statement { sid: "Launch", actions: &["ec2:RunInstances"], resources: ANY,
        only: Only::If("ArnLike", "ec2:LaunchTemplate", &["arn:{partition}:ec2:{region}:{account}:launch-template/*"]) },
    Statement { sid: "Image", only: Only::Listed, actions: &["ssm:GetParameter"],
        resources: &["arn:{partition}:ssm:{region}::parameter/aws/service/ami-amazon-linux-latest/*"] },
    Statement { sid: "Groups", only: Only::Listed, actions: &[
        "autoscaling:AttachLoadBalancerTargetGroups", "autoscaling:CreateAutoScalingGroup",
        "autoscaling:CreateOrUpdateTags", "autoscaling:DeleteAutoScalingGroup", "autoscaling:DeletePolicy",
        "autoscaling:DetachLoadBalancerTargetGroups", "autoscaling:PutScalingPolicy", "autoscaling:StartInstanceRefresh",
        "autoscaling:UpdateAutoScalingGroup",
    ], resources: &["arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{stack}*"] },
    Statement { sid: "Balancers", only: Only::Listed, actions: &[
        "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:SetSecurityGroups",
        "elasticloadbalancing:SetSubnets",
    ], resources: &[
        "arn:{partition}:elasticloadbalancing:{region}:{account}:loadbalancer/app/{stack23}*/*",
        "arn:{partition}:elasticloadbalancing:{region}:{account}:listener/app/{stack23}*/*/*",
        "arn:{partition}:elasticloadbalancing:{region}:{account}:targetgroup/{stack23}*/*",
    ] },
    Statement { sid: "Databases", only: Only::Listed, actions: &[
        "rds:AddTagsToResource", "rds:CreateDBInstance", "rds:CreateDBInstanceReadReplica", "rds:CreateDBParameterGroup",
        "rds:CreateDBSnapshot", "rds:CreateDBSubnetGroup", "rds:DeleteDBInstance", "rds:DeleteDBParameterGroup",
        "rds:DeleteDBSubnetGroup", "rds:ListTagsForResource", "rds:ModifyDBInstance", "rds:ModifyDBParameterGroup",
        "rds:ModifyDBSubnetGroup", "rds:RemoveTagsFromResource", "rds:ResetDBParameterGroup",
    ], resources: &[
        "arn:{partition}:rds:{region}:{account}:db:{stack}*", "arn:{partition}:rds:{region}:{account}:pg:{stack}*",
        "arn:{partition}:rds:{region}:{account}:subgrp:{stack}*",
        "arn:{partition}:rds:{region}:{account}:snapshot:{stack}*",
        "arn:{partition}:rds:{region}:{account}:og:default*",
    ] },
    Statement { sid: "Caches", only: Only::Listed, actions: &[
        "elasticache:AddTagsToResource", "elasticache:CreateCacheParameterGroup", "elasticache:CreateCacheSubnetGroup",
        "elasticache:CreateReplicationGroup", "elasticache:DecreaseReplicaCount", "elasticache:DeleteCacheParameterGroup",
        "elasticache:DeleteCacheSubnetGroup", "elasticache:DeleteReplicationGroup", "elasticache:IncreaseReplicaCount",
        "elasticache:ListTagsForResource", "elasticache:ModifyCacheParameterGroup", "elasticache:ModifyCacheSubnetGroup",
        "elasticache:ModifyReplicationGroup", "elasticache:ResetCacheParameterGroup",
    ], resources: &[
        "arn:{partition}:elasticache:{region}:{account}:replicationgroup:{stack31}*",
        "arn:{partition}:elasticache:{region}:{account}:cluster:{stack31}*",
        "arn:{partition}:elasticache:{region}:{account}:parametergroup:{stack}*",
        "arn:{partition}:elasticache:{region}:{account}:subnetgroup:{stack}*",
    ] },
    Statement { sid: "Tables", only: Only::Listed, actions: &[
        "dynamodb:CreateBackup", "dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:DescribeBackup",
        "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive",
        "dynamodb:ListTagsOfResource", "dynamodb:TagResource", "dynamodb:UpdateContinuousBackups",
        "dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive",
    ], resources: &[
        "arn:{partition}:dynamodb:{region}:{account}:table/{stack}*",
        "arn:{partition}:dynamodb:{region}:{account}:table/{stack}*/backup/*",
    ] },
    Statement { sid: "Buckets", only: Only::Listed, actions: &[
        "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion",
        "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock", "s3:GetBucketTagging",
        "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetObject",
        "s3:ListBucket", "s3:ListBucketVersions", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration", "s3:PutObject", "s3:TagResource",
    ], resources: &["arn:{partition}:s3:::{stack50}*", "arn:{partition}:s3:::{stack50}*/*"] },
    Statement { sid: "Secrets", only: Only::Listed, actions: &[
        "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue", "secretsmanager:TagResource",
    ], resources: &["arn:{partition}:secretsmanager:{region}:{account}:secret:{stack}*"] },
    Statement { sid: "Roles", only: Only::Listed, actions: &[
        "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:CreateRole", "iam:DeleteInstanceProfile",
        "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:GetInstanceProfile", "iam:GetRole", "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies", "iam:PutRolePolicy", "iam:RemoveRoleFromInstanceProfile",
        "iam:TagInstanceProfile", "iam:TagRole",
    ], resources: &[
        "arn:{partition}:iam::{account}:role/{stack}*", "arn:{partition}:iam::{account}:instance-profile/{stack}*",
    ] },
    Statement { sid: "SessionManager", actions: &["iam:AttachRolePolicy", "iam:DetachRolePolicy"],
        resources: &["arn:{partition}:iam::{account}:role/{stack}*"],
        only: Only::If("ArnEquals", "iam:PolicyARN", &["arn:{partition}:iam::aws:policy/AmazonSSMManagedInstanceCore"]) },
    Statement { sid: "HandOn", actions: &["iam:PassRole"], resources: &["arn:{partition}:iam::{account}:role/{stack}*"],
        only: Only::If("StringEquals", "iam:PassedToService", &["ec2.amazonaws.com"]) },
    // Once an account: AWS's own roles, at the first load balancer, group, database and cache.
    Statement { sid: "ServiceRoles", actions: &["iam:CreateServiceLinkedRole"],
        resources: &["arn:{partition}:iam::{account}:role/aws-service-role/*"],
        only: Only::If("StringEquals", "iam:AWSServiceName", &["autoscaling.amazonaws.com", "elasticache.amazonaws.com",
            "elasticloadbalancing.amazonaws.com", "rds.amazonaws.com"]) },
    Statement { sid: "Logs", only: Only::Listed, actions: &[
        "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:FilterLogEvents", "logs:ListTagsForResource",
        "logs:PutRetentionPolicy", "logs:TagResource",
    ], resources: &[
        "arn:{partition}:logs:{region}:{account}:log-group:/provision/{name}/*",
        "arn:{partition}:logs:{region}:{account}:log-group:/aws/rds/instance/{stack}*",
    ] },
    // The metrics of CloudFront are in us-east-1, with the alarms on them and their topic.
    Statement { sid: "Alarms", only: Only::Listed, actions: &[
        "cloudwatch:DeleteAlarms", "cloudwatch:ListTagsForResource", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource",
    ], resources: &["arn:{partition}:cloudwatch:*:{account}:alarm:{stack}*"] },
    Statement { sid: "Topics", only: Only::Listed, actions: &[
        "sns:CreateTopic", "sns:DeleteTopic", "sns:ListSubscriptionsByTopic", "sns:ListTagsForResource", "sns:Subscribe",
        "sns:TagResource", "sns:UntagResource",
    ], resources: &["arn:{partition}:sns:*:{account}:{stack}*"] },
    // These have no name beforehand and cannot be tagged, or AWS takes no limit for them.
    Statement { sid: "Untagged", only: Only::Listed, resources: ANY, actions: &[
        "cloudfront:CreateOriginAccessControl", "cloudfront:DeleteOriginAccessControl",
        "cloudfront:GetOriginAccessControl", "route53:CreateHostedZone", "sns:Unsubscribe",
    ] },
    Statement { sid: "EdgeMake", only: Only::Tagging, resources: ANY, actions: &[
        "acm:AddTagsToCertificate", "acm:RequestCertificate", "cloudfront:CreateDistribution", "cloudfront:TagResource",
    ] },
    Statement { sid: "EdgeChange", only: Only::Tagged, actions: &[
        "acm:DeleteCertificate", "acm:DescribeCertificate", "cloudfront:DeleteDistribution", "cloudfront:GetDistribution",
        "cloudfront:GetDistributionConfig", "cloudfront:UpdateDistribution",
    ], resources: &["arn:{partition}:acm:*:{account}:certificate/*", "arn:{partition}:cloudfront::{account}:distribution/*"] },
    // Whose they are is seen by their tags alone.
    Statement { sid: "EdgeLook", only: Only::Listed, actions: &["acm:ListTagsForCertificate", "cloudfront:ListTagsForResource"],
        resources: &["arn:{partition}:acm:*:{account}:certificate/*", "arn:{partition}:cloudfront::{account}:distribution/*"] },
    Statement { sid: "Records", actions: &["route53:ChangeResourceRecordSets"], only: Only::Records,
        resources: &["arn:{partition}:route53:::hostedzone/*"] },
    // Zones are found by name, and their ids drawn by AWS.
    Statement { sid: "Zones", only: Only::Listed, actions: &[
        "route53:ChangeTagsForResource", "route53:DeleteHostedZone", "route53:GetChange", "route53:GetHostedZone",
        "route53:ListResourceRecordSets", "route53:ListTagsForResource",
    ], resources: &["arn:{partition}:route53:::hostedzone/*", "arn:{partition}:route53:::change/*"] },
];

/// The policy as a document.
pub fn policy(scope: &Scope) -> Value {
    let statements: Vec<Value> = scope.statements().map(|statement| scope.statement(statement)).collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The same in as few policies as each is at most `longest` characters of JSON: statements stay whole, in their order.
pub fn parts(scope: &Scope, longest: usize) -> Vec<Value> {
    let mut parts: Vec<Vec<Value>> = vec![Vec::new()];
    let document = |statements: &[Value]| json!({"Version": "2012-10-17", "Statement": statements});
    for statement in scope.statements().map(|statement| scope.statement(statement)) {
        let Some(part) = parts.last_mut() else { break };
        part.push(statement);
        if part.len() > 1 && document(part).to_string().len() > longest {
            let last = part.pop();
            parts.push(last.into_iter().collect());
        }
    }
    parts.iter().map(|part| document(part)).collect()
}

/// One statement as IAM's simulator takes it: may these actions be done to these resources, with these values known?
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// The statement's name.
    pub sid: &'static str,
    /// The actions.
    pub actions: Vec<String>,
    /// ARNs; empty: any.
    pub resources: Vec<String>,
    /// Condition keys and their values.
    pub context: Vec<(String, Vec<String>)>,
}

/// Every statement of the policy as a question.
pub fn questions(scope: &Scope) -> Vec<Question> {
    let question = |statement: &Statement| Question {
        sid: statement.sid,
        actions: statement.actions.iter().map(|action| (*action).to_owned()).collect(),
        resources: statement.resources.iter().filter(|arn| **arn != "*").map(|arn| scope.filled(arn)).collect(),
        context: scope.test(&statement.only).map(|(_, key, values)| (key, values)).into_iter().collect(),
    };
    scope.statements().map(question).collect()
}

impl Scope {
    /// The statements that it needs.
    fn statements(&self) -> impl Iterator<Item = &'static Statement> {
        STATEMENTS.iter().filter(|statement| statement.sid != "NetworkUse" || self.vpc.is_some())
    }

    fn statement(&self, statement: &Statement) -> Value {
        let resources: Vec<String> = statement.resources.iter().map(|arn| self.filled(arn)).collect();
        let mut document = json!({
            "Sid": statement.sid,
            "Effect": "Allow",
            "Action": statement.actions,
            "Resource": one_or_all(resources),
        });
        if let Some(condition) = self.condition(&statement.only) {
            document["Condition"] = condition;
        }
        document
    }

    fn condition(&self, only: &Only) -> Option<Value> {
        let (operator, key, values) = self.test(only)?;
        let test = Map::from_iter([(key, one_or_all(values))]);
        Some(Value::Object(Map::from_iter([(operator.to_owned(), Value::Object(test))])))
    }

    /// Operator, key and values of a limit.
    fn test(&self, only: &Only) -> Option<(&'static str, String, Vec<String>)> {
        Some(match only {
            Only::Listed => return None,
            Only::Tagging => self.tag("aws:RequestTag"),
            Only::Tagged => self.tag("aws:ResourceTag"),
            Only::If(operator, key, values) => {
                (*operator, (*key).to_owned(), values.iter().map(|value| self.filled(value)).collect())
            }
            Only::Records if self.zones.is_empty() => return None,
            Only::Records => {
                let names = self.zones.iter().flat_map(|zone| [zone.clone(), format!("*.{zone}")]).collect();
                ("ForAllValues:StringLike", "route53:ChangeResourceRecordSetsNormalizedRecordNames".to_owned(), names)
            }
        })
    }

    fn tag(&self, of: &str) -> (&'static str, String, Vec<String>) {
        let key = format!("{of}/{}", super::stack::TAG_STACK);
        match &self.stack {
            Some(stack) => ("StringEquals", key, vec![stack.clone()]),
            None => ("StringLike", key, vec!["*".to_owned()]),
        }
    }

    fn filled(&self, template: &str) -> String {
        let any = |value: &Option<String>| value.clone().unwrap_or_else(|| "*".to_owned());
        let partition = self.region.as_deref().map_or("aws", super::stack::partition_of);
        let mut text = template
            .replace("{partition}", partition)
            .replace("{region}", &any(&self.region))
            .replace("{account}", &any(&self.account))
            .replace("{vpc}", &any(&self.vpc))
            .replace("{name}", &any(&self.stack));
        for (place, longest) in [("{stack}", 64), ("{stack23}", 23), ("{stack31}", 31), ("{stack50}", 50)] {
            text = text.replace(&format!("{place}*"), &self.beginning(longest));
        }
        text
    }

    /// How the names of the stack's resources begin, where the stack's own name is cut after `longest` characters.
    fn beginning(&self, longest: usize) -> String {
        match &self.stack {
            None => "*".to_owned(),
            Some(stack) if stack.len() < longest => format!("{stack}-*"),
            Some(stack) => format!("{}*", stack[..longest].trim_end_matches('-')),
        }
    }
}

fn one_or_all(mut values: Vec<String>) -> Value {
    if values.len() == 1 { values.swap_remove(0).into() } else { values.into() }
}
