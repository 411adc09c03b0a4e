//! The facts that `desired` needs besides the blueprint, looked up once before planning.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::{existing, zones};
use crate::aws::Aws;
use crate::aws::error::CallError;
use crate::aws::stack::Stack;
use crate::blueprint::{Architecture, Blueprint};
use crate::kinds::Place;
use crate::kinds::context::Artifact;

/// Why the facts could not be had. Nothing has been changed.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// The blueprint pins another account.
    #[error(
        "the blueprint is for account {pinned}, but the credentials are of account {actual}; switch the profile or mend [stack] account"
    )]
    WrongAccount {
        /// From the blueprint.
        pinned: String,
        /// From the credentials.
        actual: String,
    },
    /// The blueprint pins another region.
    #[error(
        "the blueprint is for region {pinned}, but {actual} was asked for; leave --region out or mend [stack] region"
    )]
    WrongRegion {
        /// From the blueprint.
        pinned: String,
        /// From the options.
        actual: String,
    },
    /// Too few zones have what the blueprint asks for.
    #[error(
        "{} zones of region {region} have what the blueprint asks for ({names}), and it wants {wanted}: change [network] \
         zones, [servers] instance_type or [database] instance_class", .offered
    )]
    Zones {
        /// The region.
        region: String,
        /// How many there are.
        offered: usize,
        /// Their names.
        names: String,
        /// How many, or which, are wanted.
        wanted: String,
    },
    /// No zone of the region offers a type.
    #[error("region {region} does not offer {what}: choose another in the blueprint")]
    NotOffered {
        /// The region.
        region: String,
        /// The type.
        what: String,
    },
    /// The hosted zone to use is not there.
    #[error("there is no public hosted zone {0} in this account; create it, or set create_zone = true in [domain]")]
    NoHostedZone(String),
    /// The VPC to use is not there, or not fit.
    #[error("the VPC {vpc} of [network] {why}")]
    Vpc {
        /// Its id.
        vpc: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// Two of these at once.
    #[error("{0}; and {1}")]
    Both(Box<PlaceError>, Box<PlaceError>),
    /// A look-up failed.
    #[error("cannot look up {what}")]
    Lookup {
        /// What was looked up.
        what: &'static str,
        /// Why.
        source: Box<CallError>,
    },
    /// The game file cannot be used.
    #[error("the game file {path} of [servers] cannot be used: {why}", path = .path.display())]
    GameFile {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// No server binary.
    #[error(
        "there is no server binary to deploy ({looked}); build it with `make release` or name it in [servers] artifact"
    )]
    NoArtifact {
        /// Where it was looked for.
        looked: String,
    },
    /// The server binary cannot run on the instances.
    #[error("the server binary {path} cannot run on the instances", path = .path.display())]
    Unfit {
        /// The file.
        path: PathBuf,
        /// Why.
        source: crate::release::artifact::ArtifactError,
    },
    /// The server binary cannot be read.
    #[error("cannot read the server binary {path}", path = .path.display())]
    Artifact {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Looks the facts up: account, the zones on offer (of which [`zones::chosen`] takes some), hosted zones.
pub async fn place(aws: &Aws, blueprint: &Blueprint, account: &str) -> Result<Place, PlaceError> {
    let pinned = &blueprint.stack.account;
    if let Some(pinned) = pinned.as_ref().filter(|pinned| *pinned != account) {
        return Err(PlaceError::WrongAccount { pinned: pinned.clone(), actual: account.to_owned() });
    }
    if blueprint.stack.region != aws.home {
        let pinned = blueprint.stack.region.clone();
        return Err(PlaceError::WrongRegion { pinned, actual: aws.home.clone() });
    }
    let stack = Stack { name: blueprint.stack_name(), home: aws.home.clone(), account: account.to_owned() };
    let (zones, vpc) = futures::join!(
        async { both(futures::join!(zones::offered(aws, blueprint), hosted_zones(aws, blueprint))) },
        existing::internet_gateway(aws, &stack, blueprint)
    );
    let ((offered, hosted), internet_gateway) = both((zones, vpc))?;
    Ok(Place {
        stack,
        zones: offered,
        zone_id: hosted.0,
        parent_zone_id: hosted.1,
        internet_gateway,
        artifact: None,
        game_file: None,
    })
}

/// Both, or all that stands against either.
pub(super) fn both<A, B>(found: (Result<A, PlaceError>, Result<B, PlaceError>)) -> Result<(A, B), PlaceError> {
    match found {
        (Ok(one), Ok(other)) => Ok((one, other)),
        // What stands against one look-up stands against all.
        (Err(one @ PlaceError::Lookup { .. }), Err(PlaceError::Lookup { .. })) => Err(one),
        (Err(one), Err(other)) => Err(PlaceError::Both(Box::new(one), Box::new(other))),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

pub(super) fn lookup(what: &'static str, error: CallError) -> PlaceError {
    PlaceError::Lookup { what, source: Box::new(error) }
}

async fn hosted_zones(aws: &Aws, blueprint: &Blueprint) -> Result<(Option<String>, Option<String>), PlaceError> {
    let Some(domain) = &blueprint.domain else { return Ok((None, None)) };
    let own = Some(&domain.zone).filter(|_| !domain.create_zone);
    let found = async |name: Option<&String>| match name {
        Some(name) => zone_id(aws, name).await.map(Some),
        None => Ok(None),
    };
    both(futures::join!(found(own), found(domain.parent_zone.as_ref())))
}

async fn zone_id(aws: &Aws, name: &str) -> Result<String, PlaceError> {
    let answer = aws
        .route53
        .list_hosted_zones_by_name()
        .dns_name(name)
        .send()
        .await
        .map_err(|e| lookup("the hosted zone", e.into()))?;
    answer
        .hosted_zones()
        .iter()
        .find(|zone| zone.name().trim_end_matches('.') == name && !zone.config().is_some_and(|c| c.private_zone()))
        .map(|zone| zone.id().trim_start_matches("/hostedzone/").to_owned())
        .ok_or_else(|| PlaceError::NoHostedZone(name.to_owned()))
}

/// The server binary: `[servers] artifact` (beside the blueprint), else `game-server` beside this program.
pub fn artifact(blueprint: &Blueprint, blueprint_directory: &Path) -> Result<Option<Artifact>, PlaceError> {
    let Some(servers) = &blueprint.servers else { return Ok(None) };
    let bundled = || std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("game-server")));
    let path = match &servers.artifact {
        Some(path) => blueprint_directory.join(path),
        None => bundled().unwrap_or_else(|| PathBuf::from("game-server")),
    };
    if !path.is_file() {
        return Err(PlaceError::NoArtifact { looked: path.display().to_string() });
    }
    checked(path, servers.architecture).map(Some)
}

/// The server binary at `path`, if it can run on instances of `architecture`.
pub fn checked(path: PathBuf, architecture: Architecture) -> Result<Artifact, PlaceError> {
    match std::fs::read(&path) {
        Ok(binary) => {
            let checked = crate::release::artifact::check(&binary, architecture);
            checked.map_err(|source| PlaceError::Unfit { path: path.clone(), source })?;
            Ok(Artifact { path, sha256: hex::encode(Sha256::digest(&binary)) })
        }
        Err(source) => Err(PlaceError::Artifact { path, source }),
    }
}

/// The largest game file that is taken, in bytes.
const LARGEST_GAME_FILE: usize = 1 << 20;

/// The game file of `[servers] game_file`, beside the blueprint: TOML, whose meaning the server checks.
pub fn game_file(blueprint: &Blueprint, blueprint_directory: &Path) -> Result<Option<Artifact>, PlaceError> {
    let Some(path) = blueprint.servers.as_ref().and_then(|servers| servers.game_file.as_ref()) else { return Ok(None) };
    let path = blueprint_directory.join(path);
    let wrong = |why: String| PlaceError::GameFile { path: path.clone(), why };
    let text = std::fs::read_to_string(&path).map_err(|error| wrong(error.to_string()))?;
    if text.len() > LARGEST_GAME_FILE {
        return Err(wrong(format!("it has {} bytes, and {LARGEST_GAME_FILE} are the most", text.len())));
    }
    text.parse::<toml::Table>().map_err(|error| wrong(error.to_string()))?;
    Ok(Some(Artifact { sha256: hex::encode(Sha256::digest(&text)), path }))
}
