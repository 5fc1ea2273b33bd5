//! Tables of names, written as text: hundreds of quoted words with commas cannot be read.
//!
//! Knows nothing of what the names are for.

/// Names with white space between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Names(pub(super) &'static str);

impl Names {
    /// Whether the name is among them.
    pub(super) fn has(self, name: &str) -> bool {
        self.iter().any(|known| known == name)
    }

    /// All of them.
    pub(super) fn iter(self) -> impl Iterator<Item = &'static str> {
        self.0.split_ascii_whitespace()
    }

    /// All of them with commas, for messages.
    pub(super) fn listed(self) -> String {
        self.iter().collect::<Vec<_>>().join(", ")
    }
}
