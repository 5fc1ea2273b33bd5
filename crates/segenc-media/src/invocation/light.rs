//! What an encoder is told of the film's light, in the spelling of its library: FFmpeg 5.1 does not tell it
//! (later versions do, and then it is said twice in the same way).
//!
//! Owns how parameters are worked into an encoder's list. Must not know where they come from.

use segenc_core::source::Mastering;
use segenc_core::spec::OutputOption;

/// An option that takes a list, one of the list's parameters, and its value.
pub(super) type Parameter = (&'static str, &'static str, String);

/// The parameters for an encoder; none for those that cannot write it.
pub(super) fn parameters(encoder: &str, mastering: Option<Mastering>) -> Vec<Parameter> {
    let Some(Mastering { display, light }) = mastering else { return Vec::new() };
    let (list, display_name, light_name) = match encoder {
        "libx264" => ("x264-params", "mastering-display", "cll"),
        "libx265" => ("x265-params", "master-display", "max-cll"),
        "libsvtav1" => ("svtav1-params", "mastering-display", "content-light"),
        _ => return Vec::new(),
    };
    let display = display.map(|display| {
        let spelled = if encoder == "libsvtav1" { in_decimals(display) } else { in_units(display) };
        (list, display_name, spelled)
    });
    let light = light.map(|[content, average]| (list, light_name, format!("{content},{average}")));
    display.into_iter().chain(light).collect()
}

/// The encoder that options for a whole title name, if it can be told.
fn told(options: &[OutputOption]) -> Option<&str> {
    let named = options.iter().rev().filter(|option| option.name.split(':').next() == Some("c"));
    let mut names = named.filter_map(|option| option.value.as_deref());
    names.find(|name| matches!(*name, "libx264" | "libx265" | "libsvtav1"))
}

/// Whether a whole title's encoder can be told at all.
pub(crate) fn can_be_told_of_light(options: &[OutputOption]) -> bool {
    told(options).is_some()
}

/// The options for a whole title, with what its encoder is told.
pub(crate) fn told_of_light(
    options: &[OutputOption],
    mastering: Option<Mastering>,
) -> Vec<OutputOption> {
    let filters = options
        .iter()
        .filter(|option| matches!(option.name.split(':').next(), Some("filter" | "vf")));
    let changed = filters.filter_map(|option| option.value.as_deref()).any(changes);
    match told(options) {
        Some(encoder) if !changed => with_parameters(options, parameters(encoder, mastering)),
        Some(_) | None => options.to_vec(),
    }
}

fn in_units([gx, gy, bx, by, rx, ry, wx, wy, most, least]: [u32; 10]) -> String {
    format!("G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({most},{least})")
}

fn in_decimals(display: [u32; 10]) -> String {
    // A chromaticity counts fifty-thousandths, a luminance ten-thousandths.
    let colour = |value: u32| decimal(u64::from(value) * 2, 100_000, 5);
    let light = |value: u32| decimal(u64::from(value), 10_000, 4);
    let [gx, gy, bx, by, rx, ry, wx, wy] = std::array::from_fn(|place| colour(display[place]));
    let (most, least) = (light(display[8]), light(display[9]));
    format!("G({gx},{gy})B({bx},{by})R({rx},{ry})WP({wx},{wy})L({most},{least})")
}

fn decimal(value: u64, units: u64, digits: usize) -> String {
    format!("{}.{:0digits$}", value / units, value % units)
}

/// Filters that make another light of the film's.
const CHANGERS: [&str; 10] = [
    "zscale",
    "tonemap",
    "colorspace",
    "colormatrix",
    "setparams",
    "lut",
    "curves",
    "eq",
    "libplacebo",
    "normalize",
];

/// Whether what is said of the film's light may no longer hold behind these filters.
pub(super) fn changes(filters: &str) -> bool {
    let names = filters.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    names.into_iter().any(|name| CHANGERS.iter().any(|changer| name.starts_with(changer)))
}

/// The options with parameters worked into their lists: given twice, the second list would replace the first.
/// What the user has set stays.
pub(super) fn with_parameters(
    options: &[OutputOption],
    ours: Vec<(&str, &str, String)>,
) -> Vec<OutputOption> {
    let mut options = options.to_vec();
    for (list, name, value) in ours {
        let given = options.iter_mut().rev().find(|option| is_for_video(&option.name, list));
        let parameter = format!("{name}={value}");
        match given {
            Some(option) => {
                option.value = Some(with_parameter(option.value.as_deref(), name, &parameter));
            }
            None => options.push(OutputOption { name: list.to_owned(), value: Some(parameter) }),
        }
    }
    options
}

/// Whether an option as written, perhaps with a specifier, is the one of this name.
fn is_for_video(written: &str, name: &str) -> bool {
    written.split(':').next() == Some(name)
}

/// A list of parameters with one more, unless the user has set it already.
fn with_parameter(list: Option<&str>, name: &str, parameter: &str) -> String {
    let list = list.unwrap_or_default();
    if list.is_empty() {
        return parameter.to_owned();
    }
    let is_set = list.split(':').any(|item| item.split('=').next() == Some(name));
    if is_set { list.to_owned() } else { format!("{list}:{parameter}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DISPLAY: [u32; 10] =
        [13_250, 34_500, 7_500, 3_000, 34_000, 16_000, 15_635, 16_450, 10_000_000, 50];

    #[test]
    fn each_library_is_told_in_its_own_words() {
        let mastering = Some(Mastering { display: Some(DISPLAY), light: Some([1000, 400]) });
        let told = |encoder: &str| with_parameters(&[], parameters(encoder, mastering));
        let value = |encoder: &str| told(encoder).remove(0).value.unwrap_or_default();
        assert_eq!(
            value("libx265"),
            "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400"
        );
        assert_eq!(
            value("libsvtav1"),
            "mastering-display=G(0.26500,0.69000)B(0.15000,0.06000)R(0.68000,0.32000)WP(0.31270,0.32900)\
             L(1000.0000,0.0050):content-light=1000,400"
        );
        assert!(told("libaom-av1").is_empty());
    }

    #[test]
    fn filters_that_change_the_light_are_known() {
        assert!(changes("zscale=t=linear:npl=100,tonemap=hable"));
        assert!(!changes("scale=1280:-2,crop=10:10"));
    }
}
