//! Whether a server binary can run on the instances: a Linux ELF of the right architecture that needs no glibc newer
//! than Amazon Linux 2023 has.

use object::elf::{EM_AARCH64, EM_X86_64};
use object::read::elf::{ElfFile64, FileHeader};
use object::{Object, ObjectSymbol};

use crate::blueprint::Architecture;

/// The glibc of Amazon Linux 2023.
const GLIBC: (u32, u32) = (2, 34);

/// Why a binary cannot run there.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ArtifactError {
    /// Not an ELF file.
    #[error("it is not a 64-bit Linux program")]
    NotElf,
    /// Built for another processor.
    #[error("it is built for another processor than {0}")]
    Architecture(&'static str),
    /// Linked against a newer glibc.
    #[error("it needs glibc {0}.{1}, and Amazon Linux 2023 has 2.34; build it with `make release`")]
    Glibc(u32, u32),
}

/// Checks the contents of a server binary.
pub fn check(binary: &[u8], architecture: Architecture) -> Result<(), ArtifactError> {
    let elf = ElfFile64::<object::Endianness>::parse(binary).map_err(|_| ArtifactError::NotElf)?;
    let machine = elf.elf_header().e_machine(elf.endian());
    let wanted = match architecture {
        Architecture::X86_64 => EM_X86_64,
        Architecture::Arm64 => EM_AARCH64,
    };
    if machine != wanted {
        return Err(ArtifactError::Architecture(architecture.as_str()));
    }
    match newest_glibc(&elf) {
        Some(version) if version > GLIBC => Err(ArtifactError::Glibc(version.0, version.1)),
        _ => Ok(()),
    }
}

/// The newest glibc that the version table asks for.
fn newest_glibc(elf: &ElfFile64<'_, object::Endianness>) -> Option<(u32, u32)> {
    let endian = elf.endian();
    let sections = elf.elf_section_table();
    let versions = sections.versions(endian, elf.data()).ok().flatten()?;
    let mut newest = None;
    for symbol in elf.dynamic_symbols() {
        let index = versions.version_index(endian, symbol.index());
        let Ok(Some(version)) = versions.version(index) else { continue };
        let name = std::str::from_utf8(version.name()).unwrap_or_default();
        newest = newest.max(name.strip_prefix("GLIBC_").and_then(parse));
    }
    newest
}

fn parse(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_refused() {
        assert_eq!(check(b"#!/bin/sh\n", Architecture::X86_64), Err(ArtifactError::NotElf));
    }

    #[test]
    fn the_newest_version_counts() {
        assert_eq!(parse("2.34"), Some((2, 34)));
        assert!(parse("2.34") > parse("2.4"));
        assert_eq!(parse("PRIVATE"), None);
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn another_architecture_is_refused() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(check(&own, Architecture::Arm64), Err(ArtifactError::Architecture("arm64")));
        // This very program was linked here: whatever its glibc, the table is read.
        assert!(newest_glibc(&ElfFile64::parse(&*own).unwrap()).is_some());
    }
}
