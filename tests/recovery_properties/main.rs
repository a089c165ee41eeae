//! The six invariants of recovery, held over random sequences of events: requests at both doors, a
//! stranger at one of them, time, crashes, reboots, clock jumps, failing stores, late hash outcomes.
//!
//! `LATCHKEY_SEQUENCES` sets how many sequences are run (6,000 unless it is set); `LATCHKEY_SEED`
//! the seed of the first one, and of the only one unless both are set. A failure prints its seed and
//! its shortest form, which belongs into `regressions.jsonl` beside this file: those run first.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]
#![allow(missing_docs, unreachable_pub, reason = "a test")]

mod addresses;
mod asked;
mod events;
mod oracle;
mod requests;
mod rules;
mod truth;
mod wear;
mod world;
mod written;

use events::{Event, Fault, Who};
use latchkey::recovery::{Refusal, Reply};
use latchkey_protocol::{ChallengeId, Door};
use oracle::Violation;
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
};
use world::{Keys, World};

const REGRESSIONS: &str = include_str!("regressions.jsonl");

/// A sequence that once failed.
#[derive(serde::Serialize, serde::Deserialize)]
struct Regression {
    why: String,
    seed: u64,
    /// The owner's door, if the sequence is about the two doors being apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    apart: Option<Door>,
    events: Vec<Event>,
}

fn number(name: &str) -> Option<u64> {
    #[allow(clippy::disallowed_methods, reason = "a test's own settings")]
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}

/// The seeds to run: any number of them, from a fixed one on, so that a run can be repeated.
fn seeds(usual: u64) -> std::ops::Range<u64> {
    let first = number("LATCHKEY_SEED");
    let count = number("LATCHKEY_SEQUENCES").unwrap_or(if first.is_some() { 1 } else { usual });
    let first = first.unwrap_or(1);
    first..first + count
}

fn runner(seed: u64) -> TestRunner {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config { failure_persistence: None, ..Config::default() };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes))
}

/// Runs something, a panic being a violation too.
fn judged(run: impl FnOnce() -> Result<(), Violation>) -> Result<(), Violation> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(Violation(format!("a panic: {}", text.unwrap_or_default())))
    })
}

/// Draws and runs a sequence a seed on every core; the first failure is made as short as it gets.
fn for_each_seed<S: Strategy>(
    usual: u64,
    strategy: impl Fn() -> S + Sync,
    run: impl Fn(&S::Value, u64) -> Result<(), Violation> + Sync,
    describe: impl Fn(S::Value, u64, String) -> Regression + Sync,
) {
    let seeds = seeds(usual);
    let next = AtomicU64::new(seeds.start);
    let work = || -> Option<Regression> {
        let strategy = strategy();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= seeds.end {
                return None;
            }
            let mut tree = strategy.new_tree(&mut runner(seed)).unwrap();
            let Err(mut why) = judged(|| run(&tree.current(), seed)) else { continue };
            next.store(seeds.end, Ordering::Relaxed);
            let mut shortest = tree.current();
            let mut moved = tree.simplify();
            while moved {
                match judged(|| run(&tree.current(), seed)) {
                    Err(again) => {
                        (why, shortest) = (again, tree.current());
                        moved = tree.simplify();
                    }
                    Ok(()) => moved = tree.complicate(),
                }
            }
            return Some(describe(shortest, seed, why.0));
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let failure = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap()).min_by_key(|r| r.seed)
    });
    if let Some(failure) = failure {
        let events: String = failure.events.iter().map(|event| format!("  {event:?}\n")).collect();
        panic!(
            "{}\nLATCHKEY_SEED={} replays it; the shortest form:\n{events}for regressions.jsonl:\n{}",
            failure.why,
            failure.seed,
            serde_json::to_string(&failure).unwrap(),
        );
    }
}

/// How often each kind of answer was given.
type Tally = Mutex<BTreeMap<String, u64>>;

/// What must have been answered in a normal run, or the sequences do not reach what they are for.
const REACHED: [&str; 37] = [
    "EmailConfirmed",
    "Platform",
    "NoSuchEmail",
    "SameEmail",
    "NoChallenge(Confirmed)",
    "Activated",
    "SignedIn",
    "SignedOut",
    "PasswordChanged",
    "ReservedEmails",
    "ReservedEmailSet",
    "Challenge",
    "CodeAccepted",
    "PasswordReset",
    "PasswordIsRight",
    "FactoryResetDone",
    "Description",
    "NotActive",
    "AlreadyActive",
    "NotSignedIn",
    "WrongPassword",
    "Throttled",
    "WeakPassword",
    "NoEmail",
    "NoChallenge(NeverAsked)",
    "NoChallenge(Expired)",
    "NoChallenge(Rebooted)",
    "NoChallenge(EmailChanged)",
    "NoChallenge(PasswordChanged)",
    "NoChallenge(TooManyTries)",
    "WrongCode",
    "GrantOver",
    "ConsoleOnly",
    "Busy",
    "Superseded",
    "StorageFailed",
    "Unavailable",
];

