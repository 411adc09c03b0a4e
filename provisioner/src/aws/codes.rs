//! What AWS's wire codes mean to us. Sources: the service models and the providers' retry lists.

/// The thing does not exist (any more).
pub fn is_not_found(code: &str) -> bool {
    const EXACT: &[&str] = &[
        "NotFound",
        "NoSuchBucket",
        "NoSuchKey",
        "NoSuchEntity",
        "NoSuchTagSet",
        "NoSuchBucketPolicy",
        "NoSuchLifecycleConfiguration",
        "NoSuchDistribution",
        "NoSuchOriginAccessControl",
        "NoSuchHostedZone",
        "NoSuchCORSConfiguration",
        "NoSuchPublicAccessBlockConfiguration",
        "ServerSideEncryptionConfigurationNotFoundError",
        "OwnershipControlsNotFoundError",
        "ResourceNotFoundException",
        "TableNotFoundException",
        "DBInstanceNotFound",
        "DBInstanceNotFoundFault",
        "DBSubnetGroupNotFoundFault",
        "DBParameterGroupNotFound",
        "DBSnapshotNotFound",
        "ReplicationGroupNotFoundFault",
        "CacheClusterNotFound",
        "CacheSubnetGroupNotFoundFault",
        "CacheParameterGroupNotFound",
        "CacheParameterGroupNotFoundFault",
        "LoadBalancerNotFound",
        "TargetGroupNotFound",
        "ListenerNotFound",
        "RuleNotFound",
        "NatGatewayNotFound",
        "NotFoundException",
        "ResourceNotFound",
        "NoSuchResource",
        "BackupNotFoundException",
        "InvalidRoute.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
        "InvalidLaunchTemplateName.NotFoundException",
        "InvalidLaunchTemplateId.NotFound",
        "ParameterNotFound",
        "InvalidSecurityGroupRuleId.NotFound",
    ];
    EXACT.contains(&code) || (code.starts_with("Invalid") && code.ends_with(".NotFound"))
}

/// Something made a moment ago is not visible everywhere yet: worth trying again for a while after a create.
pub fn is_not_visible_yet(code: &str, message: &str) -> bool {
    const EXACT: &[&str] = &[
        "InvalidVpcID.NotFound",
        "InvalidSubnetID.NotFound",
        "InvalidRouteTableID.NotFound",
        "InvalidInternetGatewayID.NotFound",
        "InvalidGatewayID.NotFound",
        "InvalidNatGatewayID.NotFound",
        "NatGatewayNotFound",
        "InvalidGroup.NotFound",
        "InvalidSecurityGroupID.NotFound",
        "InvalidRouteTableId.NotFound",
        "InvalidLaunchTemplateId.NotFound",
        "InvalidLaunchTemplateId.NotFoundException",
        "NoSuchHostedZone",
        "TargetGroupNotFound",
        "LoadBalancerNotFound",
        "SubnetNotFound",
        "DBSubnetGroupNotFoundFault",
        "DBParameterGroupNotFound",
        "CacheSubnetGroupNotFoundFault",
        "CacheParameterGroupNotFound",
        "ReplicationGroupNotFoundFault",
        "InvalidAllocationID.NotFound",
        "InvalidElasticIpID.NotFound",
        "InvalidElasticIpID.NotFoundException",
        "NoSuchBucket",
        "NoSuchEntity",
        "ContinuousBackupsUnavailableException",
        "CertificateNotFound",
        "UnsupportedCertificate",
        "ServiceLinkedRoleFailure",
        "OperationAborted",
        "ConditionalRequestConflict",
        "PriorRequestNotComplete",
        "ResourceContention",
        "ScalingActivityInProgress",
        // Replicas are upgraded first; those that are on their way out count until they are gone.
        "DBUpgradeDependencyFailure",
    ];
    EXACT.contains(&code)
        || (code == "ValidationError" && message.contains("Invalid IAM Instance Profile"))
        || (code == "InvalidParameterValue" && message.contains("Invalid IAM Instance Profile"))
        || (code == "MalformedPolicyDocument" && message.contains("Invalid principal"))
        || (code == "InvalidRequestException" && message.contains("scheduled for deletion"))
        || (code == "InvalidDBInstanceState" && !message.contains("deleting"))
}

/// Something else still holds on to it: deleting is worth trying again until the deadline.
pub fn is_still_in_use(code: &str, _message: &str) -> bool {
    const EXACT: &[&str] = &[
        "DependencyViolation",
        "InvalidGroup.InUse",
        "InvalidIPAddress.InUse",
        "ResourceInUse",
        "ResourceInUseException",
        "ResourceInUseFault",
        "DeleteConflict",
        "InvalidDBSubnetGroupStateFault",
        "InvalidDBParameterGroupState",
        "InvalidDBInstanceState",
        "InvalidReplicationGroupState",
        "InvalidCacheClusterState",
        "CacheSubnetGroupInUse",
        "InvalidCacheParameterGroupState",
        "DistributionNotDisabled",
        "OriginAccessControlInUse",
        "HostedZoneNotEmpty",
        "OperationAborted",
        "PriorRequestNotComplete",
        "ScalingActivityInProgress",
        "ResourceContention",
        "BucketNotEmpty",
        "PreconditionFailed",
    ];
    EXACT.contains(&code)
}

/// Whether the code says that the account has as many of something as it may have.
fn is_quota(code: &str) -> bool {
    let throttles = ["RequestLimitExceeded", "TooManyRequests", "TooManyRequestsException"];
    let says_so = code.contains("LimitExceeded") || code.contains("QuotaExceeded") || code.starts_with("TooMany");
    says_so && !throttles.contains(&code)
}

/// The account or the caller may not do this; no retry helps.
pub fn advice(code: &str, message: &str) -> Option<&'static str> {
    Some(match code {
        "AccessDenied" | "OperationNotPermitted" if message.contains("account") => {
            "AWS has not enabled this for the account yet: open a support case (account and billing), then run the \
             command again"
        }
        "InvalidParameterCombination" if message.contains("Free Tier") => {
            "the account's free plan does not allow this: choose a smaller type or upgrade the plan"
        }
        "AccessDenied" | "AccessDeniedException" | "UnauthorizedOperation" | "AuthFailure" => {
            "the credentials lack this permission: grant it to the caller and run the command again"
        }
        "InvalidClientTokenId" | "UnrecognizedClientException" | "SignatureDoesNotMatch" => {
            "AWS does not accept these credentials: check AWS_PROFILE or AWS_ACCESS_KEY_ID, then run the command again"
        }
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => {
            "the session has expired: sign in again and run the command again"
        }
        "BucketAlreadyExists" => "another account owns a bucket of this name: change the stack's name",
        code if is_quota(code) => {
            "a quota of the account is reached: raise it in Service Quotas, then run the command again"
        }
        "FreeTierRestrictionError" => {
            "the account's free plan does not allow this: choose a smaller class or upgrade the plan"
        }
        "InsufficientInstanceCapacity" | "InsufficientDBInstanceCapacity" => {
            "AWS has no capacity of this type in the zone just now: try another type or zone"
        }
        code if code.starts_with("InvalidParameter") || code == "ValidationError" => {
            "AWS does not take a value: change it in the blueprint, then run the command again"
        }
        _ => return None,
    })
}
