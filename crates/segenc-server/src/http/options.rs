//! Options are looked at before there is a job: what they would make, or why they are refused.

use axum::extract::State;
use segenc_core::spec::{SplitPolicy, VideoSpec};
use segenc_proto::rest::{OptionsCheck, OptionsChecked, RefusalView};

use super::App;
use super::caller::{Json, Reader};
use super::create::too_many_options;
use super::problem::Problem;

/// What these options would make. Refused options are an answer here, not an error.
#[utoipa::path(
    post,
    path = "/api/options/check",
    tag = "jobs",
    request_body = OptionsCheck,
    responses((status = 200, body = OptionsChecked), (status = 400))
)]
pub(super) async fn check(
    State(app): State<App>,
    _: Reader,
    Json(wish): Json<OptionsCheck>,
) -> Result<axum::Json<OptionsChecked>, Problem> {
    let args = match &wish.text {
        None => wish.args,
        Some(text) => match words(text) {
            Ok(args) => args,
            Err(UnclosedQuote) => return Ok(axum::Json(unclosed())),
        },
    };
    too_many_options(&args)?;
    let output_name = wish.output_name.as_deref().unwrap_or("output.mkv");
    let parsed = (app.parse_spec)(&args, wish.container.as_deref(), output_name);
    let sized = parsed.and_then(|spec| match wish.target_size {
        Some(bytes) => (app.aim_at_size)(&spec, bytes),
        None => Ok(spec),
    });
    let checked = match sized {
        Ok(spec) => OptionsChecked {
            args,
            refusal: None,
            container: Some(spec.container),
            encoder: match spec.video {
                VideoSpec::Encode(video) => Some(video.encoder),
                VideoSpec::Copy | VideoSpec::Drop => None,
            },
            whole_because: match spec.split {
                SplitPolicy::Segments { .. } | SplitPolicy::Retimed { .. } => None,
                SplitPolicy::Whole { reason } => Some(reason),
            },
        },
        Err(refusal) => refused(args, refusal.reason, refusal.message, refusal.hint),
    };
    Ok(axum::Json(checked))
}

fn refused(
    args: Vec<String>,
    reason: String,
    message: String,
    hint: Option<String>,
) -> OptionsChecked {
    let refusal = Some(RefusalView { reason, message, hint });
    OptionsChecked { args, refusal, ..OptionsChecked::default() }
}

fn unclosed() -> OptionsChecked {
    let message = "a quote is opened and not closed".to_owned();
    let hint =
        Some("write the closing quote, or a backslash before the one that is meant".to_owned());
    refused(Vec::new(), "missing-value".to_owned(), message, hint)
}

/// A quote without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnclosedQuote;

/// The words of a line as a POSIX shell would cut it: single quotes keep everything, double quotes keep all but
/// a backslash before `"` and `\`. Nothing is expanded.
pub(super) fn words(text: &str) -> Result<Vec<String>, UnclosedQuote> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter.is_whitespace() {
            words.extend(word.take());
            continue;
        }
        // A backslash before the end of a line joins the lines, as people paste them.
        if letter == '\\' && letters.next_if_eq(&'\n').is_some() {
            continue;
        }
        let word = word.get_or_insert_default();
        match letter {
            '\'' => loop {
                match letters.next().ok_or(UnclosedQuote)? {
                    '\'' => break,
                    inside => word.push(inside),
                }
            },
            '"' => loop {
                match letters.next().ok_or(UnclosedQuote)? {
                    '"' => break,
                    '\\' if matches!(letters.peek(), Some('"' | '\\')) => {
                        word.extend(letters.next());
                    }
                    inside => word.push(inside),
                }
            },
            '\\' => word.push(letters.next().ok_or(UnclosedQuote)?),
            plain => word.push(plain),
        }
    }
    words.extend(word);
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_as_a_shell_cuts_them() {
        for (text, wanted) in [
            ("", &[][..]),
            ("  -c:v  libx264\n-crf 20 ", &["-c:v", "libx264", "-crf", "20"]),
            ("-vf \"scale=-2:720, eq=gamma=1.1\"", &["-vf", "scale=-2:720, eq=gamma=1.1"]),
            ("-metadata title='A \"film\"'", &["-metadata", "title=A \"film\""]),
            (r#"a\ b "c\"d" "e\n" ''"#, &["a b", "c\"d", r"e\n", ""]),
            ("-crf \\\n 20", &["-crf", "20"]),
        ] {
            assert_eq!(words(text).expect("closed"), wanted, "{text:?}");
        }
        for open in ["'a", "\"a", "a\\"] {
            assert_eq!(words(open), Err(UnclosedQuote), "{open}");
        }
    }
}
