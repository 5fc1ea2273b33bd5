//! Burning in the film's own subtitles: `subtitles={source}`.
//!
//! The only filter that opens a file: the one that is being read already. Its name differs from worker to worker, so
//! the user writes a word for it, and whoever runs the chain puts the address in its place.

use super::super::error::OptionError;
use super::syntax::{Argument, Filter, parse_filter_chain, write_filter_chain};
use super::{FilterClass, refused, whole};

/// Stands for the film.
const SOURCE: &str = "{source}";

/// The filter.
pub(super) const NAME: &str = "subtitles";

/// Names of the argument with the file (libavfilter/vf_subtitles.c, 5.1 to 8.0).
pub(super) const FILE: [&str; 2] = ["filename", "f"];

/// The arguments that choose a stream and how it looks; `fontsdir` opens a folder.
const OTHERS: [&str; 7] =
    ["stream_index", "si", "original_size", "charenc", "force_style", "alpha", "wrap_unicode"];

/// `subtitles`: of the film itself and by its word only. Fonts differ between machines, so that segments of several
/// workers would not match.
pub(super) fn subtitles(filter: &Filter) -> Result<FilterClass, OptionError> {
    for (position, argument) in filter.arguments.iter().enumerate() {
        match argument.key.as_deref() {
            None if position == 0 => {}
            Some(key) if FILE.contains(&key) || OTHERS.contains(&key) => {}
            None | Some(_) => {
                return Err(refused(
                    filter,
                    "it takes the film and, by name, si, force_style, original_size, charenc, alpha and wrap_unicode",
                ));
            }
        }
    }
    if filter.arguments.iter().any(|argument| names_file(argument) && argument.value != SOURCE)
        || !filter.arguments.iter().any(names_file)
    {
        let why = format!(
            "it opens a file; the film's own subtitles are burnt in by subtitles={SOURCE}, the second of them by \
             subtitles={SOURCE}:si=1"
        );
        return Err(refused(filter, &why));
    }
    Ok(whole(filter, "draws with fonts that may differ between workers"))
}

fn names_file(argument: &Argument) -> bool {
    argument.key.as_deref().is_none_or(|key| FILE.contains(&key))
}

/// The chain with the film's address where the word for it stands; `None` where it does not.
pub(crate) fn with_source(chain: &str, address: &str) -> Option<String> {
    let mut chain = parse_filter_chain(chain).ok()?;
    let own = chain.iter_mut().filter(|filter| filter.name == NAME);
    let words = own.flat_map(|filter| &mut filter.arguments).filter(|one| names_file(one));
    let mut found = false;
    for word in words.filter(|word| word.value == SOURCE) {
        *word = Argument { key: Some(FILE[0].to_owned()), value: address.to_owned() };
        found = true;
    }
    found.then(|| write_filter_chain(&chain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_film_s_address_takes_the_place_of_its_word() {
        let put = |chain: &str, address: &str| with_source(chain, address);
        assert_eq!(
            put("scale=-2:720, subtitles={source}:si=1", "file:/a b/it's, [x]: y.mkv").as_deref(),
            Some(
                r"scale=-2:720,subtitles=filename=file\\:/a\\\ b/it\\\'s\,\\\ \[x\]\\:\\\ y.mkv:si=1"
            )
        );
        assert_eq!(
            put("subtitles=f='{source}'", r"file:C:\films\a.mkv").as_deref(),
            Some(r"subtitles=filename=file\\:C\\:\\\\films\\\\a.mkv")
        );
        for other in
            ["null", "drawtext=text={source}", "scale=w={source}", "subtitles='", "subtitles=a"]
        {
            assert_eq!(put(other, "x"), None, "{other}");
        }
    }
}
