//! Puts the stack's tags on a resource that exists: where they were removed by hand, where it is adopted, or where the
//! blueprint's own tags have changed.

mod gathering;
mod untag;

use std::collections::BTreeSet;

use aws_sdk_autoscaling::types as asg;
use gathering::Edit;
pub use gathering::Gathering;
use untag::untag;

use super::{Cx, Error, Observed, Result, bucket, certificate, hosted_zone};
use crate::aws::stack::OWN;
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
    /// CloudWatch's `TagResource`. No listing shows an alarm's tags: its description says whose it is.
    Alarm,
    /// Route 53's `ChangeTagsForResource`. A zone's CallerReference says whose it is.
    Zone,
}

impl Tagged {
    /// Whether the tags say whose a resource is.
    pub fn says_whose(self) -> bool {
        !matches!(self, Self::Not | Self::Alarm | Self::Zone)
    }
}

/// Puts the tags of `live`'s address on it, and takes those off that the blueprint names no more. Repeating it changes nothing.
pub async fn tag(cx: &Cx, how: Tagged, live: &Observed) -> Result<()> {
    let on_it = |key: &&String| live.tags.as_ref().is_none_or(|tags| tags.contains_key(*key));
    let drop: BTreeSet<String> = cx.dropped_tags.iter().filter(on_it).cloned().collect();
    if !drop.is_empty() {
        untag(cx, how, live, drop.iter().cloned().collect()).await?;
    }
    let (aws, id, tags) = (&cx.aws, live.id.as_str(), cx.tags(&live.address));
    match how {
        Tagged::Not => {
            return Err(Error::Refused {
                what: format!("a resource of the kind {} carries no tags", live.kind),
                help: "see `provision status` for what the stack has".into(),
            });
        }
        Tagged::Ec2 => ec2(cx, live, Edit { put: tags, drop }).await?,
        Tagged::Rds(resource) => {
            let call = aws.rds.add_tags_to_resource().resource_name(arn_of(cx, "rds", resource, id));
            call.set_tags(Some(tags.rds())).send().await?;
        }
        Tagged::ElastiCache(resource) => {
            let call = aws.elasticache.add_tags_to_resource();
            let call = call.resource_name(arn_of(cx, "elasticache", resource, id));
            call.set_tags(Some(tags.elasticache())).send().await?;
        }
        Tagged::LoadBalancing => {
            aws.elbv2.add_tags().resource_arns(id).set_tags(Some(tags.elbv2())).send().await?;
        }
        Tagged::AutoScaling => {
            aws.autoscaling.create_or_update_tags().set_tags(Some(group_tags(id, &tags))).send().await?;
            instances(cx, Edit { put: cx.stack_tags(), drop }).await?;
        }
        Tagged::Role => std::mem::drop(aws.iam.tag_role().role_name(id).set_tags(Some(tags.iam())).send().await?),
        Tagged::InstanceProfile => {
            aws.iam.tag_instance_profile().instance_profile_name(id).set_tags(Some(tags.iam())).send().await?;
        }
        Tagged::Bucket => bucket::add_tags(cx, id, &live.address).await?,
        Tagged::Secret => {
            let call = aws.secretsmanager.tag_resource().secret_id(id);
            call.set_tags(Some(tags.secretsmanager())).send().await?;
        }
        Tagged::Table => {
            aws.dynamodb.tag_resource().resource_arn(live.arn()).set_tags(Some(tags.dynamodb())).send().await?;
        }
        Tagged::LogGroup => {
            aws.logs.tag_resource().resource_arn(live.arn()).set_tags(Some(tags.map())).send().await?;
        }
        Tagged::Topic => {
            std::mem::drop(aws.sns.tag_resource().resource_arn(id).set_tags(Some(tags.sns())).send().await?)
        }
        Tagged::Alarm => {
            let call = aws.cloudwatch.tag_resource().resource_arn(live.arn());
            call.set_tags(Some(tags.cloudwatch())).send().await?;
        }
        Tagged::Zone => hosted_zone::tag(cx, id).await?,
        Tagged::Certificate => {
            let call = certificate::client(cx, id).add_tags_to_certificate().certificate_arn(id);
            call.set_tags(Some(tags.acm())).send().await?;
        }
        Tagged::Distribution => {
            let all = aws_sdk_cloudfront::types::Tags::builder().set_items(Some(tags.cloudfront())).build();
            aws.cloudfront.tag_resource().resource(live.arn()).tags(all).send().await?;
        }
    }
    Ok(())
}

/// What is the stack's by its tags already, and differs in the free ones alone, goes with the others like it.
async fn ec2(cx: &Cx, live: &Observed, mut edit: Edit) -> Result<()> {
    let whose = live.tags.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    if cx.stack.node_of(whose).as_ref() == Some(&live.address) {
        edit.put = cx.stack_tags();
        edit.drop = cx.dropped_tags.clone();
        cx.gathering.edit(&cx.aws.ec2, &live.id, &edit).await?;
    } else {
        gathering::send(&cx.aws.ec2, std::slice::from_ref(&live.id), &edit).await?;
    }
    Ok(())
}

/// The tags of the running instances, their volumes and interfaces: they got theirs when they were launched.
async fn instances(cx: &Cx, edit: Edit) -> Result<()> {
    let mut pages = cx.aws.ec2.describe_instances().set_filters(Some(cx.ec2_filters())).into_paginator().items().send();
    let mut ids = Vec::new();
    while let Some(reservation) = pages.try_next().await? {
        for instance in reservation.instances() {
            if instance.state().and_then(|state| state.name()).is_some_and(|name| name.as_str() == "terminated") {
                continue;
            }
            ids.extend(instance.instance_id().map(str::to_owned));
            let volumes = instance.block_device_mappings().iter().filter_map(|device| device.ebs()?.volume_id());
            ids.extend(volumes.map(str::to_owned));
            ids.extend(
                instance.network_interfaces().iter().filter_map(|i| i.network_interface_id()).map(str::to_owned),
            );
        }
    }
    if !ids.is_empty() {
        gathering::send(&cx.aws.ec2, &ids, &edit).await?;
    }
    Ok(())
}

fn arn_of(cx: &Cx, service: &str, resource: &str, id: &str) -> String {
    let stack = &cx.stack;
    format!("arn:{}:{service}:{}:{}:{resource}:{id}", stack.partition(), stack.home, stack.account)
}

/// The group's own tags. The free ones go on to the instances that it launches, which have stack and home from the template.
pub(super) fn group_tags(name: &str, tags: &Tags) -> Vec<asg::Tag> {
    let tag = |(key, value): (&str, &str)| {
        let tag = asg::Tag::builder().resource_type("auto-scaling-group").resource_id(name).key(key).value(value);
        tag.propagate_at_launch(!key.starts_with(OWN)).build()
    };
    tags.pairs().map(tag).collect()
}
