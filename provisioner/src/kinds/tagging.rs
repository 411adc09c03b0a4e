//! Puts the stack's tags on a resource that exists: one whose tags were removed by hand, or one that is adopted.

use aws_sdk_autoscaling::types as asg;

use super::{Cx, Error, Observed, Result, bucket, certificate};
use crate::aws::tags::Tags;

/// The call that tags a kind's resources.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tagged {
    /// The kind's resources carry no tags: they are known through their parent, or by their name.
    Not,
    /// EC2's `CreateTags`, by id.
    Ec2,
    /// RDS's `AddTagsToResource`; the part of the ARN before the name.
    Rds(&'static str),
    /// ElastiCache's `AddTagsToResource`; the part of the ARN before the name.
    ElastiCache(&'static str),
    /// `AddTags`, by ARN.
    LoadBalancing,
    /// `CreateOrUpdateTags`, by name.
    AutoScaling,
    /// `TagRole`.
    Role,
    /// `TagInstanceProfile`.
    InstanceProfile,
    /// `PutBucketTagging`.
    Bucket,
    /// Secrets Manager's `TagResource`.
    Secret,
    /// DynamoDB's `TagResource`.
    Table,
    /// CloudWatch Logs' `TagResource`.
    LogGroup,
    /// SNS's `TagResource`.
    Topic,
    /// `AddTagsToCertificate`.
    Certificate,
    /// CloudFront's `TagResource`.
    Distribution,
}

/// Puts the tags of `live`'s address on it. Repeating it changes nothing.
pub async fn tag(cx: &Cx, how: Tagged, live: &Observed) -> Result<()> {
    let (aws, id, tags) = (&cx.aws, live.id.as_str(), cx.tags(&live.address));
    let arn = || live.attrs.get("arn").map_or(id, String::as_str);
    let named = |service: &str, resource: &str| {
        let stack = &cx.stack;
        format!("arn:{}:{service}:{}:{}:{resource}:{id}", stack.partition(), stack.home, stack.account)
    };
    match how {
        Tagged::Not => {
            return Err(Error::Refused {
                what: format!("a resource of the kind {} carries no tags", live.kind),
                help: "see `provision status` for what the stack has".into(),
            });
        }
        Tagged::Ec2 => drop(aws.ec2.create_tags().resources(id).set_tags(Some(tags.ec2())).send().await?),
        Tagged::Rds(resource) => {
            let call = aws.rds.add_tags_to_resource().resource_name(named("rds", resource));
            call.set_tags(Some(tags.rds())).send().await?;
        }
        Tagged::ElastiCache(resource) => {
            let call = aws.elasticache.add_tags_to_resource().resource_name(named("elasticache", resource));
            call.set_tags(Some(tags.elasticache())).send().await?;
        }
        Tagged::LoadBalancing => {
            aws.elbv2.add_tags().resource_arns(id).set_tags(Some(tags.elbv2())).send().await?;
        }
        Tagged::AutoScaling => {
            aws.autoscaling.create_or_update_tags().set_tags(Some(group_tags(id, &tags))).send().await?;
        }
        Tagged::Role => drop(aws.iam.tag_role().role_name(id).set_tags(Some(tags.iam())).send().await?),
        Tagged::InstanceProfile => {
            aws.iam.tag_instance_profile().instance_profile_name(id).set_tags(Some(tags.iam())).send().await?;
        }
        Tagged::Bucket => bucket::add_tags(cx, id, &live.address).await?,
        Tagged::Secret => {
            let call = aws.secretsmanager.tag_resource().secret_id(id);
            call.set_tags(Some(tags.secretsmanager())).send().await?;
        }
        Tagged::Table => {
            aws.dynamodb.tag_resource().resource_arn(arn()).set_tags(Some(tags.dynamodb())).send().await?;
        }
        Tagged::LogGroup => {
            aws.logs.tag_resource().resource_arn(arn()).set_tags(Some(tags.map())).send().await?;
        }
        Tagged::Topic => drop(aws.sns.tag_resource().resource_arn(id).set_tags(Some(tags.sns())).send().await?),
        Tagged::Certificate => {
            let call = certificate::client(cx, id).add_tags_to_certificate().certificate_arn(id);
            call.set_tags(Some(tags.acm())).send().await?;
        }
        Tagged::Distribution => {
            let all = aws_sdk_cloudfront::types::Tags::builder().set_items(Some(tags.cloudfront())).build();
            aws.cloudfront.tag_resource().resource(arn()).tags(all).send().await?;
        }
    }
    Ok(())
}

/// The group's own tags: its instances get theirs through the launch template.
pub(super) fn group_tags(name: &str, tags: &Tags) -> Vec<asg::Tag> {
    let tag = |(key, value): (&str, &str)| {
        let tag = asg::Tag::builder().resource_type("auto-scaling-group").resource_id(name).key(key).value(value);
        tag.propagate_at_launch(false).build()
    };
    tags.pairs().map(tag).collect()
}
