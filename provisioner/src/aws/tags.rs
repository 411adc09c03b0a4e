//! The tags that make a resource part of a stack, in every service's own type.

use std::collections::BTreeMap;

use super::stack::{Stack, TAG_HOME, TAG_NODE, TAG_STACK};

/// The tags of one resource, ready to be put into a create call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tags(pub BTreeMap<String, String>);

impl Tags {
    /// Stack and home alone: for what AWS makes on the stack's behalf (instances, volumes, snapshots).
    pub fn stack_only(stack: &Stack, free: &BTreeMap<String, String>) -> Self {
        let mut tags = free.clone();
        tags.insert(TAG_STACK.into(), stack.name.clone());
        tags.insert(TAG_HOME.into(), stack.home.clone());
        Self(tags)
    }

    /// Stack, home and node, with the blueprint's free tags below them.
    pub fn for_node(stack: &Stack, address: &str, free: &BTreeMap<String, String>) -> Self {
        let mut tags = Self::stack_only(stack, free);
        tags.0.insert(TAG_NODE.into(), address.to_owned());
        tags
    }

    /// Adds one tag.
    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.0.insert(key.to_owned(), value.to_owned());
        self
    }

    /// The pairs, in key order.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

impl Stack {
    /// Whether `tags` name exactly this stack and home.
    pub fn owns<'a>(&self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
        let mut stack = false;
        let mut home = false;
        for (key, value) in tags {
            stack |= key == TAG_STACK && value == self.name;
            home |= key == TAG_HOME && value == self.home;
        }
        stack && home
    }

    /// The node address in `tags`, if the resource is this stack's.
    pub fn node_of<'a>(&self, tags: impl IntoIterator<Item = (&'a str, &'a str)> + Clone) -> Option<String> {
        if !self.owns(tags.clone()) {
            return None;
        }
        tags.into_iter().find(|(key, _)| *key == TAG_NODE).map(|(_, value)| value.to_owned())
    }
}

/// Reads a service's own tag type as a pair; implemented for every SDK tag type.
pub trait AsPair {
    /// Key and value; empty where the service left one out.
    fn pair(&self) -> (&str, &str);
}

/// The pairs of a slice of SDK tags, for [`Stack::node_of`].
pub fn pairs<T: AsPair>(tags: &[T]) -> Vec<(&str, &str)> {
    tags.iter().map(AsPair::pair).collect()
}

macro_rules! optional_tags {
    ($($method:ident => $tag:path),* $(,)?) => {
        impl Tags { $(
            #[doc = concat!("As `", stringify!($tag), "`.")]
            pub fn $method(&self) -> Vec<$tag> {
                self.pairs().map(|(k, v)| <$tag>::builder().key(k).value(v).build()).collect()
            }
        )* }
        $( impl AsPair for $tag {
            fn pair(&self) -> (&str, &str) { (self.key().unwrap_or_default(), self.value().unwrap_or_default()) }
        } )*
    };
}

macro_rules! required_tags {
    ($($method:ident => $tag:path),* $(,)?) => {
        impl Tags { $(
            #[doc = concat!("As `", stringify!($tag), "`.")]
            pub fn $method(&self) -> Vec<$tag> {
                self.pairs()
                    .map(|(k, v)| <$tag>::builder().key(k).value(v).build().expect("key and value are both set"))
                    .collect()
            }
        )* }
        $( impl AsPair for $tag {
            fn pair(&self) -> (&str, &str) { (self.key(), self.value()) }
        } )*
    };
}

optional_tags! {
    ec2 => aws_sdk_ec2::types::Tag,
    rds => aws_sdk_rds::types::Tag,
    elasticache => aws_sdk_elasticache::types::Tag,
    secretsmanager => aws_sdk_secretsmanager::types::Tag,
    cloudwatch => aws_sdk_cloudwatch::types::Tag,
    elbv2 => aws_sdk_elasticloadbalancingv2::types::Tag,
    route53 => aws_sdk_route53::types::Tag,
}
required_tags! {
    dynamodb => aws_sdk_dynamodb::types::Tag,
    s3 => aws_sdk_s3::types::Tag,
    iam => aws_sdk_iam::types::Tag,
    sns => aws_sdk_sns::types::Tag,
}

macro_rules! key_required_tags {
    ($($method:ident => $tag:path),* $(,)?) => {
        impl Tags { $(
            #[doc = concat!("As `", stringify!($tag), "`.")]
            pub fn $method(&self) -> Vec<$tag> {
                self.pairs().map(|(k, v)| <$tag>::builder().key(k).value(v).build().expect("the key is set")).collect()
            }
        )* }
        $( impl AsPair for $tag {
            fn pair(&self) -> (&str, &str) { (self.key(), self.value().unwrap_or_default()) }
        } )*
    };
}
key_required_tags! {
    acm => aws_sdk_acm::types::Tag,
    cloudfront => aws_sdk_cloudfront::types::Tag,
}

impl Tags {
    /// As a plain map (CloudWatch Logs).
    pub fn map(&self) -> std::collections::HashMap<String, String> {
        self.0.clone().into_iter().collect()
    }

    /// As an EC2 `TagSpecification` for the create call of `resource` (`vpc`, `natgateway`, ...).
    pub fn ec2_spec(&self, resource: &str) -> aws_sdk_ec2::types::TagSpecification {
        aws_sdk_ec2::types::TagSpecification::builder()
            .resource_type(aws_sdk_ec2::types::ResourceType::from(resource))
            .set_tags(Some(self.ec2()))
            .build()
    }
}