fn kind(result: &Result<Reply, Refusal>) -> String {
    let text = match result {
        Ok(Reply::Challenge(_)) => return "Challenge".into(),
        Ok(reply) => format!("{reply:?}"),
        Err(refusal @ Refusal::NoChallenge(_)) => return format!("{refusal:?}"),
        Err(refusal) => format!("{refusal:?}"),
    };
    text.chars().take_while(|c| c.is_alphanumeric()).collect()
}

fn run_sequence(keys: &Keys, events: &[Event], seed: u64, tally: &Tally) -> Result<(), Violation> {
    let mut world = World::new(keys, seed);
    for event in events {
        world.happen(event)?;
    }
    world.finish()?;
    let mut tally = tally.lock().unwrap();
    for (_, result) in world.take_answers() {
        *tally.entry(kind(&result)).or_default() += 1;
    }
    Ok(())
}

#[test]
fn invariants_hold_over_sequences() {
    let (keys, tally) = (Keys::draw(), Tally::default());
    for_each_seed(
        6_000,
        events::sequences,
        |events, seed| run_sequence(&keys, events, seed, &tally),
        |events, seed, why| Regression { why, seed, apart: None, events },
    );
    let tally = tally.into_inner().unwrap();
    println!("{tally:#?}");
    if tally.values().sum::<u64>() > 100_000 {
        let missed: Vec<_> = REACHED.into_iter().filter(|kind| !tally.contains_key(*kind)).collect();
        assert!(missed.is_empty(), "no sequence was answered {missed:?}");
    }
}

/// An answer without what is drawn at random; a challenge by whether it is another than the last.
fn shape(result: &Result<Reply, Refusal>, last: &mut Option<ChallengeId>, door: Door) -> String {
    match result {
        Ok(Reply::Challenge(view)) => {
            let is_new = last.replace(view.id) != Some(view.id);
            let waits = (view.valid_s, view.tries_left, view.renew_wait_s);
            format!("challenge at {:?}, new {is_new}, {waits:?}", view.door)
        }
        Ok(Reply::Description(description)) => {
            let mut description = description.clone();
            description.pending_doors.retain(|&pending| pending == door);
            format!("{description:?}")
        }
        other => format!("{other:?}"),
    }
}

/// The owner's answers at one door, each awaited before the next event. At most this many of the
/// stranger's hash jobs may run first: one that runs already at the console, which goes first.
fn owners_answers(keys: &Keys, events: &[Event], seed: u64, door: Door) -> Result<Vec<String>, Violation> {
    let mut world = World::new(keys, seed);
    let mut last = None;
    let mut answers = Vec::new();
    for event in events {
        let Event::Ask { who: Who::Owner, door: at, ask, fault } = event else {
            world.happen(event)?;
            continue;
        };
        let id = world.ask(*at, *ask, *fault)?;
        let mut before = 0;
        let answer = loop {
            let found = world.take_answers().into_iter().find(|(answered, _)| *answered == id);
            if let Some((_, answer)) = found {
                break answer;
            }
            if !world.deliver(false, Fault::None)? {
                return Err(Violation(format!("no answer to {ask:?}")));
            }
            before += 1;
        };
        // The owner's own jobs: two for a change of the password. The rest are the stranger's.
        let most = if door == Door::Console { 3 } else { 2 + 5 };
        oracle::require(before <= most, || format!("{before} jobs before the answer to {ask:?}"))?;
        answers.push(format!("{ask:?} -> {}", shape(&answer, &mut last, door)));
    }
    Ok(answers)
}

fn compare_doors(keys: &Keys, door: Door, events: &[Event], seed: u64) -> Result<(), Violation> {
    let with = owners_answers(keys, events, seed, door)?;
    let without = owners_answers(keys, &oracle::without_stranger(events), seed, door)?;
    let pair = with.iter().zip(&without).find(|(with, without)| with != without);
    match pair {
        None => Ok(()),
        Some((with, without)) => {
            Err(Violation(format!("with a stranger at the other door: {with}\nwithout: {without}")))
        }
    }
}

/// Invariant 6, the other way round: take the stranger at one door away, and the owner at the other
/// door is answered the same.
#[test]
fn a_stranger_at_one_door_changes_no_answer_at_the_other() {
    let keys = Keys::draw();
    for_each_seed(
        3_000,
        events::apart,
        |(door, events), seed| compare_doors(&keys, *door, events, seed),
        |(door, events), seed, why| Regression { why, seed, apart: Some(door), events },
    );
}

#[test]
fn sequences_that_once_failed_pass() {
    let (keys, tally) = (Keys::draw(), Tally::default());
    for line in REGRESSIONS.lines() {
        let once: Regression = serde_json::from_str(line).unwrap();
        let verdict = judged(|| match once.apart {
            None => run_sequence(&keys, &once.events, once.seed, &tally),
            Some(door) => compare_doors(&keys, door, &once.events, once.seed),
        });
        assert_eq!(verdict, Ok(()), "again: {}", once.why);
    }
}
