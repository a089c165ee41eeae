//! How often flash is written under attack: a stranger tries everything every second for days.

use crate::{
    events::{Ask, Fault, Held, Typed},
    oracle::Violation,
    world::{Keys, World},
};
use latchkey::recovery::Reply;
use latchkey_protocol::Door;

const DAY_S: u32 = 24 * 3600;

/// The most commits of the record a day that a stranger at one door can cause.
const COMMITS_A_DAY: u32 = 48;
/// What a sign-in of the owner at the attacked door can add: it clears the debt, and so opens the
/// short waits at the beginning again.
const COMMITS_A_SIGN_IN: u32 = 14;

/// Everything that could cost a commit each second; once a minute what needs a secret to cost one.
fn attack(world: &mut World<'_>, door: Door, second: u32) -> Result<(), Violation> {
    let session = Held::Forged;
    let asks = [
        Ask::SignIn { right: false },
        Ask::Begin { renew: true, to: 0 },
        Ask::Verify { typed: Typed::Wrong },
        Ask::SetPassword { grant: Held::Forged, weak: false },
        Ask::SetEmail { session, right: false, email: 2, second: false },
        Ask::VerifyPassword { right: false },
    ];
    for &ask in if second.is_multiple_of(60) { &asks[..] } else { &asks[..3] } {
        world.ask(door, ask, Fault::None)?;
        while world.deliver(false, Fault::None)? {}
    }
    world.take_answers();
    world.pass(1);
    Ok(())
}

fn activated(keys: &Keys) -> Result<World<'_>, Violation> {
    let mut world = World::new(keys, 1);
    world.ask(Door::Console, Ask::Activate { email: 1 }, Fault::None)?;
    while world.deliver(false, Fault::None)? {}
    // The dearest case: every notice is queued in the commit of what it tells, and taken at once.
    world.link_is_up = true;
    world.ask(Door::Console, Ask::Platform { session: Held::Newest, on: true }, Fault::None)?;
    world.take_answers();
    Ok(world)
}

fn commits_a_day(keys: &Keys, door: Door, days: u32) -> Result<Vec<u32>, Violation> {
    let mut world = activated(keys)?;
    let mut counts = Vec::new();
    for _ in 0..days {
        let before = world.flash_commits;
        for second in 0..DAY_S {
            attack(&mut world, door, second)?;
        }
        counts.push(world.flash_commits - before);
    }
    Ok(counts)
}

#[test]
fn a_stranger_cannot_wear_out_the_flash() {
    let keys = Keys::draw();
    for (door, days) in [(Door::Lan, 2), (Door::Console, 1)] {
        let counts = commits_a_day(&keys, door, days).unwrap_or_else(|why| panic!("{why:?}"));
        println!("commits of the record a day, everything tried every second at {door:?}: {counts:?}");
        assert!(counts.iter().all(|&count| (1..=COMMITS_A_DAY).contains(&count)), "{counts:?}");
    }
}

#[test]
fn a_stranger_and_a_busy_owner_stay_within_a_bound() {
    let keys = Keys::draw();
    let mut world = activated(&keys).unwrap_or_else(|why| panic!("{why:?}"));
    let before = world.flash_commits;
    let mut sign_ins = 0;
    for s in 0..DAY_S {
        attack(&mut world, Door::Lan, s).unwrap_or_else(|why| panic!("{why:?}"));
        if s % 3600 == 3599 {
            // The stranger lets the owner in once an hour, which is the worst that can be done.
            for _ in 0..3601 {
                let ask = Ask::SignIn { right: true };
                world.ask(Door::Lan, ask, Fault::None).unwrap_or_else(|why| panic!("{why:?}"));
                while world.deliver(false, Fault::None).unwrap_or_else(|why| panic!("{why:?}")) {}
                let answers = world.take_answers();
                if answers.iter().any(|(_, answer)| matches!(answer, Ok(Reply::SignedIn { .. }))) {
                    sign_ins += 1;
                    break;
                }
                world.pass(1);
            }
        }
    }
    let count = world.flash_commits - before;
    println!("commits of the record a day with {sign_ins} sign-ins at the attacked LAN door: {count}");
    assert!(sign_ins >= 20);
    assert!(count <= COMMITS_A_DAY + sign_ins * COMMITS_A_SIGN_IN, "{count}");
}
