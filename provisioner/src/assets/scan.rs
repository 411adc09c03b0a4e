//! Looks at a directory: every file's path, size and hash. What cannot be pushed is told all at once.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use futures::{StreamExt, TryStreamExt, stream};
use sha2::{Digest, Sha256};

use super::error::AssetsError;
use super::manifest::Entry;

/// No more problems are told at once.
const TOLD: usize = 20;
/// How much of a file is in memory at once, in bytes.
pub const CHUNK: usize = 256 * 1024;

/// What a directory holds.
#[derive(Debug, Clone)]
pub struct Found {
    /// The directory.
    pub directory: PathBuf,
    /// Every file, by path.
    pub files: Vec<Entry>,
    /// Names that begin with a dot, left out.
    pub hidden: usize,
}

/// What a file is known by while it is hashed and uploaded: it changes with the contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    /// Of an open file.
    pub fn of(file: &File) -> std::io::Result<Self> {
        let about = file.metadata()?;
        Ok(Self { size: about.len(), modified: about.modified().ok() })
    }
}

/// Reads the directory and hashes every file, some at a time.
pub async fn scan(directory: &Path) -> Result<Found, AssetsError> {
    let root = directory.to_owned();
    let walked = tokio::task::spawn_blocking(move || walk(&root)).await;
    let (paths, hidden) = walked.map_err(|error| AssetsError::Request(error.into()))??;
    let at_once = std::thread::available_parallelism().map_or(2, usize::from).min(8);
    let hashed = stream::iter(paths)
        .map(|path| {
            let full = directory.join(&path);
            async move {
                let hashed = tokio::task::spawn_blocking(move || hash(&full)).await;
                let (sha256, size) = hashed.map_err(|error| AssetsError::Request(error.into()))??;
                Ok::<_, AssetsError>(Entry::new(path, sha256, size))
            }
        })
        .buffer_unordered(at_once);
    let mut files: Vec<Entry> = hashed.try_collect().await?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(Found { directory: directory.to_owned(), files, hidden })
}

/// The relative paths of all files below `root`, and how many hidden names were left out.
fn walk(root: &Path) -> Result<(Vec<String>, usize), AssetsError> {
    let file_error = |path: &Path| {
        let path = path.to_owned();
        move |source| AssetsError::File { path, source }
    };
    if !fs::metadata(root).map_err(file_error(root))?.is_dir() {
        return Err(AssetsError::File { path: root.to_owned(), source: std::io::ErrorKind::NotADirectory.into() });
    }
    let mut found = Walk::default();
    found.directory(root, "");
    found.clashes();
    if !found.problems.is_empty() {
        let more = found.problems.len().saturating_sub(TOLD);
        found.problems.truncate(TOLD);
        if more > 0 {
            found.problems.push(format!("and {more} more"));
        }
        return Err(AssetsError::Unfit { directory: root.to_owned(), problems: found.problems });
    }
    if found.paths.is_empty() {
        return Err(AssetsError::Empty(root.to_owned()));
    }
    Ok((found.paths, found.hidden))
}

#[derive(Default)]
struct Walk {
    paths: Vec<String>,
    hidden: usize,
    problems: Vec<String>,
}

