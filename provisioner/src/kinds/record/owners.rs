//! The TXT record that says whose a record is.

use aws_sdk_route53::types::{ResourceRecord, ResourceRecordSet, RrType};

use super::canonical;
use crate::aws::stack::Stack;
use crate::kinds::Result;

/// What the name of the TXT record begins with.
const PREFIX: &str = "_provision.";
const MAGIC: &str = "provision";

/// The owners of one record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owners {
    /// Whether a stack made the record. Otherwise it was there before, and stays.
    pub(super) made: bool,
    list: Vec<Owner>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Owner {
    stack: String,
    home: String,
    node: String,
}

impl Owner {
    fn new(stack: &Stack, node: &str) -> Self {
        Self { stack: stack.name.clone(), home: stack.home.clone(), node: node.to_owned() }
    }
}

/// The name of the TXT record for `name`.
pub(super) fn text_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

/// The record's name and its owners, if `set` is such a TXT record.
pub(super) fn read(set: &ResourceRecordSet) -> Option<(String, Owners)> {
    if *set.r#type() != RrType::Txt {
        return None;
    }
    let name = canonical(set.name()).strip_prefix(PREFIX)?.to_owned();
    let owners = Owners::parse(set.resource_records().iter().map(ResourceRecord::value))?;
    Some((name, owners))
}

impl Owners {
    /// Nobody yet.
    pub(super) fn none(made: bool) -> Self {
        Self { made, list: Vec::new() }
    }

    fn parse<'a>(values: impl Iterator<Item = &'a str>) -> Option<Self> {
        let mut owners = Self::none(false);
        for value in values {
            let mut words = value.trim_matches('"').split(' ');
            if words.next() != Some(MAGIC) {
                continue;
            }
            let mut field = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=').map(str::to_owned);
            let (stack, home, node) = (field("stack")?, field("home")?, field("node")?);
            owners.made |= field("record")? == "made";
            owners.list.push(Owner { stack, home, node });
        }
        (!owners.list.is_empty()).then_some(owners)
    }

    /// Once a stack has made the record, the last owner deletes it.
    pub(super) fn made_if(mut self, made: bool) -> Self {
        self.made |= made;
        self
    }

    /// The nodes of `stack` that own the record.
    pub(super) fn addresses(&self, stack: &Stack) -> Vec<String> {
        let ours = |owner: &&Owner| owner.stack == stack.name && owner.home == stack.home;
        self.list.iter().filter(ours).map(|owner| owner.node.clone()).collect()
    }

    pub(super) fn contains(&self, stack: &Stack, node: &str) -> bool {
        self.list.contains(&Owner::new(stack, node))
    }

    /// With one more owner.
    pub(super) fn with(&self, stack: &Stack, node: &str) -> Self {
        let mut owners = self.without(stack, node);
        owners.list.push(Owner::new(stack, node));
        owners.list.sort();
        owners
    }

    /// With one owner less.
    pub(super) fn without(&self, stack: &Stack, node: &str) -> Self {
        let leaving = Owner::new(stack, node);
        let list = self.list.iter().filter(|owner| **owner != leaving).cloned().collect();
        Self { made: self.made, list }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// In words, for a message.
    pub(super) fn names(&self) -> String {
        let names: Vec<String> = self.list.iter().map(|o| format!("stack {} of {}", o.stack, o.home)).collect();
        names.join(" and ")
    }

    /// The TXT record.
    pub(super) fn to_set(&self, name: &str) -> Result<ResourceRecordSet> {
        let record = if self.made { "made" } else { "found" };
        let value = |o: &Owner| {
            let text = format!("\"{MAGIC} stack={} home={} node={} record={record}\"", o.stack, o.home, o.node);
            ResourceRecord::builder().value(text).build()
        };
        let values = self.list.iter().map(value).collect::<Result<Vec<_>, _>>()?;
        let set = ResourceRecordSet::builder().name(text_name(name)).r#type(RrType::Txt).ttl(super::TTL);
        Ok(set.set_resource_records(Some(values)).build()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(name: &str) -> Stack {
        Stack { name: name.into(), home: "eu-west-1".into(), account: "123456789012".into() }
    }

    #[test]
    fn owners_survive_the_way_through_a_txt_record() {
        let owners = Owners::none(true).with(&stack("game-dev"), "record/api").with(&stack("game-two"), "record/api");
        let (name, read) = read(&owners.to_set("api.example.com").expect("all is set")).expect("ours");
        assert_eq!((name.as_str(), read), ("api.example.com", owners));
    }

    #[test]
    fn the_last_owner_leaves_nobody() {
        let one = Owners::none(true).with(&stack("game-dev"), "record/api");
        let two = one.with(&stack("game-two"), "record/api");
        assert_eq!(two.without(&stack("game-two"), "record/api"), one);
        assert!(one.without(&stack("game-dev"), "record/api").is_empty());
        assert_eq!(two.addresses(&stack("game-dev")), ["record/api"]);
        assert!(two.addresses(&stack("game")).is_empty());
    }

    #[test]
    fn other_texts_name_no_owner() {
        let text = |name: &str, value: &str| {
            let value = ResourceRecord::builder().value(value).build().expect("the value is set");
            let set = ResourceRecordSet::builder().name(name).r#type(RrType::Txt).ttl(60).resource_records(value);
            set.build().expect("name and type are set")
        };
        assert!(read(&text("_provision.api.example.com.", "\"v=spf1 -all\"")).is_none());
        assert!(read(&text("api.example.com.", "\"provision stack=a home=b node=c record=made\"")).is_none());
        assert!(read(&text("_provision.api.example.com.", "\"provision stack=a\"")).is_none());
    }
}
