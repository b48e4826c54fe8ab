//! A bound on how often a line is logged that others can cause, so that none of them fills a disk or hides what else is
//! logged. What was left out is counted, and told with the next line.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const MINUTE: Duration = Duration::from_secs(60);

/// One kind of line.
pub struct Seldom {
    most: u32,
    told: Mutex<Told>,
}

struct Told {
    /// When the minute began; `None`: nothing was told yet.
    since: Option<Instant>,
    lines: u32,
    omitted: u64,
}

impl Seldom {
    /// So many lines a minute.
    #[must_use]
    pub const fn new(most: u32) -> Self {
        Self {
            most,
            told: Mutex::new(Told {
                since: None,
                lines: 0,
                omitted: 0,
            }),
        }
    }

    /// How many were left out before this one; `None`: this one is left out, too.
    pub fn due(&self) -> Option<u64> {
        let now = Instant::now();
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told
            .since
            .is_none_or(|since| now.saturating_duration_since(since) >= MINUTE)
        {
            (told.since, told.lines) = (Some(now), 0);
        }
        if told.lines >= self.most {
            told.omitted += 1;
            return None;
        }
        told.lines += 1;
        Some(std::mem::take(&mut told.omitted))
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_counted() {
        let seldom = Seldom::new(2);
        let due: Vec<_> = (0..5).map(|_| seldom.due()).collect();
        assert_eq!(due, [Some(0), Some(0), None, None, None]);
        advance(MINUTE).await;
        assert_eq!(
            (seldom.due(), seldom.due(), seldom.due()),
            (Some(3), Some(0), None)
        );
    }
}
