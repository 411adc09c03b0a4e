//! `[stack]`

use crate::blueprint::model::StackSection;
use crate::blueprint::problem::Problem;
use crate::blueprint::reader::Section;
use crate::blueprint::schema::{Key, Takes};
use crate::blueprint::suggest::closest;

const NAME: Key = Key::required("name", Takes::Text("a name"), "\"my-game\"");
const ENVIRONMENT: Key = Key::required("environment", Takes::Text("a name"), "\"dev\"");
const REGION: Key = Key::required("region", Takes::Text("a region"), "\"eu-central-1\"");
const ACCOUNT: Key = Key::optional("account", Takes::Text("an account id"), "any account", "\"123456789012\"");

const DRILLS: Key = Key::new("drills", Takes::Boolean, "true");

pub const KEYS: &[&Key] = &[&NAME, &ENVIRONMENT, &REGION, &ACCOUNT, &DRILLS];

const LONGEST_NAME: usize = 30;
const LONGEST_ENVIRONMENT: usize = 20;

/// Beginnings that a load balancer (`internal-`), a security group (`sg-`) or a bucket may not have; every resource's
/// name begins with the stack's.
const RESERVED: &[&str] = &["internal", "sg", "sthree", "amzn-s3-demo", "xn"];

/// Regions that are likely to be meant. One that is missing here is no mistake.
const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
];

/// Reads it; what is wrong is noted, and stands in as empty text.
pub fn read(section: &mut Section<'_, '_>) -> StackSection {
    StackSection {
        name: section.text(&NAME, |text| name("name", text, LONGEST_NAME)).unwrap_or_default(),
        environment: section
            .text(&ENVIRONMENT, |text| name("environment", text, LONGEST_ENVIRONMENT))
            .unwrap_or_default(),
        region: section.text(&REGION, region).unwrap_or_default(),
        account: section.text(&ACCOUNT, account),
        drills: section.boolean(&DRILLS).unwrap_or(true),
    }
}

/// `text` as the stack's name or environment. What is allowed fits into every name that AWS builds on it.
pub(in crate::blueprint) fn name(key: &str, text: &str, longest: usize) -> Result<String, Problem> {
    let shape = text.starts_with(|c: char| c.is_ascii_lowercase())
        && !text.ends_with('-')
        && !text.contains("--")
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    if !shape {
        let fixed = fixed(text, longest);
        let hint = if fixed.is_empty() { String::new() } else { format!("; for example `{key} = \"{fixed}\"`") };
        return Err(Problem::malformed(
            format!("`{key}` cannot be {text:?}"),
            format!("use lower-case letters, digits and single hyphens, a letter first{hint}"),
        ));
    }
    if text.len() > longest {
        let message = format!("`{key}` is {} characters long", text.len());
        return Err(Problem::new("too_long", message, format!("use at most {longest}")));
    }
    if key == "name" && RESERVED.iter().any(|word| text == *word || text.starts_with(&format!("{word}-"))) {
        return Err(Problem::new(
            "reserved",
            format!("`{key}` cannot begin like {text:?}"),
            "AWS keeps this beginning for itself in some services; put another word first",
        ));
    }
    Ok(text.to_owned())
}

fn fixed(text: &str, longest: usize) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let joined = words.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    let fixed = joined.trim_start_matches(|c: char| !c.is_ascii_lowercase());
    fixed.get(..longest).unwrap_or(fixed).trim_end_matches('-').to_owned()
}

/// `text` as a region's code, by its shape.
pub(in crate::blueprint) fn region(text: &str) -> Result<String, Problem> {
    let parts: Vec<&str> = text.split('-').collect();
    let word = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase());
    let shape = match parts.as_slice() {
        [area, middle @ .., number] => {
            area.len() == 2
                && word(area)
                && !middle.is_empty()
                && middle.iter().all(word)
                && matches!(number.as_bytes(), [b'1'..=b'9'] | [b'1'..=b'9', b'0'..=b'9'])
        }
        _ => false,
    };
    if shape {
        return Ok(text.to_owned());
    }
    let zone = text.strip_suffix(|c: char| c.is_ascii_lowercase()).filter(|region| REGIONS.contains(region));
    let help = match (zone, closest(text, REGIONS.iter().copied())) {
        (Some(region), _) => format!("this names a zone; the region is `{region}`"),
        (None, Some(region)) => format!("did you mean `{region}`?"),
        (None, None) => "use the region's code, for example `eu-central-1`".to_owned(),
    };
    Err(Problem::malformed(format!("`region` cannot be {text:?}"), help))
}

fn account(text: &str) -> Result<String, Problem> {
    if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
        return Ok(text.to_owned());
    }
    let help = "an account id is twelve digits without hyphens; `aws sts get-caller-identity` prints yours";
    Err(Problem::malformed(format!("`account` cannot be {text:?}"), help))
}
