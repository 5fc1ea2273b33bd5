//! Numbers as text in Prometheus' exposition format 0.0.4. Knows no number's meaning.

use std::fmt::{Display, Write as _};

use super::tally::Histogram;

/// A page of numbers.
#[derive(Debug, Default)]
pub(super) struct Page {
    text: String,
}

/// A family of numbers under one name.
pub(super) struct Family<'a> {
    page: &'a mut Page,
    name: &'static str,
}

impl Page {
    /// Begins a family whose numbers go up and down.
    pub(super) fn gauge(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "gauge")
    }

    /// Begins a family whose numbers only grow.
    pub(super) fn counter(&mut self, name: &'static str, help: &str) -> Family<'_> {
        self.family(name, help, "counter")
    }

    /// Adds values by size.
    pub(super) fn histogram<const N: usize>(
        &mut self,
        name: &'static str,
        help: &str,
        bounds: &[f64; N],
        values: &Histogram<N>,
    ) {
        let Family { page, .. } = self.family(name, help, "histogram");
        let mut below = 0;
        // Writing to a String cannot fail.
        for (bound, within) in bounds.iter().zip(values.within) {
            below += within;
            let _ = writeln!(page.text, "{name}_bucket{{le=\"{bound}\"}} {below}");
        }
        let _ = writeln!(page.text, "{name}_bucket{{le=\"+Inf\"}} {}", values.count);
        let _ = writeln!(page.text, "{name}_sum {}", values.sum);
        let _ = writeln!(page.text, "{name}_count {}", values.count);
    }

    fn family(&mut self, name: &'static str, help: &str, kind: &str) -> Family<'_> {
        let _ = writeln!(self.text, "# HELP {name} {help}");
        let _ = writeln!(self.text, "# TYPE {name} {kind}");
        Family { page: self, name }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// Adds a number with its labels.
    pub(super) fn number(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let labels: Vec<String> =
            labels.iter().map(|(label, text)| format!("{label}=\"{}\"", escaped(text))).collect();
        let labels =
            if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.page.text, "{}{labels} {value}", self.name);
        self
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_in_the_form_that_prometheus_reads() {
        let mut page = Page::default();
        page.gauge("a", "What a is.").number(&[("name", "x\"y\\z\n")], 1).number(&[], 2.5);
        let values = Histogram { within: [1, 2], count: 4, sum: 9.5 };
        page.histogram("h", "Sizes.", &[0.5, 1.0], &values);
        assert_eq!(
            page.into_text(),
            "# HELP a What a is.\n# TYPE a gauge\na{name=\"x\\\"y\\\\z\\n\"} 1\na 2.5\n\
             # HELP h Sizes.\n# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"1\"} 3\n\
             h_bucket{le=\"+Inf\"} 4\nh_sum 9.5\nh_count 4\n"
        );
    }
}
