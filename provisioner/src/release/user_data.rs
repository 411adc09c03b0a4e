//! The script that an instance boots with: fetch the release, verify its hash, start it under systemd.
//!
//! It uses only what Amazon Linux 2023 has: coreutils, `aws s3 cp`, `sha256sum`, `systemctl` and `journalctl`. No secret is in it.

use std::collections::BTreeMap;
use std::fmt::Write;

/// What a boot script says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Boot {
    /// The stack bucket, which holds the releases.
    pub bucket: String,
    /// SHA-256 of the release.
    pub release: String,
    /// SHA-256 of the game file; empty: none.
    pub game_file: String,
    /// The stack's region.
    pub region: String,
    /// The server's environment file.
    pub environment: BTreeMap<String, String>,
}

/// Where an instance keeps the game file.
pub const GAME_FILE: &str = "/etc/game-server/game.toml";

const ENVIRONMENT: (&str, &str) = ("cat > /etc/game-server/env <<'ENVIRONMENT'\n", "ENVIRONMENT\n");

impl Boot {
    /// The script.
    pub fn script(&self) -> String {
        let Self { bucket, release, game_file, region, environment } = self;
        let fetch_game_file = if game_file.is_empty() { String::new() } else { fetch_game_file(game_file) };
        let mut lines = String::new();
        for (name, value) in environment {
            let _ = writeln!(lines, "{name}={value}");
        }
        let (begin, end) = ENVIRONMENT;
        format!(
            r#"#!/bin/bash
set -euo pipefail
bucket={bucket}
release={release}
region={region}
binary=/opt/game-server/$release/game-server
mkdir -p "/opt/game-server/$release" /etc/game-server
# The role's credentials may reach a new instance a moment after it boots.
for attempt in 1 2 3 4 5 6 7 8 9 10; do
  aws s3 cp --only-show-errors --region "$region" "s3://$bucket/releases/$release/game-server" "$binary" && break
  [ "$attempt" -lt 10 ] || exit 1
  sleep 3
done
echo "$release  $binary" | sha256sum --check --strict --quiet
chmod 0755 "$binary"
{fetch_game_file}{begin}{lines}{end}cat > /etc/systemd/system/game-server.service <<UNIT
[Unit]
Description=Game server
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=$binary
EnvironmentFile=/etc/game-server/env
DynamicUser=yes
StateDirectory=game-server
Restart=always
RestartSec=2
TimeoutStopSec=90
# What it said last is on the console when it fails: an instance that cannot serve may not reach the log group either.
ExecStopPost=+/bin/sh -c '[ "\$\$SERVICE_RESULT" = success ] || journalctl -u game-server -n 20 -o cat > /dev/console'
LimitNOFILE=65536
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=yes

[Install]
WantedBy=multi-user.target
UNIT
systemctl daemon-reload
systemctl enable --now game-server
"#
        )
    }

    /// Reads a script back; `None` where provision did not write it.
    pub fn read(script: &str) -> Option<Self> {
        let variable =
            |name: &str| script.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned);
        let (begin, end) = ENVIRONMENT;
        let lines = script.split_once(begin)?.1;
        let lines = lines.split_once(&format!("\n{end}")).map_or("", |(lines, _)| lines);
        let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()));
        Some(Self {
            bucket: variable("bucket")?,
            release: variable("release")?,
            game_file: variable("game_file").unwrap_or_default(),
            region: variable("region")?,
            environment: lines.lines().filter_map(pair).collect(),
        })
    }
}

/// The role's credentials are there by now: the release was fetched with them.
fn fetch_game_file(sha256: &str) -> String {
    format!(
        r#"game_file={sha256}
aws s3 cp --only-show-errors --region "$region" "s3://$bucket/game/$game_file.toml" {GAME_FILE}
echo "$game_file  {GAME_FILE}" | sha256sum --check --strict --quiet
chmod 0644 {GAME_FILE}
"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let boot = Boot {
            bucket: "game-dev-stack-0123".into(),
            release: "ab".repeat(32),
            game_file: String::new(),
            region: "eu-west-1".into(),
            environment: [("GAME_STORE", "aws"), ("GAME_PORT", "8080")].map(|(k, v)| (k.into(), v.into())).into(),
        };
        assert_eq!(Boot::read(&boot.script()), Some(boot.clone()));
        let with_file = Boot { game_file: "cd".repeat(32), ..boot.clone() };
        assert_eq!(Boot::read(&with_file.script()), Some(with_file));
        assert!(boot.script().len() < 16 * 1024);
        assert_eq!(Boot::read("#!/bin/sh\nreboot\n"), None);
    }
}
