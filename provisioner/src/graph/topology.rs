//! The picture before it has a form: cards, zones, and what flows between them.

use crate::blueprint::Tier;
use crate::engine::plan::Action;

use super::subject::Subject;
use super::{services, vpc};

/// A service, for a card's tile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// Instances and their groups.
    Compute,
    /// Databases and caches.
    Data,
    /// Buckets.
    Storage,
    /// Names, ways and load balancers.
    Network,
    /// Secrets.
    Security,
    /// Logs, alarms and mails.
    Watch,
}

/// A box that stands for something of the stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// Unique in the picture: `load-balancer`, `nat/1`.
    pub id: String,
    /// A few letters: `ALB`, `RDS`.
    pub tile: &'static str,
    /// The tile's family.
    pub family: Family,
    /// What it is.
    pub title: String,
    /// More about it.
    pub lines: Vec<String>,
    /// What the plan does to it.
    pub mark: Option<Action>,
    /// Each change of what it shows, in words.
    pub changes: Vec<String>,
}

/// A subnet of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subnet {
    /// What it is for.
    pub tier: Tier,
    /// The subnet itself.
    pub card: Card,
    /// Its NAT gateway.
    pub nat: Option<Card>,
}

/// An availability zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// `eu-central-1a`, or `zone 1` where the blueprint leaves the choice.
    pub name: String,
    /// Public, app and data.
    pub subnets: Vec<Subnet>,
}

/// Something that spans the zones: a load balancer, a group of servers, a database with its standby.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// Itself.
    pub card: Card,
    /// The tier of subnets that it lies in.
    pub tier: Tier,
    /// Its members by zone, from 0.
    pub members: Vec<(usize, Card)>,
    /// It stands between its members and whoever talks to them; else the first member is who is talked to.
    pub is_hub: bool,
}

/// The network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vpc {
    /// Itself.
    pub card: Card,
    /// The internet gateway.
    pub gateway: Option<Card>,
    /// The gateway endpoints.
    pub endpoints: Option<Card>,
    /// The zones.
    pub zones: Vec<Zone>,
    /// What spans them, from the outside inwards.
    pub bands: Vec<Band>,
}

/// What an arrow stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Requests.
    Request,
    /// Copies of data.
    Replication,
    /// The way out to the internet.
    Out,
}

/// An arrow between two cards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// Id of the card that it begins at; [`PLAYERS`] are outside.
    pub from: String,
    /// Id of the card that it ends at.
    pub to: String,
    /// In a word or two, what flows.
    pub label: String,
    /// What it stands for.
    pub flow: Flow,
}

/// The id of the players.
pub const PLAYERS: &str = "players";

/// The whole picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topology {
    /// The stack's name.
    pub stack: String,
    /// Its home region.
    pub region: String,
    /// The plan in a line, where it is drawn.
    pub plan: Option<String>,
    /// Whether anything of it is for players.
    pub has_players: bool,
    /// Services outside the region: names, CDN.
    pub global: Vec<Card>,
    /// The network.
    pub vpc: Option<Vpc>,
    /// Services of the region outside the VPC.
    pub regional: Vec<Card>,
    /// The arrows.
    pub edges: Vec<Edge>,
}

impl Topology {
    /// Arranges the subject's resources in cards.
    pub fn of(subject: &Subject) -> Self {
        let mut topology = Self {
            stack: subject.stack.clone(),
            region: subject.region.clone(),
            plan: subject.plan.clone(),
            has_players: false,
            global: services::global(subject),
            vpc: vpc::vpc(subject),
            regional: services::regional(subject),
            edges: Vec::new(),
        };
        topology.has_players = topology.has("load-balancer") || topology.has("cdn");
        topology.edges = topology.flows();
        topology
    }

    /// Every card, from the outside inwards.
    pub fn cards(&self) -> Vec<&Card> {
        let mut cards: Vec<&Card> = self.global.iter().collect();
        if let Some(vpc) = &self.vpc {
            cards.push(&vpc.card);
            cards.extend(vpc.gateway.iter().chain(&vpc.endpoints));
            for subnet in vpc.zones.iter().flat_map(|zone| &zone.subnets) {
                cards.push(&subnet.card);
                cards.extend(&subnet.nat);
            }
            for band in &vpc.bands {
                cards.push(&band.card);
                cards.extend(band.members.iter().map(|(_, member)| member));
            }
        }
        cards.extend(&self.regional);
        cards
    }

    /// Whether there is a card of this id.
    pub fn has(&self, id: &str) -> bool {
        id == PLAYERS && self.has_players || self.cards().iter().any(|card| card.id == id)
    }

    /// The band of this id.
    pub fn band(&self, id: &str) -> Option<&Band> {
        self.vpc.as_ref()?.bands.iter().find(|band| band.card.id == id)
    }

    /// What flows between the cards that are there.
    fn flows(&self) -> Vec<Edge> {
        let entry = if self.has("dns") { "dns" } else { PLAYERS };
        let mut wanted: Vec<(String, String, &str, Flow)> = Vec::new();
        let mut add = |from: &str, to: &str, label, flow| wanted.push((from.to_owned(), to.to_owned(), label, flow));
        if self.has("load-balancer") {
            add(PLAYERS, "dns", "names", Flow::Request);
        }
        add(entry, "load-balancer", "API", Flow::Request);
        add(PLAYERS, "cdn", "assets", Flow::Request);
        add("cdn", "assets", "reads", Flow::Request);
        add("load-balancer", "servers", "", Flow::Request);
        for (to, label) in [("database", "players, purchases"), ("cache", "ranks"), ("log", "players' log")] {
            add("servers", to, label, Flow::Request);
        }
        for (to, label) in [("stack", "release"), ("secrets", ""), ("logs", "")] {
            add("servers", to, label, Flow::Request);
        }
        add("alarms", "topic", "", Flow::Request);
        for band in self.vpc.iter().flat_map(|vpc| &vpc.bands).filter(|band| !band.is_hub) {
            for (_, member) in band.members.iter().skip(1) {
                add(&band.members[0].1.id, &member.id, "", Flow::Replication);
            }
        }
        for subnet in self.vpc.iter().flat_map(|vpc| &vpc.zones).flat_map(|zone| &zone.subnets) {
            if let Some(nat) = &subnet.nat {
                add("servers", &nat.id, "", Flow::Out);
                add(&nat.id, "internet-gateway", "", Flow::Out);
            }
        }
        let is_there = |(from, to, _, _): &(String, String, &str, Flow)| self.has(from) && self.has(to);
        let edge = |(from, to, label, flow): (String, String, &str, Flow)| Edge { from, to, label: label.into(), flow };
        wanted.into_iter().filter(is_there).map(edge).collect()
    }
}
