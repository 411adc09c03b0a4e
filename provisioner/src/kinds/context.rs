//! What a kind is given: where the stack is, and the clients.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use rand::RngExt;
use secrecy::SecretString;
use serde::Serialize;

use super::tagging::Gathering;
use crate::aws::Aws;
use crate::aws::stack::{Stack, TAG_HOME, TAG_STACK, short_hash};
use crate::aws::tags::Tags;
use crate::blueprint::{Blueprint, ZoneSpec};

/// A file that is uploaded: the server binary that a new stack starts with, or the game file.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Where it is on this machine.
    pub path: PathBuf,
    /// Its SHA-256, in hex.
    pub sha256: String,
}

/// What `desired` may know besides the blueprint: facts looked up once, before planning.
#[derive(Debug, Clone)]
pub struct Place {
    /// The stack.
    pub stack: Stack,
    /// The zones it spreads over, in order.
    pub zones: Vec<String>,
    /// The id of an existing hosted zone to use (where the blueprint does not create one).
    pub zone_id: Option<String>,
    /// The id of the parent zone that delegates to ours.
    pub parent_zone_id: Option<String>,
    /// The internet gateway of an existing VPC, where it has one that is not the stack's.
    pub internet_gateway: Option<String>,
    /// The binary that `up` deploys where the stack has none yet.
    pub artifact: Option<Artifact>,
    /// The game file that the blueprint names.
    pub game_file: Option<Artifact>,
}

impl Place {
    /// The facts of a stack that nobody has looked at: zones without a name are numbered.
    pub fn unseen(blueprint: &Blueprint) -> Self {
        let zones = match blueprint.network.as_ref().map(|network| &network.zones) {
            None => Vec::new(),
            Some(ZoneSpec::Named(names)) => names.clone(),
            Some(ZoneSpec::Count(count)) => (1..=*count).map(|number| format!("zone {number}")).collect(),
        };
        let account = blueprint.stack.account.clone().unwrap_or_else(|| "000000000000".to_owned());
        let game_file = blueprint.servers.as_ref().and_then(|servers| servers.game_file.clone());
        Self {
            stack: Stack { name: blueprint.stack_name(), home: blueprint.stack.region.clone(), account },
            zones,
            zone_id: Some(String::new()),
            parent_zone_id: Some(String::new()),
            internet_gateway: None,
            artifact: None,
            game_file: game_file.map(|path| Artifact { path, sha256: String::new() }),
        }
    }
}

/// Options that change what create and delete do.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Data may be destroyed: no final snapshot, no backup, protection is lifted.
    pub allow_data_loss: bool,
    /// Quotas, offers and permissions are not checked.
    pub skip_preflight: bool,
}

/// What may wait for its maintenance window, and is ready without having been changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InWindow {
    /// The database.
    pub database: bool,
    /// The cache.
    pub cache: bool,
}

/// Everything a step may use.
pub struct Cx {
    /// The clients.
    pub aws: Aws,
    /// The stack.
    pub stack: Stack,
    /// The blueprint's free tags.
    pub free_tags: BTreeMap<String, String>,
    /// Keys of free tags that earlier runs put on the stack and that the blueprint names no more.
    pub dropped_tags: BTreeSet<String>,
    /// Options of this run.
    pub options: Options,
    /// What may wait.
    pub in_window: InWindow,
    /// The binary to upload, where there is one.
    pub artifact: Option<Artifact>,
    /// The game file to upload, where there is one.
    pub game_file: Option<Artifact>,
    /// Resources that count as the stack's although their tags do not say so (any more).
    pub claims: Vec<Claim>,
    /// The instance refresh that this run started or follows.
    pub refresh: OnceLock<String>,
    /// Who runs this: the caller's ARN, for records.
    pub caller: String,
    /// What was kept on purpose: description and the command that removes it.
    pub kept: Mutex<Vec<Kept>>,
    /// Hosted zones that are not the stack's own and in which it has records, or is to have some.
    pub zones: BTreeSet<String>,
    /// Tags on their way to many resources in one call.
    pub(super) gathering: Gathering,
    /// One at a time: a bucket's tags are read, and written as a whole.
    pub(super) bucket_tags: tokio::sync::Mutex<()>,
    seen_tags: Mutex<BTreeMap<(String, String), BTreeMap<String, String>>>,
    /// When the run began.
    pub begun: jiff::Timestamp,
    incarnation: OnceLock<String>,
    random: Mutex<rand::rngs::StdRng>,
    now: Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>,
}

/// A resource that is looked at as the stack's: one whose tags were removed by hand, or one that is to be adopted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its kind's name.
    pub kind: &'static str,
    /// The id that AWS's calls take.
    pub id: String,
    /// The address that it has or is to have.
    pub address: String,
}

/// Something that `down` keeps on purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// What it is, by name.
    pub what: String,
    /// The command that removes it.
    pub remove: String,
}

