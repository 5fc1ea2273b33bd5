//! Texts with words in braces that are filled in later: names of outputs, messages of notifications.
//!
//! Must not know files: a name that comes out of here is text with slashes.

use thiserror::Error;

/// The longest template: a path of most systems is no longer.
const TEMPLATE_BYTES_MAX: usize = 4_096;

/// The words of an output's name.
pub const OUTPUT_WORDS: &[&str] = &["dir", "name", "ext", "preset", "codec", "encoder"];

/// How outputs are named where nobody says it: the source's folders and name with the output's ending.
pub const OUTPUT_TEMPLATE: &str = "{dir}/{name}.{ext}";

/// A template, read and found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Word(&'static str),
}

/// What is wrong with a template, or with the name that it makes.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NamingError {
    /// A word that means nothing here.
    #[error("`{{{word}}}` is not known; there are {known}")]
    UnknownWord {
        /// The word.
        word: String,
        /// Those that are known.
        known: String,
    },
    /// A brace that nothing closes, or that closes nothing.
    #[error("a brace stands alone; `{{{{` and `}}}}` mean the braces themselves")]
    LoneBrace,
    /// Longer than any path.
    #[error("it is longer than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
    /// The name leads out of its folder, or is none.
    #[error("the name `{0}` does not stay in its folder")]
    LeadsOut(String),
}

impl Template {
    /// Reads a template in which only `words` may stand in braces.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, words: &[&'static str]) -> Result<Self, NamingError> {
        if text.len() > TEMPLATE_BYTES_MAX {
            return Err(NamingError::TooLong);
        }
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut letters = text.chars().peekable();
        while let Some(letter) = letters.next() {
            match letter {
                '{' if letters.next_if_eq(&'{').is_some() => plain.push('{'),
                '}' if letters.next_if_eq(&'}').is_some() => plain.push('}'),
                '}' => return Err(NamingError::LoneBrace),
                '{' => {
                    let word = word_of(&mut letters)?;
                    let known = words.iter().find(|known| **known == word);
                    let known = known.ok_or_else(|| unknown(&word, words))?;
                    if !plain.is_empty() {
                        parts.push(Part::Text(std::mem::take(&mut plain)));
                    }
                    parts.push(Part::Word(known));
                }
                other => plain.push(other),
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Ok(Self { parts })
    }

    /// The text with every word's value.
    #[must_use]
    pub fn fill(&self, value: impl Fn(&str) -> String) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Word(word) => value(word),
        };
        self.parts.iter().map(part).collect()
    }
}

fn word_of(letters: &mut impl Iterator<Item = char>) -> Result<String, NamingError> {
    let mut word = String::new();
    for letter in letters.by_ref() {
        match letter {
            '}' => return Ok(word),
            '{' => return Err(NamingError::LoneBrace),
            other => word.push(other),
        }
    }
    Err(NamingError::LoneBrace)
}

fn unknown(word: &str, words: &[&str]) -> NamingError {
    let known: Vec<String> = words.iter().map(|word| format!("{{{word}}}")).collect();
    NamingError::UnknownWord { word: word.to_owned(), known: known.join(", ") }
}

/// What an output's name is made of.
#[derive(Debug, Clone, Copy)]
pub struct OutputName<'a> {
    /// The source's folder, as seen from the folder that is worked on; empty at its top.
    pub dir: &'a str,
    /// The source's file name, with its ending.
    pub source: &'a str,
    /// The output's ending, without the dot.
    pub ext: &'a str,
    /// The preset's name; `custom` where there is none.
    pub preset: Option<&'a str>,
    /// The video encoder; `None` where no video is encoded.
    pub encoder: Option<&'a str>,
}

impl OutputName<'_> {
    /// The name, as seen from the output folder: with slashes, never leading out of it.
    ///
    /// # Errors
    /// Where it would, or where nothing is left of it.
    pub fn fill(&self, template: &Template) -> Result<String, NamingError> {
        let stem = self.source.rsplit_once('.').map(|(stem, _)| stem);
        let stem = stem.filter(|stem| !stem.is_empty()).unwrap_or(self.source);
        let filled = template.fill(|word| match word {
            "dir" => self.dir.to_owned(),
            "name" => stem.to_owned(),
            "ext" => self.ext.to_owned(),
            "preset" => self.preset.unwrap_or("custom").to_owned(),
            "codec" => self.encoder.map_or("copy", codec_of).to_owned(),
            "encoder" => self.encoder.unwrap_or("copy").to_owned(),
            _ => String::new(),
        });
        let parts: Vec<&str> = filled.split('/').filter(|part| !part.is_empty()).collect();
        let leads_out = |part: &&str| [".", ".."].contains(part) || part.contains(['\0', '\\']);
        if parts.is_empty() || filled.ends_with('/') || parts.iter().any(leads_out) {
            return Err(NamingError::LeadsOut(filled));
        }
        Ok(parts.join("/"))
    }
}

/// The codec that an encoder makes, by the name that people give it.
fn codec_of(encoder: &str) -> &str {
    let known = [
        ("264", "h264"),
        ("hevc", "hevc"),
        ("265", "hevc"),
        ("av1", "av1"),
        ("vp9", "vp9"),
        ("vp8", "vp8"),
        ("libvpx", "vp8"),
    ];
    let found = known.iter().find(|(mark, _)| encoder.contains(mark));
    found.map_or_else(|| encoder.strip_prefix("lib").unwrap_or(encoder), |(_, codec)| codec)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(template: &str, dir: &str, source: &str) -> Result<String, NamingError> {
        let template = Template::parse(template, OUTPUT_WORDS)?;
        let encoder = Some("libsvtav1");
        OutputName { dir, source, ext: "mkv", preset: Some("small"), encoder }.fill(&template)
    }

    #[test]
    fn words_are_filled_and_empty_folders_vanish() {
        let same = |template: &str, dir: &str, source: &str, wanted: &str| {
            assert_eq!(name(template, dir, source).as_deref(), Ok(wanted), "{template}");
        };
        same(OUTPUT_TEMPLATE, "", "film.avi", "film.mkv");
        same(OUTPUT_TEMPLATE, "a/b", "film.one.avi", "a/b/film.one.mkv");
        same("{codec}-{encoder}/{name} ({preset}).{ext}", "", "x", "av1-libsvtav1/x (small).mkv");
        same("{name}{{1}}.{ext}", "", ".hidden", ".hidden{1}.mkv");
    }

    #[test]
    fn a_name_never_leads_out_of_its_folder() {
        for (template, dir) in
            [("../{name}", ""), ("{dir}/{name}", "../.."), ("{dir}", ""), ("a/", ""), ("./x", "")]
        {
            assert!(
                matches!(name(template, dir, "x"), Err(NamingError::LeadsOut(_))),
                "{template}"
            );
        }
    }

    #[test]
    fn what_is_no_word_is_refused_by_name() {
        let error = name("{title}.{ext}", "", "x").expect_err("no such word").to_string();
        assert!(error.contains("{title}") && error.contains("{name}"), "{error}");
        for lone in ["{name", "name}", "{na{me}"] {
            assert_eq!(name(lone, "", "x"), Err(NamingError::LoneBrace), "{lone}");
        }
    }

    #[test]
    fn codecs_have_the_names_that_people_give_them() {
        let pairs =
            ["libx264", "h264_nvenc", "libx265", "hevc_qsv", "libaom-av1", "libvpx", "ffv1"]
                .map(codec_of);
        assert_eq!(pairs, ["h264", "h264", "hevc", "hevc", "av1", "vp8", "ffv1"]);
    }
}
