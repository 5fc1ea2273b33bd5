//! What holds after any commands whatsoever, in any order.

use proptest::prelude::*;

use super::bench::{Bench, blob, facts, failure, film, header, profile, whole, wish};
use super::rate::sized;
use crate::failure::FailureKind;
use crate::ids::{AttemptId, AttemptNumber, JobId, TaskId, WorkerId};
use crate::plan::{PlanHeader, Way};
use crate::pool::command::Command;
use crate::pool::event::Event;
use crate::pool::task::Observed;
use crate::pool::{Leases, Pool, decide};
use crate::rate::RateAim;

/// A command with small numbers, so that most of them mean something that exists.
fn any_command() -> impl Strategy<Value = Command> {
    let job = (1..4_u64).prop_map(JobId);
    let worker = (1..5_u64).prop_map(WorkerId);
    let attempt = (1..14_u64, 1..4_u32)
        .prop_map(|(task, number)| AttemptId { task: TaskId(task), number: AttemptNumber(number) });
    let kind = prop_oneof![
        Just(FailureKind::Transient),
        Just(FailureKind::Worker),
        Just(FailureKind::Mismatch),
        Just(FailureKind::Task),
    ];
    let pairs = (worker.clone(), attempt.clone());
    prop_oneof![
        1 => Just(Command::CreateJob(Box::new(wish()))),
        1 => prop_oneof![
            Just(RateAim::BitsPerSecond(100_000_000)),
            Just(RateAim::FileBytes(10_000)),
            Just(RateAim::FileBytes(1)),
        ]
        .prop_map(|aim| Command::CreateJob(Box::new(sized(aim)))),
        1 => job.clone().prop_map(Command::CancelJob),
        1 => job.clone().prop_map(Command::PauseJob),
        2 => job.clone().prop_map(Command::ResumeJob),
        3 => job.clone().prop_map(Command::RetryJob),
        1 => job.clone().prop_map(Command::DeleteJob),
        1 => job.prop_map(|job| Command::AbandonSplit { job, reason: "unsafe".to_owned() }),
        4 => (proptest::option::of(worker.clone()), 0..3_u32, any::<bool>()).prop_map(
            |(known, slots, able)| Command::RegisterWorker {
                known,
                profile: profile(slots, if able { &["opus", "x264"] } else { &["opus"] }),
            }
        ),
        1 => worker.clone().prop_map(Command::DrainWorker),
        1 => worker.clone().prop_map(Command::PauseWorker),
        1 => worker.clone().prop_map(|worker| Command::RestWorker { worker, until: u64::MAX }),
        3 => worker.clone().prop_map(Command::ResumeWorker),
        1 => worker.clone().prop_map(Command::ReleaseWorker),
        1 => worker.clone().prop_map(Command::RemoveWorker),
        1 => worker.clone().prop_map(Command::SignOff),
        20 => worker.prop_map(Command::RequestTask),
        5 => pairs.clone().prop_map(|(worker, attempt)| Command::ReportStatus {
            worker,
            attempt,
            frames: 1,
            speed_millifps: 1,
        }),
        8 => (attempt.clone(), any::<bool>(), any::<bool>()).prop_map(
            |(attempt, split, other_streams)| Command::StartPlan {
                attempt,
                facts: Box::new(facts()),
                header: PlanHeader {
                    other_streams,
                    ..header(if split { Way::Segments } else { whole() })
                },
            }
        ),
        8 => (attempt, 0..5_u32)
            .prop_map(|(attempt, count)| Command::ExtendPlan { attempt, segments: film(count) }),
        3 => (pairs, kind).prop_map(|((worker, attempt), kind)| Command::FailTask {
            worker,
            attempt,
            failure: failure(kind),
        }),
        3 => Just(Command::Tick),
    ]
}

/// A step: something said at random, or a running attempt that is delivered, well or not.
#[derive(Debug, Clone)]
enum Step {
    Ask(Command),
    Wait(u64),
    Deliver { which: usize, well: bool, odd: bool },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => any_command().prop_map(Step::Ask),
        1 => (0..20_000_u64).prop_map(Step::Wait),
        3 => (any::<usize>(), proptest::bool::weighted(0.8), proptest::bool::weighted(0.1))
            .prop_map(|(which, well, odd)| Step::Deliver { which, well, odd }),
    ]
}

/// Lets a step happen; the bench checks the invariants. Refusals are fine.
fn step(bench: &mut Bench, step: &Step) {
    match step {
        Step::Ask(command) => drop(bench.try_ask(command)),
        Step::Wait(millis) => bench.wait(*millis),
        Step::Deliver { which, well, odd } => {
            let running: Vec<_> = bench.pool.running().collect();
            let Some(running) = running.get(which % running.len().max(1)) else { return };
            let (worker, attempt) = (running.worker, running.id);
            let mut observed = if *well { bench.good(attempt) } else { Observed::default() };
            if *odd {
                observed.extradata_sha256 = Some("odd".to_owned());
            }
            drop(bench.try_ask(&Command::StoreOutput { worker, attempt, blob: blob(attempt) }));
            drop(bench.try_ask(&Command::FinishTask { worker, attempt, observed }));
        }
    }
}

proptest! {
    #[test]
    fn any_commands_keep_the_invariants_and_replay_to_the_same_pool(
        steps in proptest::collection::vec(any_step(), 0..150)
    ) {
        let mut bench = Bench::empty();
        for each in &steps {
            step(&mut bench, each);
        }
        let mut replayed = Pool::default();
        for event in &bench.stored {
            let text = serde_json::to_string(event).expect("events can be written");
            let read: Event = serde_json::from_str(&text).expect("events can be read again");
            prop_assert_eq!(&read, event);
            replayed.apply(&read);
        }
        prop_assert!(replayed == bench.pool);
    }

    #[test]
    fn a_history_with_holes_stops_no_server_from_starting(
        steps in proptest::collection::vec(any_step(), 0..100),
        kept in proptest::collection::vec(proptest::bool::weighted(0.8), 400)
    ) {
        let mut bench = Bench::empty();
        for each in &steps {
            step(&mut bench, each);
        }
        let mut pool = Pool::default();
        for (event, _) in bench.stored.iter().zip(kept).filter(|(_, kept)| *kept) {
            pool.apply(event);
        }
        // Whatever the pool is now, it can be asked, and what follows can be applied.
        let leases = Leases::adopt(&pool, bench.now);
        for each in &steps {
            let Step::Ask(command) = each else { continue };
            let Ok(decision) = decide(&pool, &leases, bench.now, command) else { continue };
            for event in &decision.events {
                pool.apply(event);
            }
            prop_assert!(decision.events.iter().all(|event| event.at == bench.now));
        }
    }

    #[test]
    fn every_command_may_arrive_twice(steps in proptest::collection::vec(any_step(), 0..100)) {
        let mut bench = Bench::empty();
        for each in &steps {
            step(&mut bench, each);
            if let Step::Ask(command) = each {
                drop(bench.try_ask(command));
            }
        }
    }
}
