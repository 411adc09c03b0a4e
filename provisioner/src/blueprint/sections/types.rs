//! Instance types, classes and node types: `m7g.large`, `db.m7g.large`, `cache.m7g.large`.

use crate::blueprint::model::Architecture;
use crate::blueprint::problem::Problem;

/// Whose type it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// `t3.small`
    Ec2,
    /// `db.t3.small`
    Rds,
    /// `cache.t3.small`
    ElastiCache,
}

impl Service {
    fn prefix(self) -> &'static str {
        match self {
            Self::Ec2 => "",
            Self::Rds => "db.",
            Self::ElastiCache => "cache.",
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Ec2 => "instance_type",
            Self::Rds => "instance_class",
            Self::ElastiCache => "node_type",
        }
    }
}

const SIZES: &[&str] = &["nano", "micro", "small", "medium", "large", "xlarge"];

/// `text` as a type of `service`, by its shape; `too_old` families are refused for the reason in `why`.
pub fn instance_type(service: Service, text: &str, too_old: &[&str], why: &str) -> Result<String, Problem> {
    let (prefix, key) = (service.prefix(), service.key());
    let wrong = |help: String| Err(Problem::malformed(format!("`{key}` cannot be {text:?}"), help));
    let bare = text.strip_prefix("db.").or_else(|| text.strip_prefix("cache.")).unwrap_or(text);
    let Some((family, size)) = bare.split_once('.') else {
        return wrong(format!("write family and size, for example `{key} = \"{prefix}t4g.small\"`"));
    };
    if !is_family(family) || !is_size(size) {
        let small = if is_family(family) { family } else { "t4g" };
        return wrong(format!("write family and size, for example `{key} = \"{prefix}{small}.medium\"`"));
    }
    if text != format!("{prefix}{bare}") {
        return wrong(format!("write `{key} = \"{prefix}{bare}\"`"));
    }
    if too_old.contains(&family) {
        return wrong(format!("{why}; use a newer one, for example \"{prefix}t4g.medium\""));
    }
    Ok(text.to_owned())
}

/// The architecture of an EC2 instance type: a `g` right behind the generation means Graviton.
pub fn architecture_of(instance_type: &str) -> Architecture {
    let family = family(instance_type);
    let behind =
        family.trim_start_matches(|c: char| !c.is_ascii_digit()).trim_start_matches(|c: char| c.is_ascii_digit());
    if family == "a1" || behind.starts_with('g') { Architecture::Arm64 } else { Architecture::X86_64 }
}

/// The family: `t4g` of `cache.t4g.micro`.
pub fn family(text: &str) -> &str {
    let bare = text.strip_prefix("db.").or_else(|| text.strip_prefix("cache.")).unwrap_or(text);
    bare.split('.').next().unwrap_or_default()
}

fn is_family(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.contains(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

fn is_size(text: &str) -> bool {
    let times = text.trim_start_matches(|c: char| c.is_ascii_digit());
    SIZES.contains(&text) || text == "metal" || text.starts_with("metal-") || (times == "xlarge" && times != text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn graviton_is_told_by_the_letter_behind_the_generation() {
        for arm in ["t4g.small", "m7gd.large", "c7gn.xlarge", "im4gn.large", "a1.large", "g5g.xlarge", "x2gd.medium"] {
            assert_eq!(architecture_of(arm), Architecture::Arm64, "{arm}");
        }
        for intel in ["t3.small", "g4dn.xlarge", "g4ad.xlarge", "m7i-flex.large", "c5.large", "p4d.24xlarge"] {
            assert_eq!(architecture_of(intel), Architecture::X86_64, "{intel}");
        }
    }
}
