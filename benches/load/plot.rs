//! The latency of messages by when they were sent, before and after a switch: all switches of a run laid over each other.

use std::fmt::Write;
use std::time::Duration;

use countersign::cli::demo::{Latencies, Outcome, WINDOW};

use super::{Case, milliseconds};

const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 220.0;
const MARGIN: f64 = 56.0;
const SLICE: Duration = Duration::from_millis(10);
const COLOURS: [&str; 6] = ["#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b"];
/// Names in a row below.
const NAMES: usize = 4;

/// Messages that were sent in one slice of time around switches.
struct Slice {
    /// Milliseconds from the command, negative before it.
    offset: f64,
    latencies: Latencies,
}

/// Two panels, the median and the 99th percentile, with a line a case; logarithmic.
pub(crate) fn svg(done: &[&(Case, Outcome)]) -> String {
    let lines: Vec<_> = done.iter().map(|(_, outcome)| slices(outcome)).collect();
    let (width, height) = (2.0 * (WIDTH + MARGIN) + MARGIN, HEIGHT + 2.0 * MARGIN + 34.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for (panel, (title, share)) in [("p50", 500), ("p99", 990)].into_iter().enumerate() {
        let left = MARGIN + panel as f64 * (WIDTH + MARGIN);
        let scale = Scale::around(&lines, share);
        axes(&mut svg, left, title, &scale);
        for (slices, colour) in lines.iter().zip(COLOURS) {
            line(&mut svg, left, slices, share, &scale, colour);
        }
    }
    for (number, ((case, _), colour)) in done.iter().zip(COLOURS).enumerate() {
        let x = MARGIN + (number % NAMES) as f64 * 245.0;
        let y = height - 28.0 + (number / NAMES) as f64 * 14.0;
        let _ = writeln!(
            svg,
            "<text x=\"{x}\" y=\"{y}\" fill=\"{colour}\">— {}</text>",
            case.name
        );
    }
    svg + "</svg>\n"
}

/// Every message that was sent within the window around a switch, by when.
fn slices(outcome: &Outcome) -> Vec<Slice> {
    let per_side = WINDOW.as_millis() / SLICE.as_millis();
    let slice = |number: u128| {
        let offset = SLICE.as_millis() as f64 * (number as f64 - per_side as f64);
        let begin = milliseconds(WINDOW) + offset;
        let inside = |since: Option<Duration>| {
            since.is_some_and(|since| (begin..begin + milliseconds(SLICE)).contains(&milliseconds(since)))
        };
        let latencies = outcome.sent.iter().filter_map(|message| {
            let answered = message.accepted.as_ref()?.at;
            let mut switches = outcome.switches.iter();
            let near =
                switches.any(|switch| inside((message.begun + WINDOW).checked_duration_since(switch.begun)));
            near.then(|| answered - message.begun)
        });
        Slice {
            offset,
            latencies: latencies.collect(),
        }
    };
    (0..2 * per_side).map(slice).collect()
}

/// Whole powers of ten around everything that is shown.
struct Scale {
    least: i32,
    most: i32,
}

impl Scale {
    fn around(lines: &[Vec<Slice>], share: usize) -> Self {
        let shown = lines.iter().flatten().filter(|slice| slice.latencies.count() > 0);
        let exponents = shown.map(|slice| milliseconds(slice.latencies.permille(share)).log10());
        let (least, most) = exponents.fold((f64::MAX, f64::MIN), |(least, most), exponent| {
            (least.min(exponent), most.max(exponent))
        });
        #[expect(clippy::cast_possible_truncation, reason = "exponents of milliseconds")]
        let whole = |exponent: f64| exponent as i32;
        Self {
            least: whole(least.floor()),
            most: whole(most.ceil()),
        }
    }

    fn y(&self, milliseconds: f64) -> f64 {
        let span = f64::from((self.most - self.least).max(1));
        MARGIN + HEIGHT * (1.0 - (milliseconds.log10() - f64::from(self.least)) / span)
    }
}

fn x(left: f64, offset: f64) -> f64 {
    left + WIDTH * (offset + milliseconds(WINDOW)) / (2.0 * milliseconds(WINDOW))
}

fn axes(svg: &mut String, left: f64, title: &str, scale: &Scale) {
    let (right, bottom) = (left + WIDTH, MARGIN + HEIGHT);
    let _ = writeln!(
        svg,
        "<text x=\"{left}\" y=\"{}\">{title} of the answer, ms, by when the message was sent</text>",
        MARGIN - 14.0
    );
    for exponent in scale.least..=scale.most {
        let y = scale.y(10_f64.powi(exponent));
        let _ = writeln!(
            svg,
            "<path d=\"M{left} {y}H{right}\" stroke=\"#ddd\"/><text x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
            left - 4.0,
            y + 4.0,
            10_f64.powi(exponent)
        );
    }
    for offset in [-200, -100, 0, 100, 200].map(f64::from) {
        let x = x(left, offset);
        let stroke = if offset == 0.0 { "#888" } else { "#eee" };
        let label = if offset == 0.0 {
            "switch".to_owned()
        } else {
            format!("{offset:+} ms")
        };
        let _ = writeln!(
            svg,
            "<path d=\"M{x} {MARGIN}V{bottom}\" stroke=\"{stroke}\"/><text x=\"{x}\" y=\"{}\" \
             text-anchor=\"middle\">{label}</text>",
            bottom + 16.0
        );
    }
}

fn line(svg: &mut String, left: f64, slices: &[Slice], share: usize, scale: &Scale, colour: &str) {
    let shown = slices.iter().filter(|slice| slice.latencies.count() > 0);
    let points: Vec<_> = shown
        .map(|slice| {
            let middle = slice.offset + milliseconds(SLICE) / 2.0;
            let y = scale.y(milliseconds(slice.latencies.permille(share)));
            format!("{:.1},{y:.1}", x(left, middle))
        })
        .collect();
    let points = points.join(" ");
    let _ = writeln!(
        svg,
        "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.5\"/>"
    );
}