impl Cx {
    /// A context over `aws`; randomness and time are passed in.
    pub fn new(
        aws: Aws,
        stack: Stack,
        free_tags: BTreeMap<String, String>,
        options: Options,
        random: rand::rngs::StdRng,
        now: Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>,
    ) -> Self {
        Self {
            aws,
            stack,
            free_tags,
            dropped_tags: BTreeSet::new(),
            options,
            in_window: InWindow::default(),
            artifact: None,
            game_file: None,
            claims: Vec::new(),
            refresh: OnceLock::new(),
            caller: String::new(),
            kept: Mutex::new(Vec::new()),
            zones: BTreeSet::new(),
            gathering: Gathering::default(),
            bucket_tags: tokio::sync::Mutex::default(),
            seen_tags: Mutex::default(),
            begun: now(),
            incarnation: OnceLock::new(),
            random: Mutex::new(random),
            now,
        }
    }

    /// The tags of the node at `address`.
    pub fn tags(&self, address: &str) -> Tags {
        Tags::for_node(&self.stack, address, &self.free_tags)
    }

    /// Stack and home alone, for what AWS makes on the stack's behalf.
    pub fn stack_tags(&self) -> Tags {
        Tags::stack_only(&self.stack, &self.free_tags)
    }

    /// An idempotency token for a create call: 32 letters and digits, from incarnation, address and parameters.
    pub fn token(&self, address: &str, parameters: &impl Serialize) -> String {
        let parameters = serde_json::to_string(parameters).unwrap_or_default();
        short_hash(&format!("{}|{address}|{parameters}", self.incarnation()), 32)
    }

    /// The stack's incarnation: random, on the stack bucket, dies with it.
    pub fn incarnation(&self) -> &str {
        self.incarnation.get().map_or("", String::as_str)
    }

    /// Remembers the incarnation read from (or written to) the stack bucket. The first one stays.
    pub fn remember_incarnation(&self, incarnation: &str) {
        let _ = self.incarnation.set(incarnation.to_owned());
    }

    /// A random text of `length` characters out of `alphabet` (ASCII).
    pub fn random_text(&self, alphabet: &[u8], length: usize) -> SecretString {
        let mut random = self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let text: String = (0..length).map(|_| char::from(alphabet[random.random_range(0..alphabet.len())])).collect();
        text.into()
    }

    /// Random bytes.
    pub fn random_bytes(&self, length: usize) -> Vec<u8> {
        let mut random = self.random.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (0..length).map(|_| random.random::<u8>()).collect()
    }

    /// The time now.
    pub fn now(&self) -> jiff::Timestamp {
        (self.now)()
    }

    /// Notes something kept on purpose.
    pub fn keep(&self, what: impl Into<String>, remove: impl Into<String>) {
        let kept = Kept { what: what.into(), remove: remove.into() };
        self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(kept);
    }
}

impl Cx {
    /// EC2 filters that match exactly this stack's resources.
    pub fn ec2_filters(&self) -> Vec<aws_sdk_ec2::types::Filter> {
        [(TAG_STACK, &self.stack.name), (TAG_HOME, &self.stack.home)]
            .map(|(key, value)| aws_sdk_ec2::types::Filter::builder().name(format!("tag:{key}")).values(value).build())
            .into()
    }

    /// As [`Cx::ec2_filters`], for the listing of `kind`: a claimed resource is found by no tag.
    pub fn filters_of(&self, kind: &str) -> Vec<aws_sdk_ec2::types::Filter> {
        if self.claims_any(kind) { Vec::new() } else { self.ec2_filters() }
    }

    /// Whether a resource of `kind` is claimed.
    pub fn claims_any(&self, kind: &str) -> bool {
        self.claims.iter().any(|claim| claim.kind == kind)
    }

    /// The address of the resource `id`, where its tags or a claim make it the stack's. No claim takes what carries another
    /// stack's tags.
    pub fn node_of<'a>(
        &self,
        kind: &str,
        id: &str,
        tags: impl IntoIterator<Item = (&'a str, &'a str)> + Clone,
    ) -> Option<String> {
        let claim = self.claims.iter().find(|claim| claim.kind == kind && claim.id == id);
        let foreign = |(key, value): (&str, &str)| match key {
            TAG_STACK => value != self.stack.name,
            TAG_HOME => value != self.stack.home,
            _ => false,
        };
        let claim = claim.filter(|_| !tags.clone().into_iter().any(foreign));
        let address = claim.map(|claim| claim.address.clone()).or_else(|| self.stack.node_of(tags.clone()))?;
        self.note_tags(kind, id, tags);
        Some(address)
    }

    /// Remembers which tags a resource of the stack was seen with.
    pub fn note_tags<'a>(&self, kind: &str, id: &str, tags: impl IntoIterator<Item = (&'a str, &'a str)>) {
        let tags = tags.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
        let mut seen = self.seen_tags.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.insert((kind.to_owned(), id.to_owned()), tags);
    }

    /// The tags that a listing saw on a resource; `None` where its kind's listing reads none.
    pub fn seen_tags(&self, kind: &str, id: &str) -> Option<BTreeMap<String, String>> {
        let seen = self.seen_tags.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        seen.get(&(kind.to_owned(), id.to_owned())).cloned()
    }
}
