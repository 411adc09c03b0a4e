//! `[network]`

use ipnet::Ipv4Net;
use toml::de::DeValue;

use crate::blueprint::network::{LONGEST_PREFIX, MAX_ZONES, Nat, Network, ZoneSpec};
use crate::blueprint::problem::{Problem, kind, whole, wrong_type};
use crate::blueprint::reader::Section;
use crate::blueprint::schema::{Key, Takes};

const SHORTEST_PREFIX: u8 = 16;

const CIDR: Key = Key::new("cidr", Takes::Text("an IPv4 range"), "\"10.0.0.0/16\"");
const VPC: Key = Key::optional("vpc", Takes::Text("a VPC's id"), "a VPC of its own", "\"vpc-0a1b2c3d4e5f67890\"");
const ZONES: Key = Key::new("zones", Takes::Zones(MAX_ZONES as u8), "2");
const NAT: Key = Key::optional(
    "nat",
    Takes::OneOf(&["per-zone", "single", "none"]),
    "`\"single\"` with `[servers]`, else `\"none\"`",
    "\"single\"",
);

pub const KEYS: &[&Key] = &[&CIDR, &VPC, &ZONES, &NAT];

/// Reads it. `servers`: whether somebody needs a way out.
pub fn read(section: &mut Section<'_, '_>, region: &str, servers: bool) -> Network {
    let default = Network::default();
    Network {
        vpc: section.text(&VPC, vpc),
        cidr: section.text(&CIDR, cidr).unwrap_or(default.cidr),
        zones: zones(section, region).unwrap_or(default.zones),
        nat: section.choice(&NAT, &[Nat::PerZone, Nat::Single, Nat::None]).unwrap_or(if servers {
            default.nat
        } else {
            Nat::None
        }),
    }
}

fn vpc(text: &str) -> Result<String, Problem> {
    let is_id = |rest: &str| matches!(rest.len(), 8 | 17) && rest.chars().all(|c| c.is_ascii_hexdigit());
    if text.strip_prefix("vpc-").is_some_and(is_id) {
        return Ok(text.to_owned());
    }
    let help = "write the id of a VPC that exists, for example `vpc = \"vpc-0a1b2c3d4e5f67890\"`, or leave the key out";
    Err(Problem::malformed(format!("`vpc` cannot be {text:?}"), help.to_owned()))
}

fn cidr(text: &str) -> Result<Ipv4Net, Problem> {
    let wrong = |message: String, help: String| Err(Problem::malformed(message, help));
    let Ok(range) = text.parse::<Ipv4Net>() else {
        let help = match text.parse::<std::net::Ipv4Addr>() {
            Ok(_) => format!("add the length of its prefix: `cidr = \"{text}/16\"`"),
            Err(_) => "write an IPv4 range, for example `cidr = \"10.0.0.0/16\"`".to_owned(),
        };
        return wrong(format!("`cidr` cannot be {text:?}"), help);
    };
    if range != range.trunc() {
        return wrong(
            format!("`cidr` {range} is not the start of a range"),
            format!("write `cidr = \"{}\"`", range.trunc()),
        );
    }
    let address = range.network();
    if address.octets()[0] == 0 || address.is_loopback() || address.is_link_local() || address.octets()[0] >= 224 {
        let help = "choose a private one, for example `cidr = \"10.0.0.0/16\"`";
        return wrong(format!("`cidr` {range} is a range that a VPC cannot have"), help.to_owned());
    }
    let prefix = range.prefix_len();
    if prefix < SHORTEST_PREFIX {
        let message = format!("`cidr` {range} is larger than a VPC can be");
        return Err(Problem::new(
            "out_of_range",
            message,
            format!("choose a prefix from /{SHORTEST_PREFIX} to /{LONGEST_PREFIX}"),
        ));
    }
    if prefix > LONGEST_PREFIX {
        let message = format!("`cidr` {range} leaves no room for the subnets");
        let help = format!(
            "three subnets a zone are cut out of it, with room for {MAX_ZONES} zones: choose a prefix from /{SHORTEST_PREFIX} to /{LONGEST_PREFIX}"
        );
        return Err(Problem::new("out_of_range", message, help));
    }
    Ok(range)
}

fn zones(section: &mut Section<'_, '_>, region: &str) -> Option<ZoneSpec> {
    let given = section.given(&ZONES)?;
    let list = match given.value {
        DeValue::Array(list) => list,
        value => {
            let count = whole_zones(value);
            return count.map_err(|problem| section.notes().add(&given.path, given.span, problem)).ok();
        }
    };
    let mut names: Vec<String> = Vec::new();
    let mut sound = true;
    for item in list {
        let name = match item.get_ref() {
            DeValue::String(name) => zone(name, region, &names),
            other => Err(Problem::new(
                "wrong_type",
                format!("a zone's name must be text, not {}", kind(other)),
                format!("write for example `zones = [\"{0}a\", \"{0}b\"]`", shown(region)),
            )),
        };
        match name {
            Ok(name) => names.push(name),
            Err(problem) => {
                section.notes().add(&given.path, item.span(), problem);
                sound = false;
            }
        }
    }
    if sound && !(1..=MAX_ZONES).contains(&names.len()) {
        let problem = Problem::new(
            "out_of_range",
            format!("`zones` cannot list {} zones", names.len()),
            format!("name 1 to {MAX_ZONES} zones, or write a number"),
        );
        section.notes().add(&given.path, given.span, problem);
        sound = false;
    }
    sound.then_some(ZoneSpec::Named(names))
}

fn whole_zones(value: &DeValue<'_>) -> Result<ZoneSpec, Problem> {
    let DeValue::Integer(_) = value else { return Err(wrong_type(&ZONES, value)) };
    let count = whole(&ZONES, value)?;
    Ok(ZoneSpec::Count(u8::try_from(count).unwrap_or(u8::MAX)))
}

fn zone(name: &str, region: &str, earlier: &[String]) -> Result<String, Problem> {
    if earlier.iter().any(|other| other == name) {
        return Err(Problem::new("twice", format!("the zone {name:?} is listed twice"), "list each zone once"));
    }
    // Where the region itself is wrong, the zones cannot be told right from wrong.
    let letter = |rest: &str| matches!(rest.as_bytes(), [b'a'..=b'z']);
    if region.is_empty() || name.strip_prefix(region).is_some_and(letter) {
        return Ok(name.to_owned());
    }
    let help = format!("a zone is the region and a letter: `{region}a`");
    Err(Problem::malformed(format!("{name:?} is not a zone of {region}"), help))
}

fn shown(region: &str) -> &str {
    if region.is_empty() { "eu-central-1" } else { region }
}
