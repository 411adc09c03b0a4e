//! Buckets: the stack's own (lease, journal, releases) and the one for assets.

mod contents;
mod settings;
mod zones;

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration, ObjectOwnership};
use serde::{Deserialize, Serialize};

use super::{Attrs, Change, Created, Cx, Error, Field, Impact, Kind, Live, Node, Phase, Place, Result, State, Want, attrs, Tagged};
use crate::aws::US_EAST_1;
use crate::aws::error::{CallError, GoneOk};
use crate::aws::stack::{Stack, TAG_DRILLS, TAG_INCARNATION, TAG_ZONES};
use crate::aws::tags::{Tags, pairs};
use crate::blueprint::Blueprint;

pub use contents::{delete_keys, empty, empty_and_delete, keys};
pub use settings::LifecycleRule;
pub(super) use zones::{note_zones, noted_zones};

/// The address of the stack's own bucket.
pub const STACK: &str = "bucket/stack";
/// The address of the bucket for assets.
pub const ASSETS: &str = "bucket/assets";

/// Where a bucket's objects are found at a local AWS, which has no other address for them.
pub fn address_at(endpoint_url: &str, name: &str) -> String {
    format!("{}/{name}", endpoint_url.trim_end_matches('/'))
}

/// A private, versioned, encrypted bucket.
pub struct Bucket;

/// What it can be told to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Spec {
    /// Its name, global over all accounts.
    pub name: String,
    /// All four settings of the public access block.
    pub public_access_blocked: bool,
    /// Default encryption: `AES256` (SSE-S3).
    pub encryption: String,
    /// Object ownership: `BucketOwnerEnforced` switches ACLs off.
    pub ownership: String,
    /// Old versions of objects are kept.
    pub versioned: bool,
    /// What expires when.
    pub lifecycle: Vec<LifecycleRule>,
    /// Whether `drill` may break something of the stack; on the stack's own bucket alone, as a tag.
    pub drills: bool,
}

/// How a live one can be changed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op {
    /// `PutPublicAccessBlock`.
    PublicAccess,
    /// `PutBucketEncryption`.
    Encryption,
    /// `PutBucketOwnershipControls`.
    Ownership,
    /// `PutBucketVersioning`.
    Versioning,
    /// `PutBucketLifecycleConfiguration`.
    Lifecycle,
    /// `PutBucketTagging`.
    Drills,
}

impl Spec {
    fn private(name: String, lifecycle: Vec<LifecycleRule>) -> Self {
        Self {
            name,
            public_access_blocked: true,
            encryption: "AES256".into(),
            ownership: ObjectOwnership::BucketOwnerEnforced.as_str().into(),
            versioned: true,
            lifecycle,
            drills: true,
        }
    }
}

/// The node of the stack's own bucket, which exists whatever the blueprint says.
pub fn stack_bucket_node(stack: &Stack) -> Node {
    let spec = stack_spec(stack);
    let props = serde_json::to_value(spec).expect("a spec is plain data with string keys");
    Node { address: STACK.to_owned(), kind: Bucket::NAME, props, after: Vec::new() }
}

fn stack_spec(stack: &Stack) -> Spec {
    let mut lifecycle: Vec<_> =
        ["lease/", "journal/", "drills/"].map(|prefix| LifecycleRule::versions(prefix, 1)).into();
    // A release that was removed by mistake can be had back for a while.
    lifecycle.push(LifecycleRule::versions("releases/", 30));
    Spec::private(stack.bucket_name(STACK), lifecycle)
}

