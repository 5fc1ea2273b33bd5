//! Where to look for changes of scene, and what was seen there.

use segenc_core::plan::Look;

use super::WireError;
use crate::grpc;

/// More than a server ever asks for at once, and more than is seen between two reports.
pub const MAX_LOOKS: usize = 1000;

/// Reads what was seen: by the look's last picture, the first of a new scene.
///
/// # Errors
/// When there is too much of it.
pub fn seen(messages: Vec<grpc::Seen>) -> Result<Vec<(i64, Option<i64>)>, WireError> {
    within_limit(messages.len())?;
    Ok(messages.into_iter().map(|seen| (seen.until, seen.scene)).collect())
}

/// Writes what was seen.
#[must_use]
pub fn seen_message(until: i64, scene: Option<i64>) -> grpc::Seen {
    grpc::Seen { until, scene }
}

/// Reads where to look.
///
/// # Errors
/// When that is in too many places.
pub fn looks(messages: Vec<grpc::Look>) -> Result<Vec<Look>, WireError> {
    within_limit(messages.len())?;
    let look = |message: grpc::Look| {
        let grpc::Look { from, until, seek_micros } = message;
        Look { from, until, seek_micros }
    };
    Ok(messages.into_iter().map(look).collect())
}

/// Writes where to look.
#[must_use]
pub fn look_messages(looks: &[Look]) -> Vec<grpc::Look> {
    let message = |look: &Look| {
        let Look { from, until, seek_micros } = *look;
        grpc::Look { from, until, seek_micros }
    };
    looks.iter().map(message).collect()
}

fn within_limit(count: usize) -> Result<(), WireError> {
    if count > MAX_LOOKS {
        return Err(WireError::TooMany { what: "looks", count, limit: MAX_LOOKS });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_and_what_was_seen_survive_the_wire() {
        let sent = [
            Look { from: -3, until: 4, seek_micros: None },
            Look { from: 50, until: 60, seek_micros: Some(-1) },
        ];
        assert_eq!(looks(look_messages(&sent)), Ok(sent.to_vec()));
        let message = vec![seen_message(4, Some(2)), seen_message(60, None)];
        assert_eq!(seen(message), Ok(vec![(4, Some(2)), (60, None)]));
    }

    #[test]
    fn too_many_are_refused() {
        assert!(seen(vec![seen_message(0, None); MAX_LOOKS + 1]).is_err());
    }
}