impl Walk {
    /// Takes in what is in `directory`, whose own path is `below` (empty, or with a slash at its end).
    fn directory(&mut self, directory: &Path, below: &str) {
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) => return self.problems.push(format!("{below}: cannot be read: {error}")),
        };
        for entry in entries {
            match entry {
                Ok(entry) => self.entry(&entry, below),
                Err(error) => self.problems.push(format!("{below}: cannot be read: {error}")),
            }
        }
    }

    fn entry(&mut self, entry: &fs::DirEntry, below: &str) {
        let name = entry.file_name();
        let shown = format!("{below}{}", name.to_string_lossy());
        let Some(name) = name.to_str() else {
            return self.problems.push(format!("{shown}: its name is not UTF-8"));
        };
        if name.starts_with('.') {
            self.hidden += 1;
            return;
        }
        if name.chars().any(|c| c.is_control() || c == '\\') {
            return self.problems.push(format!("{shown:?}: its name has a control character or a backslash"));
        }
        match entry.file_type() {
            Err(error) => self.problems.push(format!("{shown}: cannot be read: {error}")),
            Ok(kind) if kind.is_dir() => self.directory(&entry.path(), &format!("{shown}/")),
            Ok(kind) if kind.is_file() => {
                if let Err(error) = File::open(entry.path()) {
                    self.problems.push(format!("{shown}: cannot be read: {error}"));
                }
                self.paths.push(shown);
            }
            Ok(kind) if kind.is_symlink() => {
                self.problems.push(format!("{shown}: is a symbolic link; put the file itself there"));
            }
            Ok(_) => self.problems.push(format!("{shown}: is neither a file nor a directory")),
        }
    }

    /// Names that are the same file to a client whose file system knows no case.
    fn clashes(&mut self) {
        let mut by_case: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for path in &self.paths {
            by_case.entry(path.to_lowercase()).or_default().push(path);
        }
        let mut found = Vec::new();
        for same in by_case.values_mut().filter(|same| same.len() > 1) {
            same.sort_unstable();
            found.push(format!("{}: differ only in case", same.join(", ")));
        }
        self.problems.extend(found);
    }
}

/// SHA-256 in hex, and the size.
pub(super) fn hash(path: &Path) -> Result<(String, u64), AssetsError> {
    let wrong = |source| AssetsError::File { path: path.to_owned(), source };
    let mut file = File::open(path).map_err(wrong)?;
    let before = Stamp::of(&file).map_err(wrong)?;
    let (mut hasher, mut size, mut buffer) = (Sha256::new(), 0, vec![0; CHUNK]);
    loop {
        let read = file.read(&mut buffer).map_err(wrong)?;
        if read == 0 {
            break;
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
    if Stamp::of(&file).map_err(wrong)? != before || before.size != size {
        return Err(AssetsError::Changed(path.to_owned()));
    }
    Ok((hex::encode(hasher.finalize()), size))
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn directory(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().expect("a directory");
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("made");
            fs::write(path, text).expect("written");
        }
        root
    }

    #[tokio::test]
    async fn files_are_found_by_path_hidden_ones_are_not() {
        let root = directory(&[("b/c.txt", "abc"), ("a.txt", ""), (".git/config", "x"), ("b/.DS_Store", "x")]);
        let found = scan(root.path()).await.expect("it can be pushed");
        let seen: Vec<_> = found.files.iter().map(|e| (e.path.as_str(), e.size, &e.sha256[..8])).collect();
        assert_eq!(seen, [("a.txt", 0, "e3b0c442"), ("b/c.txt", 3, "ba7816bf")]);
        assert_eq!(found.hidden, 2);
    }

    #[tokio::test]
    async fn every_problem_is_told_at_once() {
        let root = directory(&[("Icon.png", "1"), ("icon.png", "2"), ("fine.txt", "3"), ("back\\slash", "4")]);
        std::os::unix::fs::symlink("fine.txt", root.path().join("link.txt")).expect("linked");
        fs::write(root.path().join(std::ffi::OsStr::from_bytes(b"caf\xe9")), "5").expect("written");
        let socket = std::os::unix::net::UnixListener::bind(root.path().join("socket")).expect("bound");
        let error = scan(root.path()).await.expect_err("it cannot be pushed").to_string();
        for part in [
            "Icon.png, icon.png: differ only in case",
            "back\\\\slash\": its name has a control character or a backslash",
            "link.txt: is a symbolic link",
            "its name is not UTF-8",
            "socket: is neither a file nor a directory",
        ] {
            assert!(error.contains(part), "{part} is not in\n{error}");
        }
        drop(socket);
    }

    #[tokio::test]
    async fn nothing_and_no_directory_are_errors() {
        let root = directory(&[(".hidden", "x")]);
        assert!(matches!(scan(root.path()).await, Err(AssetsError::Empty(_))));
        assert!(matches!(scan(&root.path().join("not-there")).await, Err(AssetsError::File { .. })));
        assert!(matches!(scan(&root.path().join(".hidden")).await, Err(AssetsError::File { .. })));
    }
}
