//! ffmpeg's spelling of a filter chain: commas, colons, backslashes, single quotes, labels.
//!
//! Two levels of quoting, as in ffmpeg: the chain is cut into filters (first level), then the text of a
//! filter's arguments into arguments (second level). Knows no filter by name.

use super::super::error::{OptionError, OptionErrorKind, shown};

/// The most filters of a chain; long ones in use have a dozen.
const MAX_FILTERS: usize = 64;

/// The most arguments of one filter; the richest filter has about fifty.
const MAX_ARGUMENTS: usize = 64;

/// White space as ffmpeg's parser skips it.
const WHITESPACE: &[char] = &[' ', '\n', '\t', '\r'];

/// One filter of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// Its name, without the instance name behind `@`.
    pub name: String,
    /// Its arguments in order, unquoted.
    pub arguments: Vec<Argument>,
}

/// One argument of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    /// The name; `None` for one by position.
    pub key: Option<String>,
    /// The value.
    pub value: String,
}

impl Filter {
    /// The value of an argument: the last with one of these names, else the one at this position.
    #[must_use]
    pub fn argument(&self, names: &[&str], position: Option<usize>) -> Option<&str> {
        let named = self.arguments.iter().rev().find(|argument| match &argument.key {
            Some(key) => names.contains(&key.as_str()),
            None => false,
        });
        let found = named
            .or_else(|| self.arguments.get(position?).filter(|argument| argument.key.is_none()));
        found.map(|argument| argument.value.as_str())
    }

    /// How many arguments are given by position.
    #[must_use]
    pub fn positional(&self) -> usize {
        self.arguments.iter().filter(|argument| argument.key.is_none()).count()
    }
}

/// Reads a simple chain with one way in and one way out.
///
/// # Errors
/// If the text is not such a chain.
pub fn parse_filter_chain(text: &str) -> Result<Vec<Filter>, OptionError> {
    let mut reader = Reader { rest: text, whole: text };
    reader.label("in")?;
    let mut chain = Vec::new();
    loop {
        chain.push(reader.filter()?);
        if chain.len() > MAX_FILTERS {
            return Err(reader.bad(&format!("has more than {MAX_FILTERS} filters")));
        }
        reader.skip_space();
        if reader.take(',') {
            continue;
        }
        reader.label("out")?;
        reader.skip_space();
        if reader.rest.is_empty() {
            return Ok(chain);
        }
        if reader.rest.starts_with([';', '[']) {
            return Err(reader
                .bad("is a graph with several ways")
                .hint("use one chain of filters with commas; graphs that split and join are not carried over yet"));
        }
        return Err(
            reader.bad(&format!("goes on with {:?} where a comma is expected", shown(reader.rest)))
        );
    }
}

/// Writes a chain so that ffmpeg, and [`parse_filter_chain`], read the same again.
pub(super) fn write_filter_chain(chain: &[Filter]) -> String {
    let filters = chain.iter().map(|filter| {
        let arguments = filter.arguments.iter().map(|argument| {
            let value = escaped(&argument.value, &[':']);
            argument.key.as_ref().map_or(value.clone(), |key| format!("{key}={value}"))
        });
        let arguments = arguments.collect::<Vec<_>>().join(":");
        let equals = if arguments.is_empty() { "" } else { "=" };
        format!("{}{equals}{}", filter.name, escaped(&arguments, &['[', ']', ',', ';']))
    });
    filters.collect::<Vec<_>>().join(",")
}

/// The text with a backslash before all that one level of reading takes for something else.
fn escaped(text: &str, ends: &[char]) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '\\' | '\'')
            || ends.contains(&character)
            || WHITESPACE.contains(&character)
        {
            out.push('\\');
        }
        out.push(character);
    }
    out
}

struct Reader<'a> {
    rest: &'a str,
    whole: &'a str,
}

impl Reader<'_> {
    fn bad(&self, why: &str) -> OptionError {
        OptionError::new(
            OptionErrorKind::BadFilter,
            self.whole,
            format!("the filter chain {:?} {why}", shown(self.whole)),
        )
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_start_matches(WHITESPACE);
    }

    fn take(&mut self, wanted: char) -> bool {
        match self.rest.strip_prefix(wanted) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    /// Skips the label that ffmpeg itself gives to the open end of a simple chain.
    fn label(&mut self, name: &str) -> Result<(), OptionError> {
        self.skip_space();
        if !self.rest.starts_with('[') {
            return Ok(());
        }
        match self.rest.strip_prefix(&format!("[{name}]")) {
            Some(rest) => {
                self.rest = rest;
                Ok(())
            }
            None => Err(self
                .bad("has labels")
                .hint("leave the labels out: a chain has one way in and one way out")),
        }
    }

    fn filter(&mut self) -> Result<Filter, OptionError> {
        let (name, rest) = token(self.rest, &['=', ',', ';', '[']).map_err(|why| self.bad(why))?;
        self.rest = rest;
        let name = match name.split_once('@') {
            Some((name, _)) => name.to_owned(),
            None => name,
        };
        if name.is_empty() {
            return Err(self.bad("has an empty place where a filter is expected"));
        }
        let mut arguments = Vec::new();
        if self.take('=') {
            let (text, rest) =
                token(self.rest, &['[', ']', ',', ';']).map_err(|why| self.bad(why))?;
            self.rest = rest;
            arguments = self.arguments(&text)?;
        }
        Ok(Filter { name, arguments })
    }

    fn arguments(&self, text: &str) -> Result<Vec<Argument>, OptionError> {
        let mut found = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (key, after_key) = key(rest);
            let (value, after) = token(after_key, &[':']).map_err(|why| self.bad(why))?;
            found.push(Argument { key: key.map(str::to_owned), value });
            if found.len() > MAX_ARGUMENTS {
                return Err(
                    self.bad(&format!("has a filter with more than {MAX_ARGUMENTS} arguments"))
                );
            }
            rest = after.strip_prefix(':').unwrap_or(after);
        }
        Ok(found)
    }
}

