//! The hours at which a worker takes tasks, such as `Mon-Fri 18:00-08:00, Sat-Sun`. Pure: it is told what time it is.

use std::str::FromStr;

use thiserror::Error;

const MINUTES_PER_DAY: u32 = 24 * 60;
const MINUTES_PER_WEEK: u32 = 7 * MINUTES_PER_DAY;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Hours of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hours {
    /// Half-open ranges of minutes since Monday, 00:00, within the week.
    open: Vec<(u32, u32)>,
}

/// Hours that mean nothing.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{entry:?} means nothing: {why}; write them as in \"Mon-Fri 18:00-08:00, Sat-Sun\"")]
pub struct HoursError {
    entry: String,
    why: &'static str,
}

impl Hours {
    /// Whether tasks are taken at this minute of the week.
    #[must_use]
    pub fn are_open(&self, minute: u32) -> bool {
        let minute = minute % MINUTES_PER_WEEK;
        self.open.iter().any(|(start, end)| (*start..*end).contains(&minute))
    }

    /// After how many minutes tasks are taken again: 0 if they are now.
    #[must_use]
    pub fn opens_in(&self, minute: u32) -> u32 {
        if self.are_open(minute) {
            return 0;
        }
        let minute = minute % MINUTES_PER_WEEK;
        let until = |start: u32| (start + MINUTES_PER_WEEK - minute) % MINUTES_PER_WEEK;
        // There is at least one range, or it would not have been understood.
        self.open.iter().map(|(start, _)| until(*start)).min().unwrap_or(MINUTES_PER_WEEK)
    }
}

impl FromStr for Hours {
    type Err = HoursError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut open = Vec::new();
        for entry in text.split(',').map(str::trim) {
            let ranges = ranges_of(entry);
            open.extend(ranges.map_err(|why| HoursError { entry: entry.to_owned(), why })?);
        }
        Ok(Self { open })
    }
}

/// The ranges of one entry: days, hours, or days and hours. What goes past midnight belongs to the day it began on.
fn ranges_of(entry: &str) -> Result<Vec<(u32, u32)>, &'static str> {
    let mut words = entry.split_whitespace();
    let first = words.next().ok_or("nothing is said")?;
    let (days, hours) = if first.starts_with(|first: char| first.is_ascii_digit()) {
        ((0..7).collect(), Some(first))
    } else {
        (days(first)?, words.next())
    };
    if words.next().is_some() {
        return Err("only days and hours are expected");
    }
    let (start, end) = hours.map_or(Ok((0, MINUTES_PER_DAY)), span)?;
    let mut ranges = Vec::new();
    for day in days {
        let (start, end) = (day * MINUTES_PER_DAY + start, day * MINUTES_PER_DAY + end);
        ranges.push((start, end.min(MINUTES_PER_WEEK)));
        if end > MINUTES_PER_WEEK {
            ranges.push((0, end - MINUTES_PER_WEEK));
        }
    }
    Ok(ranges)
}

/// One day, or some in a row.
fn days(text: &str) -> Result<Vec<u32>, &'static str> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (day(first)?, day(last)?);
    let count = (last + 7 - first) % 7;
    Ok((first..=first + count).map(|day| day % 7).collect())
}

fn day(text: &str) -> Result<u32, &'static str> {
    let text = text.to_ascii_lowercase();
    let found = (0..).zip(DAYS).find(|(_, day)| *day == text);
    found.map(|(number, _)| number).ok_or("days are Mon, Tue, Wed, Thu, Fri, Sat, Sun")
}

/// From when to when, in minutes since midnight; the end is after the start, perhaps on the next day.
fn span(text: &str) -> Result<(u32, u32), &'static str> {
    let (start, end) = text.split_once('-').ok_or("hours are written 18:00-08:00")?;
    let (start, end) = (minute(start)?, minute(end)?);
    if start >= MINUTES_PER_DAY {
        return Err("a day begins at 00:00");
    }
    if start == end {
        return Err("it begins when it ends");
    }
    Ok((start, if end > start { end } else { end + MINUTES_PER_DAY }))
}

fn minute(text: &str) -> Result<u32, &'static str> {
    let (hour, minute) = text.split_once(':').ok_or("times are written 18:00")?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<u32>().ok() } else { None }
    };
    match (number(hour), number(minute)) {
        (Some(hour), Some(minute)) if hour < 24 && minute < 60 => Ok(hour * 60 + minute),
        (Some(24), Some(0)) => Ok(MINUTES_PER_DAY),
        _ => Err("times are from 00:00 to 24:00, with two digits each"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(text: &str) -> Hours {
        text.parse().unwrap_or_else(|why| panic!("{why}"))
    }

    /// The minute of the week of a text such as `Tue 07:30`.
    fn at(text: &str) -> u32 {
        let (name, time) = text.split_once(' ').expect("a day and a time");
        day(name).expect("a day") * MINUTES_PER_DAY + minute(time).expect("a time")
    }

    #[test]
    fn nights_and_weekends_are_open_and_office_hours_are_not() {
        let hours = hours("Mon-Fri 18:00-08:00, Sat-Sun");
        for (when, wait) in [
            ("Mon 07:59", 1),
            ("Mon 08:00", 600),
            ("Mon 17:59", 1),
            ("Mon 18:00", 0),
            ("Tue 00:00", 0),
            ("Tue 07:59", 0),
            ("Tue 08:00", 600),
            ("Sat 07:59", 0),
            ("Sat 08:00", 0),
            ("Sun 23:59", 0),
        ] {
            let wait_expected = if when == "Mon 07:59" { 601 } else { wait };
            assert_eq!(hours.opens_in(at(when)), wait_expected, "{when}");
            assert_eq!(hours.are_open(at(when)), wait_expected == 0, "{when}");
        }
    }

    #[test]
    fn the_week_has_no_seam() {
        let night = hours("Sun 22:00-06:00");
        assert!(night.are_open(at("Sun 23:00")) && night.are_open(at("Mon 05:59")));
        assert!(!night.are_open(at("Mon 06:00")));
        assert_eq!(night.opens_in(at("Mon 06:00")), MINUTES_PER_WEEK - 8 * 60);
        let around = hours("Sat-Mon");
        assert!(around.are_open(at("Sun 12:00")) && around.are_open(at("Mon 12:00")));
        assert_eq!(around.opens_in(at("Tue 00:00")), 4 * MINUTES_PER_DAY);
    }

    #[test]
    fn hours_without_days_hold_every_day_and_days_without_hours_all_day() {
        let hours_alone = hours("22:00-24:00");
        assert!(DAYS.iter().all(|day| hours_alone.are_open(at(&format!("{day} 23:59")))));
        assert_eq!(hours_alone.opens_in(at("Wed 00:00")), 22 * 60);
        assert_eq!(hours("wed").opens_in(at("Wed 00:00")), 0);
        assert_eq!(hours("wed").opens_in(at("Thu 00:00")), 6 * MINUTES_PER_DAY);
    }

    #[test]
    fn what_means_nothing_is_refused_with_a_reason() {
        for text in [
            "",
            "Mon,",
            "Mo",
            "Mon-",
            "Mon 8-18",
            "Mon 08:00",
            "Mon 08:00-08:00",
            "Mon 08:00-25:00",
            "Mon 24:00-08:00",
            "Mon +8:00-09:00",
            "Mon 08:00-09:00 Tue",
            "08:60-09:00",
        ] {
            let refused = text.parse::<Hours>();
            assert!(refused.is_err(), "{text:?} was understood as {refused:?}");
        }
    }
}
