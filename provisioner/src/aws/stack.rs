//! Which stack a resource belongs to, and the names its resources get.

use sha2::{Digest, Sha256};

/// What the keys of the tags begin with that are provision's own.
pub const OWN: &str = "provision:";
/// Tag keys that say whose a resource is. A resource belongs to a stack if and only if these say so.
pub const TAG_STACK: &str = "provision:stack";
/// The region that the stack calls home.
pub const TAG_HOME: &str = "provision:home";
/// The address of the resource in the stack's graph.
pub const TAG_NODE: &str = "provision:node";
/// Random, written on the stack bucket when that is made; part of every idempotency token.
pub const TAG_INCARNATION: &str = "provision:incarnation";
/// On the stack bucket: the hosted zones that are not the stack's own and in which it has records, ids with spaces between.
pub const TAG_ZONES: &str = "provision:zones";
/// Marks what `down` keeps on purpose (final snapshots, backups): never counted as left over.
pub const TAG_KEPT: &str = "provision:kept";

/// On the stack bucket, `false` where the blueprint forbids drills.
pub const TAG_DRILLS: &str = "provision:drills";

/// The identity of a stack: its name (`<game>-<environment>`), its home region and its account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Stack {
    /// `<game>-<environment>`.
    pub name: String,
    /// Home region, for example `eu-central-1`.
    pub home: String,
    /// Twelve-digit account id.
    pub account: String,
}

/// What a service allows in a resource's name.
#[derive(Debug, Clone, Copy)]
pub struct NameRule {
    /// Longest name, in characters.
    pub max: usize,
    /// Whether the service keeps only lower case.
    pub lower: bool,
}

impl NameRule {
    /// A rule with a length limit only.
    pub const fn max(max: usize) -> Self {
        Self { max, lower: false }
    }
    /// A rule with a length limit, lower case only.
    pub const fn lower(max: usize) -> Self {
        Self { max, lower: true }
    }
}

impl Stack {
    /// The deterministic name of the resource at `address`, within `rule`, unique in account *and* region.
    ///
    /// Letters, digits and single hyphens only; starts with a letter, never ends in a hyphen. A name that would
    /// be too long is cut and ends in a hash of the whole, so two addresses never meet.
    pub fn name_for(&self, address: &str, rule: NameRule) -> String {
        self.fit(&format!("{}-{}", self.name, address), rule, false)
    }

    /// As [`Stack::name_for`], for global services: the name always carries a hash of the region, because two regions
    /// may hold a stack of the same name.
    pub fn global_name_for(&self, address: &str, rule: NameRule) -> String {
        self.fit(&format!("{}-{}", self.name, address), rule, true)
    }

    /// A bucket name: global over all accounts, so it carries a hash of account and region.
    pub fn bucket_name(&self, address: &str) -> String {
        let seed = format!("{}/{}/{}/{}", self.account, self.home, self.name, address);
        let last = address.rsplit('/').next().unwrap_or(address);
        let base = clean(&format!("{}-{}", self.name, last)).to_lowercase();
        format!("{}-{}", cut(&base, 50), short_hash(&seed, 12))
    }

    /// The partition that the home region lies in: the second part of every ARN.
    pub fn partition(&self) -> &'static str {
        partition_of(&self.home)
    }

    fn fit(&self, wanted: &str, rule: NameRule, global: bool) -> String {
        let mut name = clean(wanted);
        if rule.lower {
            name = name.to_lowercase();
        }
        let seed = format!("{}/{}", self.home, wanted);
        if global {
            let tail = short_hash(&seed, 8);
            return format!("{}-{}", cut(&name, rule.max - 9), tail);
        }
        // Cleaning may map two addresses to one name, so anything but the plain form carries the hash too.
        if name.len() <= rule.max && name == wanted.replace('/', "-") {
            return name;
        }
        format!("{}-{}", cut(&name, rule.max - 9), short_hash(&seed, 8))
    }
}

/// The partition that a region lies in.
pub fn partition_of(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The first `length` hex digits of the SHA-256 of `seed`.
pub fn short_hash(seed: &str, length: usize) -> String {
    let mut digest = hex::encode(Sha256::digest(seed.as_bytes()));
    digest.truncate(length);
    digest
}

fn clean(wanted: &str) -> String {
    let mut name = String::with_capacity(wanted.len());
    for c in wanted.chars() {
        let c = if c.is_ascii_alphanumeric() { c } else { '-' };
        if c == '-' && (name.ends_with('-') || name.is_empty()) {
            continue;
        }
        name.push(c);
    }
    let name = name.trim_end_matches('-').to_owned();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("s-{name}") }
}

fn cut(name: &str, max: usize) -> &str {
    let end = name.len().min(max);
    name[..end].trim_end_matches('-')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stack(name: &str, home: &str) -> Stack {
        Stack { name: name.into(), home: home.into(), account: "123456789012".into() }
    }

    #[test]
    fn short_names_stay_readable() {
        let s = stack("game-dev", "eu-west-1");
        assert_eq!(s.name_for("target-group", NameRule::max(32)), "game-dev-target-group");
        assert_eq!(s.name_for("subnet/app-1", NameRule::max(64)), "game-dev-subnet-app-1");
    }

    #[test]
    fn global_names_differ_by_region() {
        let rule = NameRule::max(64);
        let a = stack("game-dev", "eu-west-1").global_name_for("role/servers", rule);
        let b = stack("game-dev", "us-east-1").global_name_for("role/servers", rule);
        assert_ne!(a, b);
    }

    proptest! {
        #[test]
        fn names_obey_the_limits(name in "[a-z][a-z0-9-]{0,60}", address in "[a-z]{1,20}(/[a-z0-9-]{1,20})?", max in 24usize..64) {
            let s = stack(&name, "eu-west-1");
            for n in [s.name_for(&address, NameRule::lower(max)), s.global_name_for(&address, NameRule::lower(max)), s.bucket_name(&address)] {
                prop_assert!(n.len() <= max.max(63), "{n}");
                prop_assert!(!n.contains("--") && !n.ends_with('-') && n.starts_with(|c: char| c.is_ascii_lowercase()), "{n}");
            }
            prop_assert!(s.name_for(&address, NameRule::lower(max)).len() <= max);
        }

        #[test]
        fn long_names_of_different_addresses_differ(a in "[a-z]{30,40}", b in "[a-z]{30,40}") {
            let s = stack("a-rather-long-stack-name", "eu-west-1");
            prop_assume!(a != b);
            prop_assert_ne!(s.name_for(&a, NameRule::max(32)), s.name_for(&b, NameRule::max(32)));
        }
    }
}
