//! What is said to a user whose option is refused: a stable kind, the word, why, and what to do.
//!
//! Knows nothing of single options; it only finds near names.

use std::fmt;

/// How much of a word is repeated in a message; the rest would only push the reason off the screen.
const SHOWN_CHARS: usize = 60;

/// How many edits away a name may be to be offered instead.
const NEAR_EDITS: usize = 2;

/// Names longer than this are not compared: no option is that long, and comparing costs the square.
const NEAR_MAX_CHARS: usize = 48;

/// A refused option.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OptionError {
    /// What sort of refusal it is.
    pub kind: OptionErrorKind,
    /// The word at fault, as typed.
    pub word: String,
    /// Why, in one sentence, lower case, with the word in it.
    pub message: String,
    /// What to use instead.
    pub hint: Option<String>,
}

/// The sorts of refusal, each a heading of `docs/failures.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionErrorKind {
    /// No option of this name is known.
    UnknownOption,
    /// The option is known, and cannot be carried over to a farm.
    RefusedOption,
    /// The option belongs to another encoder or container than the chosen one, or to copied streams.
    OptionWithoutEffect,
    /// The option stands without its value.
    MissingValue,
    /// The value is none that the option takes here.
    BadValue,
    /// The stream specifier behind the name is none that is understood here.
    BadSpecifier,
    /// A word that is no option: it looks like an output file.
    StrayWord,
    /// No encoder of this name is known.
    UnknownEncoder,
    /// The container is unknown, refused, or cannot be told from the output's name.
    BadContainer,
    /// The filter chain cannot be read.
    BadFilter,
    /// No filter of this name is known.
    UnknownFilter,
    /// The filter is known, and cannot be carried over to a farm.
    RefusedFilter,
    /// More or longer words than any job needs.
    TooLarge,
}

impl OptionErrorKind {
    /// All of them, for whoever checks that each is documented.
    pub const ALL: [Self; 13] = [
        Self::UnknownOption,
        Self::RefusedOption,
        Self::OptionWithoutEffect,
        Self::MissingValue,
        Self::BadValue,
        Self::BadSpecifier,
        Self::StrayWord,
        Self::UnknownEncoder,
        Self::BadContainer,
        Self::BadFilter,
        Self::UnknownFilter,
        Self::RefusedFilter,
        Self::TooLarge,
    ];

    /// The stable name in kebab-case.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::UnknownOption => "unknown-option",
            Self::RefusedOption => "refused-option",
            Self::OptionWithoutEffect => "option-without-effect",
            Self::MissingValue => "missing-value",
            Self::BadValue => "bad-value",
            Self::BadSpecifier => "bad-specifier",
            Self::StrayWord => "stray-word",
            Self::UnknownEncoder => "unknown-encoder",
            Self::BadContainer => "bad-container",
            Self::BadFilter => "bad-filter",
            Self::UnknownFilter => "unknown-filter",
            Self::RefusedFilter => "refused-filter",
            Self::TooLarge => "options-too-large",
        }
    }
}

impl fmt::Display for OptionErrorKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.reason())
    }
}

impl OptionError {
    /// A refusal without a hint.
    pub(super) fn new(kind: OptionErrorKind, word: &str, message: impl Into<String>) -> Self {
        Self { kind, word: word.to_owned(), message: message.into(), hint: None }
    }

    /// The same with a hint.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same with the nearest of the names as a hint, where one is near.
    pub(super) fn near<'a>(
        mut self,
        name: &str,
        names: impl IntoIterator<Item = &'a str>,
        dash: &str,
    ) -> Self {
        if let Some(found) = nearest(name, names) {
            self.hint = Some(format!("did you mean {dash}{found}?"));
        }
        self
    }
}

/// A word of the user's as it may stand in a message: control characters escaped, cut to a bound.
pub(super) fn shown(word: &str) -> String {
    let mut text: String = word.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect();
    if word.chars().nth(SHOWN_CHARS).is_some() {
        text.push('…');
    }
    text
}

/// The name with the fewest edits to the given one, if these are few.
pub(super) fn nearest<'a>(name: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted: Vec<char> = name.chars().take(NEAR_MAX_CHARS + 1).collect();
    if wanted.len() < 2 || wanted.len() > NEAR_MAX_CHARS {
        return None;
    }
    // A short name is near to everything: one edit in four letters is the most that still means something.
    let allowed = NEAR_EDITS.min(wanted.len().div_ceil(4));
    names
        .into_iter()
        // Each letter more or less is an edit; most names are out without being compared.
        .filter(|candidate| candidate.chars().count().abs_diff(wanted.len()) <= allowed)
        .map(|candidate| (edits(&wanted, candidate), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Edits between two words, where swapping neighbours counts once (optimal string alignment).
fn edits(from: &[char], to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, a) in from.iter().enumerate() {
        let mut now = Vec::with_capacity(last.len());
        now.push(row + 1);
        for (column, b) in to.iter().enumerate() {
            let replaced = last[column] + usize::from(a != b);
            let mut best = replaced.min(last[column + 1] + 1).min(now[column] + 1);
            if row > 0 && column > 0 && *a == to[column - 1] && from[row - 1] == *b {
                best = best.min(before[column - 1] + 1);
            }
            now.push(best);
        }
        before = std::mem::replace(&mut last, now);
    }
    last.last().copied().unwrap_or(0)
}
