//! What the user tells x264 and x265 of their rate control, by ffmpeg's options and by the libraries' own lists.
//!
//! Must not know what is made of it.

use segenc_core::spec::OutputOption;

/// What the user tells an encoder, by ffmpeg's options and by the library's own lists.
pub(super) struct Told<'a> {
    options: &'a [OutputOption],
    lists: &'static [&'static str],
}

impl<'a> Told<'a> {
    pub(super) const fn x264(options: &'a [OutputOption]) -> Self {
        Self { options, lists: &["x264-params", "x264opts"] }
    }

    pub(super) const fn x265(options: &'a [OutputOption]) -> Self {
        Self { options, lists: &["x265-params"] }
    }

    /// Whether x264 works at constant quality, and gives frames the more bits, the more those after them make of them.
    pub(super) fn x264_weighs_what_follows(&self) -> bool {
        !self.says_any(&["qp", "b", "pass"], &["qp", "bitrate", "pass"])
            && self.has_macroblock_tree()
    }

    /// Whether x264's macroblock tree is on: two presets and a tune turn it off.
    fn has_macroblock_tree(&self) -> bool {
        let preset_without = matches!(
            self.option("preset").unwrap_or("medium"),
            "ultrafast" | "superfast" | "0" | "1"
        );
        let by_option = self.option("mbtree").or_else(|| self.parameter("mbtree"));
        let said = by_option.map(|value| !matches!(value, "0" | "false" | "no"));
        let off_by_name = self.parameter("no-mbtree").is_some();
        let no_lookahead = [self.option("rc-lookahead"), self.parameter("rc-lookahead")]
            .into_iter()
            .flatten()
            .any(|frames| frames == "0");
        let tuned_off = self.tuned("zerolatency");
        !off_by_name && !no_lookahead && said.unwrap_or(!preset_without && !tuned_off)
    }

    pub(super) fn says_any(&self, options: &[&str], parameters: &[&str]) -> bool {
        options.iter().any(|name| self.option(name).is_some())
            || parameters.iter().any(|name| self.parameter(name).is_some())
    }

    pub(super) fn tuned(&self, tune: &str) -> bool {
        self.option("tune").is_some_and(|tunes| tunes.split([',', '+']).any(|one| one == tune))
    }

    /// The last value of an option of ffmpeg, whatever stream it names.
    fn option(&self, name: &str) -> Option<&'a str> {
        let named =
            self.options.iter().rev().find(|option| option.name.split(':').next() == Some(name));
        named.and_then(|option| option.value.as_deref())
    }

    /// The last value of a parameter in the library's own lists; empty where it stands alone.
    pub(super) fn parameter(&self, name: &str) -> Option<&'a str> {
        self.lists.iter().find_map(|list| {
            let mut parameters = self.option(list)?.split(':').rev();
            parameters.find_map(|parameter| {
                let (found, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                (found == name).then_some(value)
            })
        })
    }
}
