//! Every kind of AWS resource, one a file, and the registry of them all.

pub mod context;
pub mod erased;
pub mod error;
pub mod fleet;
mod holders;
pub mod kind;
mod settle;
pub mod spec;
mod tagging;
mod tokened;
mod upgrade;

pub use context::{Claim, Cx, InWindow, Options, Place};
pub use erased::{AnyKind, Effect, Node, Observed};
pub use error::{Error, Result};
pub use kind::{
    Change, Created, Field, Impact, Kind, Live, Notice, OnChange, Phase, Progress, ReplaceOrder, State, Want,
};
pub use spec::{Attrs, Ref, attrs};
pub use tagging::{Tagged, tag};

macro_rules! registry {
    ($($module:ident: $kind:ident,)*) => {
        $(pub mod $module;)*

        /// Every kind.
        pub fn all() -> &'static [&'static dyn AnyKind] {
            &[$(&$module::$kind),*]
        }
    };
}

registry! {
    // network
    vpc: Vpc,
    internet_gateway: InternetGateway,
    subnet: Subnet,
    elastic_ip: ElasticIp,
    nat_gateway: NatGateway,
    route_table: RouteTable,
    vpc_endpoint: VpcEndpoint,

    // security
    security_group: SecurityGroup,
    security_group_rule: SecurityGroupRule,

    // data
    bucket: Bucket,
    secret: Secret,
    dynamodb_table: DynamodbTable,
    cache_subnet_group: CacheSubnetGroup,
    cache_parameter_group: CacheParameterGroup,
    replication_group: ReplicationGroup,
    db_subnet_group: DbSubnetGroup,
    db_parameter_group: DbParameterGroup,
    db_instance: DbInstance,
    db_replica: DbReplica,

    // observation
    log_group: LogGroup,
    sns_topic: SnsTopic,
    sns_subscription: SnsSubscription,
    alarm: Alarm,

    // edge
    origin_access_control: OriginAccessControl,
    distribution: Distribution,
    bucket_policy: BucketPolicy,
    hosted_zone: HostedZone,
    certificate: Certificate,
    certificate_validation: CertificateValidation,
    record: Record,

    // compute
    release: Release,
    game_file: GameFile,
    iam_role: IamRole,
    instance_profile: InstanceProfile,
    launch_template: LaunchTemplate,
    load_balancer: LoadBalancer,
    target_group: TargetGroup,
    listener: Listener,
    auto_scaling_group: AutoScalingGroup,
    scaling_policy: ScalingPolicy,

}

/// The kind of this name.
pub fn named(name: &str) -> Option<&'static dyn AnyKind> {
    all().iter().copied().find(|kind| kind.name() == name)
}

#[cfg(test)]
mod tests;
