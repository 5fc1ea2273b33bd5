//! Looks for changes of scene while an analysis goes on: which looks are wanted, which go on, what was seen.
//!
//! Must not know how that is reported.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use segenc_core::plan::Look;
use segenc_media::{Attempt, LookedAt, WorkError, look_for_scene};

/// Looks that go on at once. Each takes up to two processors, for some tenths of a second, beside whatever else this
/// worker does; the film's beginning waits for the first of them.
const AT_ONCE: usize = 3;
/// A look that fails is tried once more: the way to the server may have been broken for a moment.
const TRIALS: u32 = 2;

/// What was seen at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sight {
    /// The look's name: its last picture.
    pub(crate) until: i64,
    /// The first picture of a new scene.
    pub(crate) scene: Option<i64>,
}

/// The looks of one analysis.
pub(crate) struct Looking<'a> {
    attempt: &'a Attempt<'a>,
    at: LookedAt<'a>,
    /// Those that wait, go on, or are about to be told once more.
    under_way: BTreeSet<i64>,
    /// What was seen: a server that was started anew asks again.
    seen: BTreeMap<i64, Option<i64>>,
    waiting: VecDeque<Look>,
    open: FuturesUnordered<BoxFuture<'a, Result<Sight, WorkError>>>,
}

impl<'a> Looking<'a> {
    pub(crate) fn new(attempt: &'a Attempt<'a>, at: LookedAt<'a>) -> Self {
        Self {
            attempt,
            at,
            under_way: BTreeSet::new(),
            seen: BTreeMap::new(),
            waiting: VecDeque::new(),
            open: FuturesUnordered::new(),
        }
    }

    /// These looks are wanted.
    pub(crate) fn want(&mut self, looks: Vec<Look>) {
        for look in looks {
            if !self.under_way.insert(look.until) {
                continue;
            }
            match self.seen.get(&look.until) {
                Some(scene) => {
                    let sight = Sight { until: look.until, scene: *scene };
                    self.open.push(Box::pin(std::future::ready(Ok(sight))));
                }
                None => self.waiting.push_back(look),
            }
        }
        self.begin();
    }

    /// Whether some look goes on.
    pub(crate) fn goes_on(&self) -> bool {
        !self.open.is_empty()
    }

    /// Waits for the next look to end; never ends when none goes on.
    pub(crate) async fn next(&mut self) -> Result<Sight, WorkError> {
        let Some(sight) = self.open.next().await else { return std::future::pending().await };
        let sight = sight?;
        self.under_way.remove(&sight.until);
        self.seen.insert(sight.until, sight.scene);
        self.begin();
        Ok(sight)
    }

    fn begin(&mut self) {
        while self.open.len() < AT_ONCE
            && let Some(look) = self.waiting.pop_front()
        {
            self.open.push(Box::pin(see(self.attempt, self.at, look)));
        }
    }
}

/// A look at what cannot be read sees nothing: the film is then cut elsewhere, and what is wrong with it will show
/// there. One that was killed or cut off is taken again; where that does not help, another worker looks, since
/// the plan must not depend on it.
async fn see(attempt: &Attempt<'_>, at: LookedAt<'_>, look: Look) -> Result<Sight, WorkError> {
    let mut trial = 1;
    loop {
        match WorkError::or_nothing(look_for_scene(attempt, at, &look).await) {
            Ok(scene) => return Ok(Sight { until: look.until, scene: scene.flatten() }),
            Err(WorkError::Failed(failure)) if trial < TRIALS => {
                tracing::warn!(trial, until = look.until, "{}", failure.message);
                trial += 1;
            }
            Err(error) => return Err(error),
        }
    }
}
