//! Where assets go: the stack's bucket for them, and the distribution in front of it.

use super::bucket::Bucket;
use super::error::AssetsError;
use crate::aws::stack::Stack;
use crate::engine::observed::observe_kinds;
use crate::engine::outputs::assets_url;
use crate::engine::session::Session;
use crate::kinds::{Options, bucket, distribution};

/// The stack's place for assets.
#[derive(Debug, Clone)]
pub struct Target {
    /// The stack.
    pub stack: Stack,
    /// Its bucket for assets.
    pub bucket: Bucket,
    /// Id of the distribution, where there is one.
    pub distribution: Option<String>,
    /// Where clients find them.
    pub url: Option<String>,
}

impl Target {
    /// Looks it up by the stack's tags.
    pub async fn find(session: &Session, stack: &Stack) -> Result<Self, AssetsError> {
        let cx = session.context(stack.clone(), std::collections::BTreeMap::new(), Options::default());
        let kinds = ["bucket", "distribution"];
        let inventory = observe_kinds(&cx, kinds.into_iter()).await?;
        let lacks = || AssetsError::NoBucket { stack: stack.name.clone(), region: stack.home.clone() };
        let name = inventory.live.get(bucket::ASSETS).ok_or_else(lacks)?.id.clone();
        Ok(Self {
            url: assets_url(&inventory, session.aws.endpoint_url.as_deref()).await,
            distribution: inventory.live.get(distribution::ADDRESS).map(|live| live.id.clone()),
            bucket: Bucket { s3: session.aws.s3.clone(), name, owner: stack.account.clone() },
            stack: stack.clone(),
        })
    }
}