impl Kind for Bucket {
    type Spec = Spec;
    type Op = Op;
    const NAME: &'static str = "bucket";
    const TAGGED: Tagged = Tagged::Bucket;
    const FIELDS: &'static [Field<Op>] = &[
        Field::replace("name"),
        Field::update("public_access_blocked", Op::PublicAccess, Impact::InPlace),
        Field::update("encryption", Op::Encryption, Impact::InPlace),
        Field::update("ownership", Op::Ownership, Impact::InPlace),
        Field::update("versioned", Op::Versioning, Impact::InPlace),
        Field::update("lifecycle", Op::Lifecycle, Impact::InPlace),
        Field::update("drills", Op::Drills, Impact::None),
    ];
    const AFTER: &'static [&'static str] = &[];

    fn desired(&self, blueprint: &Blueprint, place: &Place) -> Vec<Want<Spec>> {
        let own = Spec { drills: blueprint.stack.drills, ..stack_spec(&place.stack) };
        let mut wanted = vec![Want::new(STACK, own)];
        if blueprint.assets.is_some() {
            // What was pruned or emptied by mistake can be brought back for so long.
            let rules = vec![LifecycleRule::versions("", 30)];
            wanted.push(Want::new(ASSETS, Spec::private(place.stack.bucket_name(ASSETS), rules)));
        }
        wanted
    }

    fn expected(&self, phase: Phase, _spec: &Spec) -> std::time::Duration {
        std::time::Duration::from_secs(if phase == Phase::Delete { 5 } else { 3 })
    }

    async fn list(&self, cx: &Cx) -> Result<Vec<Live<Spec>>> {
        // The names are deterministic, the tags decide. One bucket's calls come one after another.
        let (stack, assets) = futures::try_join!(look(cx, STACK), look(cx, ASSETS))?;
        Ok([stack, assets].into_iter().flatten().collect())
    }

    async fn create(&self, cx: &Cx, want: &Want<Spec>) -> Result<Created> {
        let name = &want.spec.name;
        match claim(cx, name).await? {
            Claim::Free => make(cx, want).await?,
            Claim::Mine => {}
        }
        let tags = tag(cx, want).await?;
        // Killed from here on, the next run finds the settings that differ and puts them.
        let live = settings::read(cx, name, &tags).await?;
        for (op, differs) in settings::differences(&live, &want.spec) {
            if differs {
                settings::put(cx, name, op, &want.spec).await?;
            }
        }
        Ok(Created { id: name.clone(), attrs: outputs(cx, name) })
    }

    async fn update(&self, cx: &Cx, op: Op, change: &Change<'_, Spec>) -> Result<()> {
        settings::put(cx, &change.live.id, op, change.want).await
    }

    async fn guarded(&self, cx: &Cx, live: &Live<Spec>) -> Result<Option<String>> {
        if live.address != ASSETS || cx.options.allow_data_loss || contents::is_empty(cx, &live.id).await? {
            return Ok(None);
        }
        let name = &live.id;
        Ok(Some(format!("bucket {name} holds objects; `aws s3 sync s3://{name} DIRECTORY` keeps a copy of them")))
    }

    async fn delete(&self, cx: &Cx, live: &Live<Spec>) -> Result<()> {
        if live.address != STACK && !contents::deny_puts(cx, &live.id).await? {
            return Ok(());
        }
        empty_and_delete(cx, &live.id, &[]).await
    }
}

/// The outputs of a bucket.
fn outputs(cx: &Cx, name: &str) -> Attrs {
    let partition = cx.stack.partition();
    let suffix = if partition == "aws-cn" { ".cn" } else { "" };
    attrs([
        ("name", name),
        ("arn", &format!("arn:{partition}:s3:::{name}")),
        ("domain", &format!("{name}.s3.{}.amazonaws.com{suffix}", cx.stack.home)),
    ])
}

async fn look(cx: &Cx, address: &str) -> Result<Option<Live<Spec>>> {
    let name = cx.stack.bucket_name(address);
    let Some(tags) = tags_of(cx, &name).await? else { return Ok(None) };
    if cx.node_of(Bucket::NAME, &name, pairs(&tags)).as_deref() != Some(address) {
        return Ok(None);
    }
    remember(cx, &tags);
    let spec = settings::read(cx, &name, &tags).await?;
    Ok(Some(Live { address: address.to_owned(), attrs: outputs(cx, &name), id: name, spec, state: State::Ready }))
}

fn remember(cx: &Cx, tags: &[aws_sdk_s3::types::Tag]) {
    if let Some(tag) = tags.iter().find(|tag| tag.key() == TAG_INCARNATION) {
        cx.remember_incarnation(tag.value());
    }
}

