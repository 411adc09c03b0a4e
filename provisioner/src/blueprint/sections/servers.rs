//! `[servers]`

use super::types::{Service, architecture_of, instance_type};
use crate::blueprint::model::{Architecture, HttpMode, Servers};
use crate::blueprint::problem::Problem;
use crate::blueprint::reader::Section;
use crate::blueprint::schema::{Key, Takes};

const INSTANCE_TYPE: Key = Key::new("instance_type", Takes::Text("an EC2 instance type"), "\"t3.small\"");
const ARCHITECTURE: Key =
    Key::optional("architecture", Takes::OneOf(&["x86_64", "arm64"]), "that of `instance_type`", "\"x86_64\"");
const MIN: Key = Key::new("min", Takes::Integer(1, 1000), "1");
const MAX: Key = Key::optional("max", Takes::Integer(1, 1000), "3, or `min` where that is more", "3");
const TARGET: Key = Key::new("target", Takes::Integer(10, 90), "50");
const HEALTH: Key = Key::new("health", Takes::Text("a path"), "\"/livez\"");
const PORT: Key = Key::new("port", Takes::Integer(1024, 65_535), "8080");
const HTTP_PORT: Key = Key::new("http_port", Takes::Integer(1, 65_535), "80");
const HTTPS_PORT: Key = Key::new("https_port", Takes::Integer(1, 65_535), "443");
const HTTP: Key = Key::optional(
    "http",
    Takes::OneOf(&["redirect", "serve"]),
    "`\"redirect\"` with `[domain]`, else `\"serve\"`",
    "\"serve\"",
);
const ARTIFACT: Key =
    Key::optional("artifact", Takes::Text("a file"), "the binary beside `provision`", "\"./game-server\"");
const GAME_FILE: Key = Key::optional("game_file", Takes::Text("a file"), "one board and two items", "\"./game.toml\"");

pub const KEYS: &[&Key] = &[
    &INSTANCE_TYPE,
    &ARCHITECTURE,
    &MIN,
    &MAX,
    &TARGET,
    &HEALTH,
    &PORT,
    &HTTP_PORT,
    &HTTPS_PORT,
    &HTTP,
    &ARTIFACT,
    &GAME_FILE,
];

/// Reads it; a value that is wrong is noted, and its default stands in. `domain`: whether the API has a name, and so a certificate.
pub fn read(section: &mut Section<'_, '_>, domain: bool) -> Servers {
    let default = Servers::default();
    let instance_type = section
        .text(&INSTANCE_TYPE, |text| instance_type(Service::Ec2, text, &[], ""))
        .unwrap_or(default.instance_type);
    let min = section.integer(&MIN).unwrap_or(default.min);
    Servers {
        architecture: section
            .choice(&ARCHITECTURE, &[Architecture::X86_64, Architecture::Arm64])
            .unwrap_or_else(|| architecture_of(&instance_type)),
        instance_type,
        min,
        max: section.integer(&MAX).unwrap_or_else(|| default.max.max(min)),
        target: section.integer(&TARGET).unwrap_or(default.target),
        health: section.text(&HEALTH, health).unwrap_or(default.health),
        port: section.integer(&PORT).unwrap_or(default.port),
        http_port: section.integer(&HTTP_PORT).unwrap_or(default.http_port),
        https_port: section.integer(&HTTPS_PORT).unwrap_or(default.https_port),
        http: section.choice(&HTTP, &[HttpMode::Redirect, HttpMode::Serve]).unwrap_or(if domain {
            HttpMode::Redirect
        } else {
            HttpMode::Serve
        }),
        artifact: section.text(&ARTIFACT, |text| super::path("artifact", text)),
        game_file: section.text(&GAME_FILE, |text| super::path("game_file", text)),
    }
}

fn health(text: &str) -> Result<String, Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.$/~\"'@:+&?=%".contains(c);
    if text.starts_with('/') && text.len() <= 1024 && text.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    let help = "write a path that begins with a slash, for example `health = \"/livez\"`";
    Err(Problem::malformed(format!("`health` cannot be {text:?}"), help))
}
