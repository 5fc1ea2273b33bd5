//! Follows the worker's hours by the clock on this machine's wall, and tells the server while it rests.
//!
//! It knows nothing of tasks: who asks for them looks at the shift first.

use std::time::Duration;

use jiff::Zoned;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use crate::hours::Hours;
use crate::server::Session;

/// The clock is looked at this often, and a server that was restarted hears again that the worker rests: well
/// before it would take it for gone.
const LOOK_EVERY: Duration = Duration::from_secs(20);
const MILLIS_PER_MINUTE: u64 = 60_000;

/// Whether to ask for tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    /// Yes.
    Working,
    /// Not before this time, in milliseconds since the Unix epoch.
    Resting { until: u64 },
}

/// The present shift, followed until dropped.
#[derive(Debug)]
pub(crate) struct Timetable {
    pub(crate) shift: watch::Receiver<Shift>,
    _follower: AbortOnDropHandle<()>,
}

/// Follows the hours; without any, the worker always works.
pub(crate) fn follow(hours: Option<Hours>, session: &Session) -> Timetable {
    let now = move || hours.as_ref().map_or(Shift::Working, |hours| shift_at(hours, &Zoned::now()));
    let (sender, shift) = watch::channel(now());
    let session = session.clone();
    let follower = tokio::spawn(async move {
        loop {
            let now = now();
            if sender.send_replace(now) != now {
                match now {
                    Shift::Working => tracing::info!("its hours begin: taking tasks"),
                    Shift::Resting { .. } => tracing::info!("its hours are over: taking no tasks"),
                }
            }
            if let Shift::Resting { until } = now
                && let Err(error) = session.rest(until).await
            {
                // An older server does not know the call, one that is away hears it the next time.
                tracing::debug!(%error, "could not say that this worker rests");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    Timetable { shift, _follower: AbortOnDropHandle::new(follower) }
}

fn shift_at(hours: &Hours, now: &Zoned) -> Shift {
    let day = u32::from(now.weekday().to_monday_zero_offset().unsigned_abs());
    let time = now.time();
    let (hour, minute) = (time.hour().unsigned_abs(), time.minute().unsigned_abs());
    match hours.opens_in(day * 24 * 60 + u32::from(hour) * 60 + u32::from(minute)) {
        0 => Shift::Working,
        minutes => {
            let millis = u64::try_from(now.timestamp().as_millisecond()).unwrap_or_default();
            let begun = millis - millis % MILLIS_PER_MINUTE;
            Shift::Resting { until: begun + u64::from(minutes) * MILLIS_PER_MINUTE }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse().expect("a time")
    }

    #[test]
    fn it_rests_until_its_hours_begin_by_the_local_clock() {
        let hours: Hours = "Mon-Fri 18:00-08:00, Sat-Sun".parse().expect("hours");
        // A Wednesday.
        let noon = at("2026-11-18T12:00:30+01:00[Europe/Berlin]");
        let evening = at("2026-11-18T18:00:00+01:00[Europe/Berlin]");
        let until = u64::try_from(evening.timestamp().as_millisecond()).expect("after 1970");
        assert_eq!(shift_at(&hours, &noon), Shift::Resting { until });
        assert_eq!(shift_at(&hours, &evening), Shift::Working);
        assert_eq!(shift_at(&hours, &at("2026-11-22T12:00:00Z[UTC]")), Shift::Working);
    }
}