/// The bucket's tags; `None` where there is no such bucket.
pub(super) async fn tags_of(cx: &Cx, name: &str) -> Result<Option<Vec<aws_sdk_s3::types::Tag>>> {
    let answer = cx.aws.s3.get_bucket_tagging().bucket(name).expected_bucket_owner(&cx.stack.account).send().await;
    match answer.map_err(CallError::from) {
        Ok(answer) => Ok(Some(answer.tag_set)),
        Err(error) if error.is(&["NoSuchTagSet"]) => Ok(Some(Vec::new())),
        Err(error) if error.is_not_found() => Ok(None),
        // Another account's bucket and a missing permission look the same here: the head request tells them apart.
        Err(error) if error.is(&["AccessDenied"]) => match claim(cx, name).await? {
            Claim::Free => Ok(None),
            Claim::Mine => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

enum Claim {
    Free,
    Mine,
}

/// Whether the name is free or ours; another account's bucket is an error.
async fn claim(cx: &Cx, name: &str) -> Result<Claim> {
    let answer = cx.aws.s3.head_bucket().bucket(name).expected_bucket_owner(&cx.stack.account).send().await;
    match answer.gone_ok() {
        Ok(Some(_)) => Ok(Claim::Mine),
        Ok(None) => Ok(Claim::Free),
        Err(error) if error.is(&["AccessDenied"]) => Err(Error::Refused {
            what: format!("bucket {name} belongs to another account, or these credentials may not see it"),
            help: "choose another stack name, or grant s3:ListBucket and s3:GetBucketTagging".into(),
        }),
        Err(error) => Err(error.into()),
    }
}

async fn make(cx: &Cx, want: &Want<Spec>) -> Result<()> {
    let mut tags = cx.tags(&want.address);
    if want.address == STACK {
        tags = tags.with(TAG_INCARNATION, &hex::encode(cx.random_bytes(16))).with(TAG_ZONES, &zones::value(&cx.zones));
    }
    if !want.spec.drills {
        tags = tags.with(TAG_DRILLS, "false");
    }
    // us-east-1 is the one region that must not be named.
    let location = (cx.stack.home != US_EAST_1).then(|| BucketLocationConstraint::from(cx.stack.home.as_str()));
    let configuration =
        CreateBucketConfiguration::builder().set_location_constraint(location).set_tags(Some(tags.s3())).build();
    let answer = cx
        .aws
        .s3
        .create_bucket()
        .bucket(&want.spec.name)
        .object_ownership(ObjectOwnership::from(want.spec.ownership.as_str()))
        .create_bucket_configuration(configuration)
        .send()
        .await;
    match answer.map_err(CallError::from) {
        Ok(_) => Ok(()),
        Err(error) if error.is(&["BucketAlreadyOwnedByYou"]) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes sure that the tags are there. Endpoints that know no tags at creation leave an untagged bucket: its name, which
/// carries a hash of account, region, stack and address, makes it ours. Another's tags are never replaced.
///
/// Answers the tags.
async fn tag(cx: &Cx, want: &Want<Spec>) -> Result<Vec<aws_sdk_s3::types::Tag>> {
    let name = &want.spec.name;
    let found = tags_of(cx, name).await?.unwrap_or_default();
    if cx.stack.node_of(pairs(&found)).as_deref() == Some(want.address.as_str()) {
        remember(cx, &found);
        return Ok(found);
    }
    if !found.is_empty() {
        return Err(Error::Refused {
            what: format!("bucket {name} exists in this account and does not carry the stack's tags"),
            help: "delete it, or choose another stack name".into(),
        });
    }
    add_tags(cx, name, &want.address).await?;
    Ok(Vec::new())
}

/// Whether these tags of a stack's bucket allow drills.
pub fn allows_drills<'a>(tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> bool {
    !tags.into_iter().any(|(key, value)| key == TAG_DRILLS && value == "false")
}

/// Writes on the bucket whether drills are allowed; its other tags stay.
async fn mark_drills(cx: &Cx, name: &str, allowed: bool) -> Result<()> {
    let _alone = cx.bucket_tags.lock().await;
    let found = tags_of(cx, name).await?.unwrap_or_default();
    let mut tags = Tags(pairs(&found).into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
    tags.0.remove(TAG_DRILLS);
    if !allowed {
        tags = tags.with(TAG_DRILLS, "false");
    }
    put_tags(cx, name, &tags).await
}

/// Adds the tags of the node at `address` to those that the bucket has.
pub(super) async fn add_tags(cx: &Cx, name: &str, address: &str) -> Result<()> {
    let _alone = cx.bucket_tags.lock().await;
    let found = tags_of(cx, name).await?.unwrap_or_default();
    let mut tags = cx.tags(address);
    if address == STACK && !found.iter().any(|tag| tag.key() == TAG_INCARNATION) {
        let incarnation = hex::encode(cx.random_bytes(16));
        cx.remember_incarnation(&incarnation);
        tags = tags.with(TAG_INCARNATION, &incarnation).with(TAG_ZONES, &zones::value(&cx.zones));
    }
    for tag in found.into_iter().filter(|tag| !cx.dropped_tags.contains(tag.key())) {
        tags.0.entry(tag.key).or_insert(tag.value);
    }
    put_tags(cx, name, &tags).await
}

/// Replaces all of the bucket's tags.
async fn put_tags(cx: &Cx, name: &str, tags: &Tags) -> Result<()> {
    let tagging = aws_sdk_s3::types::Tagging::builder().set_tag_set(Some(tags.s3())).build()?;
    let owner = &cx.stack.account;
    cx.aws.s3.put_bucket_tagging().bucket(name).expected_bucket_owner(owner).tagging(tagging).send().await?;
    Ok(())
}

#[cfg(test)]
mod tests;
