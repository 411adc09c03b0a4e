//! The IAM actions that `provision` needs, by service prefix. A test holds the list to the calls that are made.

/// One service's actions, and why those are there that no call of ours names.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// The prefix of IAM's actions.
    pub prefix: &'static str,
    /// What is called.
    pub called: &'static [&'static str],
    /// What AWS asks for besides: tags in a create call, a role that is handed on.
    pub implied: &'static [&'static str],
}

const fn service(prefix: &'static str, called: &'static [&'static str], implied: &'static [&'static str]) -> Service {
    Service { prefix, called, implied }
}

/// Every service, by prefix.
#[rustfmt::skip]
pub const SERVICES: &[Service] = &[
    service("acm", &[
        "DeleteCertificate", "DescribeCertificate", "ListCertificates", "ListTagsForCertificate", "RequestCertificate",
    ], &["AddTagsToCertificate"]),
    service("autoscaling", &[
        "AttachLoadBalancerTargetGroups", "CreateAutoScalingGroup", "DeleteAutoScalingGroup", "DeletePolicy",
        "DescribeAutoScalingGroups", "DescribeInstanceRefreshes", "DescribePolicies", "DescribeScalingActivities",
        "DetachLoadBalancerTargetGroups", "PutScalingPolicy", "StartInstanceRefresh", "UpdateAutoScalingGroup",
    ], &["CreateOrUpdateTags"]),
    service("cloudfront", &[
        "CreateDistribution", "CreateOriginAccessControl", "DeleteDistribution", "DeleteOriginAccessControl",
        "GetDistribution", "GetDistributionConfig", "GetOriginAccessControl", "ListDistributions",
        "ListOriginAccessControls", "ListTagsForResource", "UpdateDistribution",
    ], &["TagResource"]),
    service("cloudwatch", &["DeleteAlarms", "DescribeAlarms", "ListTagsForResource", "PutMetricAlarm"], &["TagResource"]),
    service("dynamodb", &[
        "CreateBackup", "CreateTable", "DeleteTable", "DescribeBackup", "DescribeContinuousBackups", "DescribeTable",
        "DescribeTimeToLive", "ListTagsOfResource", "UpdateContinuousBackups", "UpdateTable", "UpdateTimeToLive",
    ], &["TagResource"]),
    service("ec2", &[
        "AllocateAddress", "AssociateRouteTable", "AttachInternetGateway", "AuthorizeSecurityGroupEgress",
        "AuthorizeSecurityGroupIngress", "CreateInternetGateway", "CreateLaunchTemplate", "CreateLaunchTemplateVersion",
        "CreateNatGateway", "CreateRoute", "CreateRouteTable", "CreateSecurityGroup", "CreateSubnet", "CreateVpc",
        "CreateVpcEndpoint", "DeleteInternetGateway", "DeleteLaunchTemplate", "DeleteNatGateway", "DeleteRoute",
        "DeleteRouteTable", "DeleteSecurityGroup", "DeleteSubnet", "DeleteVpc", "DeleteVpcEndpoints",
        "DescribeAddresses", "DescribeAvailabilityZones", "DescribeInstanceTypeOfferings", "DescribeInstances",
        "DescribeInternetGateways", "DescribeLaunchTemplateVersions", "DescribeLaunchTemplates", "DescribeNatGateways",
        "DescribeNetworkInterfaces", "DescribeRouteTables", "DescribeSecurityGroupRules", "DescribeSecurityGroups",
        "DescribeSnapshots", "DescribeSubnets", "DescribeVolumes", "DescribeVpcAttribute", "DescribeVpcEndpoints",
        "DescribeVpcs", "DetachInternetGateway", "DisassociateRouteTable", "ModifySubnetAttribute",
        "ModifyVpcAttribute", "ModifyVpcEndpoint", "ReleaseAddress", "ReplaceRoute", "ReplaceRouteTableAssociation",
        "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress", "RunInstances",
    ], &["CreateTags"]),
    service("elasticache", &[
        "CreateCacheParameterGroup", "CreateCacheSubnetGroup", "CreateReplicationGroup", "DecreaseReplicaCount",
        "DeleteCacheParameterGroup", "DeleteCacheSubnetGroup", "DeleteReplicationGroup", "DescribeCacheClusters",
        "DescribeCacheParameterGroups", "DescribeCacheParameters", "DescribeCacheSubnetGroups",
        "DescribeReplicationGroups", "IncreaseReplicaCount", "ListTagsForResource", "ModifyCacheParameterGroup",
        "ModifyCacheSubnetGroup", "ModifyReplicationGroup", "ResetCacheParameterGroup",
    ], &["AddTagsToResource"]),
    service("elasticloadbalancing", &[
        "CreateListener", "CreateLoadBalancer", "CreateTargetGroup", "DeleteListener", "DeleteLoadBalancer",
        "DeleteTargetGroup", "DescribeListeners", "DescribeLoadBalancers", "DescribeTags",
        "DescribeTargetGroupAttributes", "DescribeTargetGroups", "DescribeTargetHealth", "ModifyListener",
        "ModifyTargetGroup", "ModifyTargetGroupAttributes", "SetSecurityGroups", "SetSubnets",
    ], &["AddTags"]),
    service("iam", &[
        "AddRoleToInstanceProfile", "AttachRolePolicy", "CreateInstanceProfile", "CreateRole", "DeleteInstanceProfile",
        "DeleteRole", "DeleteRolePolicy", "DetachRolePolicy", "GetInstanceProfile", "GetRole", "GetRolePolicy",
        "ListAttachedRolePolicies", "PutRolePolicy", "RemoveRoleFromInstanceProfile",
    ], &["CreateServiceLinkedRole", "PassRole", "TagInstanceProfile", "TagRole"]),
    service("logs", &[
        "CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups", "ListTagsForResource", "PutRetentionPolicy",
    ], &["TagResource"]),
    service("rds", &[
        "AddTagsToResource", "CreateDBInstance", "CreateDBInstanceReadReplica", "CreateDBParameterGroup",
        "CreateDBSubnetGroup", "DeleteDBInstance", "DeleteDBParameterGroup", "DeleteDBSubnetGroup",
        "DescribeDBInstances", "DescribeDBParameterGroups", "DescribeDBParameters", "DescribeDBSnapshots",
        "DescribeDBSubnetGroups", "DescribeOrderableDBInstanceOptions", "ListTagsForResource", "ModifyDBInstance",
        "ModifyDBParameterGroup", "ModifyDBSubnetGroup", "RemoveTagsFromResource", "ResetDBParameterGroup",
    ], &["CreateDBSnapshot"]),
    service("route53", &[
        "ChangeResourceRecordSets", "ChangeTagsForResource", "CreateHostedZone", "DeleteHostedZone", "GetChange",
        "GetHostedZone", "ListHostedZones", "ListHostedZonesByName", "ListResourceRecordSets", "ListTagsForResource",
    ], &[]),
    service("s3", &[
        "CreateBucket", "DeleteBucket", "DeleteBucketPolicy", "DeleteObject", "GetBucketOwnershipControls",
        "GetBucketPolicy", "GetBucketPublicAccessBlock", "GetBucketTagging", "GetBucketVersioning",
        "GetEncryptionConfiguration", "GetLifecycleConfiguration", "GetObject", "ListBucket", "ListBucketVersions",
        "PutBucketOwnershipControls", "PutBucketPolicy", "PutBucketPublicAccessBlock", "PutBucketTagging",
        "PutBucketVersioning", "PutEncryptionConfiguration", "PutLifecycleConfiguration", "PutObject",
    ], &["DeleteObjectVersion", "TagResource"]),
    service("secretsmanager", &[
        "CreateSecret", "DeleteSecret", "DescribeSecret", "GetSecretValue", "ListSecrets",
    ], &["TagResource"]),
    service("sns", &[
        "CreateTopic", "DeleteTopic", "ListSubscriptionsByTopic", "ListTagsForResource", "Subscribe", "TagResource",
        "Unsubscribe", "UntagResource",
    ], &[]),
    service("ssm", &["GetParameter"], &[]),
    service("sts", &["GetCallerIdentity"], &[]),
];

/// Every action as IAM writes it: `ec2:CreateVpc`.
pub fn all() -> Vec<String> {
    let of = |service: &Service| {
        let prefix = service.prefix;
        let mut names: Vec<&str> = service.called.iter().chain(service.implied).copied().collect();
        names.sort_unstable();
        names.into_iter().map(move |name| format!("{prefix}:{name}")).collect::<Vec<_>>()
    };
    SERVICES.iter().flat_map(of).collect()
}
