//! What the policy allows, statement by statement.

/// A further limit of a statement.
pub(super) enum Only {
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

/// Some actions on some resources.
pub(super) struct Statement {
    /// Its name.
    pub sid: &'static str,
    /// What it allows.
    pub actions: &'static [&'static str],
    /// On which ARNs.
    pub resources: &'static [&'static str],
    /// And only so.
    pub only: Only,
}

/// The resource of an action that cannot be limited by one, or whose resources have no names beforehand.
const ANY: &[&str] = &["*"];

/// The statement that nothing but costs needs.
pub(super) const PRICES: &str = "Prices";

/// Placeholders in ARNs: `{partition}`, `{region}`, `{account}`, `{name}` of the stack, and `{stack}`, with which the names
/// of the stack's resources begin; `{stack23}` where names are so short that the stack's is cut after so many characters.
#[rustfmt::skip]
pub(super) const STATEMENTS: &[Statement] = &[
    Statement { sid: "Look", only: Only::Listed, resources: ANY, actions: &[
        "acm:ListCertificates",
        "autoscaling:DescribeAutoScalingGroups", "autoscaling:DescribeInstanceRefreshes", "autoscaling:DescribePolicies",
        "autoscaling:DescribeScalingActivities",
        "cloudfront:ListDistributions", "cloudfront:ListOriginAccessControls",
        "cloudwatch:DescribeAlarms", "dynamodb:ListBackups",
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
        "rds:DescribeDBEngineVersions", "rds:DescribeDBInstances", "rds:DescribeDBParameterGroups", "rds:DescribeDBParameters",
        "rds:DescribeDBSnapshots", "rds:DescribeDBSubnetGroups", "rds:DescribeOrderableDBInstanceOptions",
        "route53:GetHostedZoneCount", "route53:ListHostedZones", "route53:ListHostedZonesByName",
        "s3:ListAllMyBuckets",
        "secretsmanager:ListSecrets",
        "servicequotas:GetAWSDefaultServiceQuota", "servicequotas:GetServiceQuota",
        "sts:GetCallerIdentity",
    ] },
    // Only costs are unknown without it.
    Statement { sid: PRICES, only: Only::Listed, resources: ANY, actions: &["pricing:GetProducts"] },
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
        "ec2:CreateVpcEndpoint", "ec2:DeleteInternetGateway", "ec2:DeleteLaunchTemplate",
        "ec2:DeleteLaunchTemplateVersions", "ec2:DeleteNatGateway",
        "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags",
        "ec2:DeleteVpc", "ec2:DeleteVpcEndpoints", "ec2:DetachInternetGateway", "ec2:DisassociateRouteTable",
        "ec2:GetConsoleOutput", "ec2:ModifyLaunchTemplate", "ec2:ModifySubnetAttribute", "ec2:ModifyVpcAttribute", "ec2:ModifyVpcEndpoint", "ec2:ReleaseAddress",
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
        "autoscaling:DeleteTags", "autoscaling:DetachLoadBalancerTargetGroups", "autoscaling:PutScalingPolicy", "autoscaling:RollbackInstanceRefresh",
        "autoscaling:StartInstanceRefresh",
        "autoscaling:UpdateAutoScalingGroup",
    ], resources: &["arn:{partition}:autoscaling:{region}:{account}:autoScalingGroup:*:autoScalingGroupName/{stack}*"] },
    Statement { sid: "Balancers", only: Only::Listed, actions: &[
        "elasticloadbalancing:AddTags", "elasticloadbalancing:CreateListener", "elasticloadbalancing:CreateLoadBalancer",
        "elasticloadbalancing:CreateTargetGroup", "elasticloadbalancing:DeleteListener",
        "elasticloadbalancing:DeleteLoadBalancer", "elasticloadbalancing:DeleteTargetGroup",
        "elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyTargetGroup",
        "elasticloadbalancing:ModifyTargetGroupAttributes", "elasticloadbalancing:RemoveTags",
        "elasticloadbalancing:SetSecurityGroups",
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
        "elasticache:ListAllowedNodeTypeModifications", "elasticache:ListTagsForResource", "elasticache:ModifyCacheParameterGroup", "elasticache:ModifyCacheSubnetGroup",
        "elasticache:ModifyReplicationGroup", "elasticache:RemoveTagsFromResource", "elasticache:ResetCacheParameterGroup",
    ], resources: &[
        "arn:{partition}:elasticache:{region}:{account}:replicationgroup:{stack31}*",
        "arn:{partition}:elasticache:{region}:{account}:cluster:{stack31}*",
        "arn:{partition}:elasticache:{region}:{account}:parametergroup:{stack}*",
        "arn:{partition}:elasticache:{region}:{account}:subnetgroup:{stack}*",
    ] },
    Statement { sid: "Tables", only: Only::Listed, actions: &[
        "dynamodb:CreateBackup", "dynamodb:CreateTable", "dynamodb:DeleteTable", "dynamodb:DescribeBackup",
        "dynamodb:DescribeContinuousBackups", "dynamodb:DescribeTable", "dynamodb:DescribeTimeToLive",
        "dynamodb:ListTagsOfResource", "dynamodb:TagResource", "dynamodb:UntagResource", "dynamodb:UpdateContinuousBackups",
        "dynamodb:UpdateTable", "dynamodb:UpdateTimeToLive",
    ], resources: &[
        "arn:{partition}:dynamodb:{region}:{account}:table/{stack}*",
        "arn:{partition}:dynamodb:{region}:{account}:table/{stack}*/backup/*",
    ] },
    Statement { sid: "Buckets", only: Only::Listed, actions: &[
        "s3:AbortMultipartUpload", "s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObject", "s3:DeleteObjectVersion",
        "s3:GetBucketOwnershipControls", "s3:GetBucketPolicy", "s3:GetBucketPublicAccessBlock", "s3:GetBucketTagging",
        "s3:GetBucketVersioning", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:GetObject",
        "s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions", "s3:PutBucketOwnershipControls", "s3:PutBucketPolicy",
        "s3:PutBucketPublicAccessBlock", "s3:PutBucketTagging", "s3:PutBucketVersioning", "s3:PutEncryptionConfiguration",
        "s3:PutLifecycleConfiguration", "s3:PutObject", "s3:TagResource",
    ], resources: &["arn:{partition}:s3:::{stack50}*", "arn:{partition}:s3:::{stack50}*/*"] },
    Statement { sid: "Secrets", only: Only::Listed, actions: &[
        "secretsmanager:CreateSecret", "secretsmanager:DeleteSecret", "secretsmanager:DescribeSecret",
        "secretsmanager:GetSecretValue", "secretsmanager:TagResource", "secretsmanager:UntagResource",
    ], resources: &["arn:{partition}:secretsmanager:{region}:{account}:secret:{stack}*"] },
    Statement { sid: "Roles", only: Only::Listed, actions: &[
        "iam:AddRoleToInstanceProfile", "iam:CreateInstanceProfile", "iam:CreateRole", "iam:DeleteInstanceProfile",
        "iam:DeleteRole", "iam:DeleteRolePolicy", "iam:GetInstanceProfile", "iam:GetRole", "iam:GetRolePolicy",
        "iam:ListAttachedRolePolicies", "iam:PutRolePolicy", "iam:RemoveRoleFromInstanceProfile",
        "iam:TagInstanceProfile", "iam:TagRole", "iam:UntagInstanceProfile", "iam:UntagRole",
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
        "logs:CreateLogGroup", "logs:DeleteLogGroup", "logs:FilterLogEvents", "logs:GetLogEvents",
        "logs:ListTagsForResource",
        "logs:PutRetentionPolicy", "logs:TagResource", "logs:UntagResource",
    ], resources: &[
        "arn:{partition}:logs:{region}:{account}:log-group:/provision/{name}/*",
        "arn:{partition}:logs:{region}:{account}:log-group:/provision/{name}/*:log-stream:*",
        "arn:{partition}:logs:{region}:{account}:log-group:/aws/rds/instance/{stack}*",
    ] },
    // The metrics of CloudFront are in us-east-1, with the alarms on them and their topic.
    Statement { sid: "Alarms", only: Only::Listed, actions: &[
        "cloudwatch:DeleteAlarms", "cloudwatch:ListTagsForResource", "cloudwatch:PutMetricAlarm", "cloudwatch:TagResource",
        "cloudwatch:UntagResource",
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
        "acm:DeleteCertificate", "acm:DescribeCertificate", "acm:RemoveTagsFromCertificate",
        "cloudfront:CreateInvalidation", "cloudfront:DeleteDistribution", "cloudfront:GetDistribution",
        "cloudfront:GetInvalidation",
        "cloudfront:GetDistributionConfig", "cloudfront:UntagResource", "cloudfront:UpdateDistribution",
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
    // What `drill` breaks. Who only brings stacks up and down can do without.
    Statement { sid: "DrillDatabase", only: Only::Listed, actions: &["rds:RebootDBInstance"],
        resources: &["arn:{partition}:rds:{region}:{account}:db:{stack}*"] },
    Statement { sid: "DrillCache", only: Only::Listed, actions: &["elasticache:TestFailover"],
        resources: &["arn:{partition}:elasticache:{region}:{account}:replicationgroup:{stack31}*"] },
    Statement { sid: "DrillServers", only: Only::Tagged, actions: &["ec2:TerminateInstances"], resources: ANY },
];
