//! Words become options: name, specifier, value. The first check of everything the user typed.
//!
//! Knows which names exist and how many words belong to each; not what the options mean together.

use super::catalog::{self, Known, Role, Takes};
use super::error::{OptionError, OptionErrorKind, shown};
use super::{container, encoder, refused};

/// The most words of one job. Real command lines stay below a hundred.
const MAX_WORDS: usize = 1000;

/// The most bytes of one word. The longest in use are lists of an encoder's options.
const MAX_WORD_BYTES: usize = 8192;

/// One option as given.
#[derive(Debug)]
pub(super) struct Given {
    /// As typed, with its dash.
    pub(super) word: String,
    /// The name, spelled as in the catalogue, without specifier.
    pub(super) name: String,
    /// The specifier, without its colon.
    pub(super) specifier: Option<String>,
    /// The value; `None` for a switch.
    pub(super) value: Option<String>,
    /// Its entry in the catalogue; `None`: it is an encoder's or a container's own.
    pub(super) known: Option<&'static Known>,
}

impl Given {
    /// Name and specifier, as they are passed on.
    pub(super) fn full_name(&self) -> String {
        match &self.specifier {
            Some(specifier) => format!("{}:{specifier}", self.name),
            None => self.name.clone(),
        }
    }

    /// The value, empty for a switch.
    pub(super) fn text(&self) -> &str {
        self.value.as_deref().unwrap_or_default()
    }
}

/// Reads all words.
pub(super) fn read(args: &[String]) -> Result<Vec<Given>, OptionError> {
    if args.len() > MAX_WORDS {
        return Err(OptionError::new(
            OptionErrorKind::TooLarge,
            "",
            format!("more than {MAX_WORDS} words of options"),
        ));
    }
    for word in args {
        if word.len() > MAX_WORD_BYTES {
            let message =
                format!("a word of more than {MAX_WORD_BYTES} bytes begins with {:?}", shown(word));
            return Err(OptionError::new(OptionErrorKind::TooLarge, word, message));
        }
        if word.contains('\0') {
            let message = format!("{} has a zero byte, which no option can carry", shown(word));
            return Err(OptionError::new(OptionErrorKind::BadValue, word, message));
        }
    }
    let mut given = Vec::new();
    let mut words = args.iter();
    while let Some(word) = words.next() {
        let mut option = name(word)?;
        if option.known.is_none_or(|known| known.takes != Takes::Nothing) {
            let value = words.next().ok_or_else(|| missing(word))?;
            check(&option, value)?;
            option.value = Some(value.clone());
        }
        given.push(option);
    }
    Ok(given)
}

fn missing(word: &str) -> OptionError {
    OptionError::new(
        OptionErrorKind::MissingValue,
        word,
        format!("{} stands without its value", shown(word)),
    )
}

/// Reads a word that must be an option's name.
fn name(word: &str) -> Result<Given, OptionError> {
    let Some(text) = word.strip_prefix('-').filter(|text| !text.is_empty()) else {
        return Err(OptionError::new(
            OptionErrorKind::StrayWord,
            word,
            format!("{:?} is no option; a second output cannot be made", shown(word)),
        )
        .hint("options begin with a dash, and a value with spaces needs quotes; OUTPUT stands before the --"));
    };
    if text.starts_with('/') {
        return Err(OptionError::new(
            OptionErrorKind::RefusedOption,
            word,
            format!("{} is refused: it reads the value from a file", shown(word)),
        )
        .hint("write the value itself"));
    }
    let (typed, specifier) = match text.split_once(':') {
        Some((name, specifier)) => (name, Some(specifier.to_owned())),
        None => (text, None),
    };
    let mut given = Given {
        word: word.to_owned(),
        name: typed.to_owned(),
        specifier,
        value: None,
        known: None,
    };
    if let Some((option, kind)) = catalog::alias(typed) {
        option.clone_into(&mut given.name);
        if let Some(kind) = kind {
            given.specifier = Some(match given.specifier {
                // `-vf:0` would be read as `-filter:v:0`; ffmpeg knows no such thing.
                Some(_) => return Err(bad_alias(word, option, kind)),
                None => kind.to_owned(),
            });
        }
    }
    given.known = catalog::find(&given.name);
    if given.known.is_some() || is_private(&given.name) {
        return Ok(given);
    }
    if let Some(found) = refused::find(typed) {
        return Err(OptionError::new(
            OptionErrorKind::RefusedOption,
            word,
            format!("{} is refused: {}", shown(word), found.why),
        )
        .hint(found.instead));
    }
    Err(unknown(word, typed))
}

fn bad_alias(word: &str, option: &str, kind: &str) -> OptionError {
    OptionError::new(
        OptionErrorKind::BadSpecifier,
        word,
        format!("{} takes no stream specifier", shown(word)),
    )
    .hint(format!("write -{option}:{kind}:0 for the first stream of its kind"))
}

fn unknown(word: &str, typed: &str) -> OptionError {
    let names = catalog::names().chain(encoder::option_names()).chain(family_options());
    OptionError::new(
        OptionErrorKind::UnknownOption,
        word,
        format!("option {} is not known here", shown(word)),
    )
    .near(typed, names, "-")
}

fn family_options() -> impl Iterator<Item = &'static str> {
    container::FAMILIES.iter().flat_map(|family| container::options(*family).iter())
}

fn is_private(name: &str) -> bool {
    encoder::option_names().chain(family_options()).any(|known| known == name)
}

fn check(option: &Given, value: &str) -> Result<(), OptionError> {
    let word = &option.word;
    let takes = option.known.map_or(Takes::Text, |known| known.takes);
    let flags = matches!(takes, Takes::Flags(_)) || option.name == "movflags";
    if !flags && looks_like_option(value) {
        return Err(
            missing(word).hint(format!("{} stands where its value is expected", shown(value)))
        );
    }
    if value.is_empty() && !matches!(option.known.map(|known| known.role), Some(Role::Metadata)) {
        return Err(OptionError::new(
            OptionErrorKind::BadValue,
            word,
            format!("{} has an empty value", shown(word)),
        ));
    }
    if option.name == "movflags" {
        return catalog::check_value(word, catalog::MOVFLAGS, value);
    }
    catalog::check_value(word, takes, value)
}

/// Whether a word in the place of a value is really the next option.
fn looks_like_option(value: &str) -> bool {
    let Some(name) = value.strip_prefix('-') else { return false };
    let name = name.split(':').next().unwrap_or(name);
    catalog::find(name).is_some()
        || catalog::alias(name).is_some()
        || refused::find(name).is_some()
        || is_private(name)
}