/// The `name=` that an argument may begin with.
fn key(text: &str) -> (Option<&str>, &str) {
    let start = text.trim_start_matches(WHITESPACE);
    let is_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '.');
    let end = start.find(|c| !is_key(c)).unwrap_or(start.len());
    let (key, rest) = start.split_at(end);
    match rest.trim_start_matches(WHITESPACE).strip_prefix('=') {
        Some(value) => (Some(key), value),
        None => (None, text),
    }
}

/// Reads up to one of the ends: a backslash takes the next character as it is, quotes take all between
/// them; white space around is dropped unless it was quoted.
fn token<'a>(text: &'a str, ends: &[char]) -> Result<(String, &'a str), &'static str> {
    let text = text.trim_start_matches(WHITESPACE);
    let mut out = String::new();
    let mut keep = 0;
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        if ends.contains(&character) {
            return Ok((finish(out, keep), &text[at..]));
        }
        match character {
            '\\' => {
                let Some((_, next)) = characters.next() else {
                    return Err("ends with a lone backslash");
                };
                out.push(next);
                keep = out.len();
            }
            '\'' => loop {
                match characters.next() {
                    Some((_, '\'')) => {
                        keep = out.len();
                        break;
                    }
                    Some((_, quoted)) => out.push(quoted),
                    None => return Err("has a quote that is never closed"),
                }
            },
            plain => out.push(plain),
        }
    }
    Ok((finish(out, keep), ""))
}

fn finish(mut out: String, keep: usize) -> String {
    let trimmed = out.trim_end_matches(WHITESPACE).len();
    out.truncate(trimmed.max(keep));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(text: &str) -> String {
        match parse_filter_chain(text) {
            Err(error) => format!("! {error}"),
            Ok(chain) => chain
                .iter()
                .map(|filter| {
                    let arguments: Vec<String> = filter
                        .arguments
                        .iter()
                        .map(|argument| match &argument.key {
                            Some(key) => format!("{key}={}", argument.value),
                            None => argument.value.clone(),
                        })
                        .collect();
                    format!("{}({})", filter.name, arguments.join("|"))
                })
                .collect::<Vec<_>>()
                .join(" > "),
        }
    }

    #[test]
    fn chains_are_read_as_ffmpeg_reads_them() {
        for (text, wanted) in [
            ("scale=-2:720", "scale(-2|720)"),
            ("scale=w=1280:h=-2,format=yuv420p", "scale(w=1280|h=-2) > format(yuv420p)"),
            (" scale = 1:2 , null ", "scale(1|2) > null()"),
            ("[in]null[out]", "null()"),
            ("crop@first=10:10", "crop(10|10)"),
            ("crop='min(iw,ih)':10", "crop(min(iw,ih)|10)"),
            (r"crop=min(iw\,ih):10", "crop(min(iw,ih)|10)"),
            (r"drawtext=text=a\\:b:x=1", "drawtext(text=a:b|x=1)"),
            (r"drawtext='text=a\:b':x=1", "drawtext(text=a:b|x=1)"),
            (r"eq=sat\uration=2", "eq(saturation=2)"),
            ("x=/file=a", "x(/file=a)"),
            ("x=a:b=c:d", "x(a|b=c|d)"),
        ] {
            assert_eq!(drawn(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read_as_the_same() {
        for text in [
            "null",
            "scale=-2:720,format=yuv420p",
            r"drawtext=text=a\\:b\,c:x=1",
            r"a=it\\\'s\[x\]:b=\\ c\\ :d=e\\\\f",
            "x=:a=:b",
        ] {
            let chain = parse_filter_chain(text).expect("it is a chain");
            let written = write_filter_chain(&chain);
            assert_eq!(
                parse_filter_chain(&written).expect("it is one again"),
                chain,
                "{text}: {written}"
            );
        }
    }

    #[test]
    fn what_is_no_simple_chain_is_refused() {
        for text in [
            "",
            ",",
            "null,",
            "split[a][b];[a][b]hstack",
            "[0:v]null",
            "null[out",
            "null[out]null",
            "null;null",
            "crop='1",
            "crop=1\\",
            "[in",
            "=1",
        ] {
            assert!(drawn(text).starts_with('!'), "{text} was read as {}", drawn(text));
        }
    }
}
