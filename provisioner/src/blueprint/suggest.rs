//! "Did you mean": the word that was probably meant.

/// The candidate closest to `word`, if one is close enough to be worth naming.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let plain = plain(word);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&plain, &self::plain(candidate)), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words in backquotes: "`a`, `b` or `c`".
pub(super) fn listed<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let mut words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    let Some(last) = words.pop() else { return "nothing".to_owned() };
    if words.is_empty() { last } else { format!("{} or {last}", words.join(", ")) }
}

/// Spelling habits aside: case, hyphens, underscores, spaces.
fn plain(word: &str) -> String {
    // Very long words are no misspellings, and comparing them would take long.
    word.chars().take(64).filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let keys = ["multi_az", "read_replicas", "backup_days"];
        assert_eq!(closest("multiAZ", keys), Some("multi_az"));
        assert_eq!(closest("read-replica", keys), Some("read_replicas"));
        assert_eq!(closest("colour", keys), None);
    }

    #[test]
    fn lists_read_as_a_sentence() {
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b", "c"]), "`a`, `b` or `c`");
    }
}
