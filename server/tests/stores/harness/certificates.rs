//! A throw-away certificate authority.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::Tls;

/// An authority and a certificate for a loopback address.
pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    pub fn for_address(address: std::net::Ipv4Addr) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let made = Self { directory };
        let file = |name: &str| made.file(name).display().to_string();
        let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        let mut authority = vec!["req", "-x509", "-subj", "/CN=throw-away authority"];
        authority.extend(key);
        let (ca, ca_key) = (file("ca.pem"), file("ca.key"));
        authority.extend(["-out", &ca, "-keyout", &ca_key]);
        openssl(&authority);
        let (name, certificate, private) =
            (format!("subjectAltName=IP:{address}"), file("server.pem"), file("server.key"));
        let mut server = vec!["req", "-x509", "-subj", "/CN=throw-away", "-addext", &name];
        server.extend(["-addext", "basicConstraints=critical,CA:FALSE", "-CA", &ca, "-CAkey", &ca_key]);
        server.extend(key);
        server.extend(["-out", &certificate, "-keyout", &private]);
        openssl(&server);
        made
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn files(&self) -> Tls {
        Tls { authority: self.file("ca.pem"), certificate: self.file("server.pem"), key: self.file("server.key") }
    }

    /// The authority, in PEM.
    pub fn authority(&self) -> Vec<u8> {
        std::fs::read(self.file("ca.pem")).expect("made")
    }
}

fn openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("openssl starts (Debian package openssl)");
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}
