//! What can happen in a sequence, and how sequences are drawn.

use latchkey_protocol::Door;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// Who acts: the stranger knows no password, code or token, and acts at one door only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Who {
    Owner,
    Stranger,
}

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Someone asks.
    Ask { who: Who, door: Door, ask: Ask, fault: Fault },
    /// The stranger asks many times, with a pause before each.
    Siege { door: Door, ask: Ask, times: u8, pause_s: u32 },
    /// The outcome of the hash job that runs comes in, or hashing fails.
    Deliver { fails: bool, fault: Fault },
    /// Time passes.
    Pass { s: u32 },
    /// The daemon is killed and started again.
    Crash,
    /// The device is rebooted: another boot id, a boot clock near zero, and an empty tmpfs; or
    /// one that is no tmpfs, against all checks, and keeps its files.
    Reboot { files_stay: bool },
    /// The cloud takes the notices that wait, or all but the newest.
    Sent { all: bool, fault: Fault },
    /// The wall clock is set.
    Wall { unix_s: i64 },
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ask {
    Activate {
        email: u8,
    },
    SignIn {
        right: bool,
    },
    VerifyPassword {
        right: bool,
    },
    SignOut {
        session: Held,
    },
    ChangePassword {
        session: Held,
        right: bool,
        weak: bool,
    },
    /// The address's number, zero being none; one of the two reserved emails.
    SetEmail {
        session: Held,
        right: bool,
        email: u8,
        #[serde(default)]
        second: bool,
    },
    /// A code that confirms one of the two.
    Confirm {
        session: Held,
        second: bool,
        renew: bool,
    },
    ViewConfirm {
        session: Held,
    },
    TypeConfirm {
        session: Held,
        typed: Typed,
    },
    /// Platform access, on or off.
    Platform {
        session: Held,
        on: bool,
    },
    ReservedEmails {
        session: Held,
    },
    /// To the address of this number; zero says none.
    Begin {
        renew: bool,
        #[serde(default)]
        to: u8,
    },
    View,
    Verify {
        typed: Typed,
    },
    SetPassword {
        grant: Held,
        weak: bool,
    },
    FactoryReset,
    Describe,
}

/// Which session or grant is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// The newest that this door gave.
    Newest,
    /// The one before.
    Older,
    /// The newest that the other door gave.
    OtherDoor,
    /// Made up.
    Forged,
}

/// Which code is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Typed {
    Right,
    Wrong,
    /// The one of the challenge before.
    Earlier,
    OtherDoor,
    /// The right one for the other aim.
    OtherAim,
}

/// What goes wrong while an event's durable effects are carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Fault {
    None,
    /// The durable effect of this number fails; it took hold or not.
    Fails {
        at: u8,
        took_hold: bool,
    },
    /// The daemon dies there.
    Crash {
        at: u8,
        took_hold: bool,
    },
    /// The power is cut there.
    PowerCut {
        at: u8,
        took_hold: bool,
    },
}

/// The other door.
pub fn other(door: Door) -> Door {
    match door {
        Door::Console => Door::Lan,
        Door::Lan => Door::Console,
    }
}

/// Sequences with a stranger at one door and the owner at both.
pub fn sequences() -> impl Strategy<Value = Vec<Event>> {
    door().prop_flat_map(|stranger| {
        let event = prop_oneof![
            30 => (door(), owner(), fault())
                .prop_map(|(door, ask, fault)| Event::Ask { who: Who::Owner, door, ask, fault }),
            12 => (Just(stranger), stranger_asks(), fault())
                .prop_map(|(door, ask, fault)| Event::Ask { who: Who::Stranger, door, ask, fault }),
            1 => siege(stranger),
            18 => (prop::bool::weighted(0.03), fault())
                .prop_map(|(fails, fault)| Event::Deliver { fails, fault }),
            14 => pass(),
            2 => (any::<bool>(), fault()).prop_map(|(all, fault)| Event::Sent { all, fault }),
            2 => Just(Event::Crash),
            2 => prop::bool::weighted(0.3).prop_map(|files_stay| Event::Reboot { files_stay }),
            1 => wall(),
        ];
        activated(prop_oneof![20 => event.prop_map(|event| vec![event]), 2 => journey(), 1 => crowd()])
    })
}

/// Sequences in which the owner keeps to one door and the stranger to the other.
pub fn apart() -> impl Strategy<Value = (Door, Vec<Event>)> {
    door().prop_flat_map(|stranger| {
        let event = prop_oneof![
            30 => owner().prop_map(move |ask| {
                Event::Ask { who: Who::Owner, door: other(stranger), ask, fault: Fault::None }
            }),
            25 => (Just(stranger), stranger_asks())
                .prop_map(|(door, ask)| Event::Ask { who: Who::Stranger, door, ask, fault: Fault::None }),
            2 => siege(stranger),
            12 => pass(),
            1 => Just(Event::Crash),
            1 => Just(Event::Reboot { files_stay: false }),
            1 => wall(),
        ];
        let event = event.prop_map(|event| vec![event]);
        activated(event).prop_map(move |events| (other(stranger), events))
    })
}

/// More sign-ins at once than a door has room for.
fn crowd() -> impl Strategy<Value = Vec<Event>> {
    let ask = Ask::SignIn { right: true };
    door().prop_map(move |door| vec![Event::Ask { who: Who::Owner, door, ask, fault: Fault::None }; 6])
}

/// What an owner does in one go: blind chance seldom puts the right steps in a row.
fn journey() -> impl Strategy<Value = Vec<Event>> {
    let newest = Held::Newest;
    let reset = [
        Ask::Begin { renew: false, to: 0 },
        Ask::Verify { typed: Typed::Right },
        Ask::SetPassword { grant: newest, weak: false },
    ];
    let enter = [Ask::SignIn { right: true }];
    let set = |email, second| Ask::SetEmail { session: newest, right: true, email, second };
    let email = [Ask::SignIn { right: true }, set(1, false), set(2, true)];
    let confirm = move |second| {
        [
            Ask::SignIn { right: true },
            Ask::Confirm { session: newest, second, renew: false },
            Ask::TypeConfirm { session: newest, typed: Typed::Right },
        ]
    };
    let platform = [Ask::SignIn { right: true }, Ask::Platform { session: newest, on: true }];
    let change =
        [Ask::SignIn { right: true }, Ask::ChangePassword { session: newest, right: true, weak: false }];
    let steps = prop_oneof![
        4 => Just(reset.to_vec()), 1 => Just(enter.to_vec()), 2 => Just(email.to_vec()), 1 => Just(change.to_vec()),
        3 => any::<bool>().prop_map(move |second| confirm(second).to_vec()), 1 => Just(platform.to_vec()),
    ];
    (door(), steps, prop::collection::vec(fault(), 6)).prop_map(|(door, steps, faults)| {
        let mut faults = faults.into_iter().chain(std::iter::repeat(Fault::None));
        let mut events = Vec::new();
        for ask in steps {
            let hashes = match ask {
                Ask::Begin { .. }
                | Ask::Verify { .. }
                | Ask::Confirm { .. }
                | Ask::TypeConfirm { .. }
                | Ask::Platform { .. } => 0,
                Ask::ChangePassword { .. } => 2,
                _ => 1,
            };
            let mut fault = || faults.next().unwrap_or(Fault::None);
            events.push(Event::Ask { who: Who::Owner, door, ask, fault: fault() });
            events.extend((0..hashes).map(|_| Event::Deliver { fails: false, fault: fault() }));
        }
        events
    })
}

/// Most sequences begin with an active device that has a reserved email.
fn activated(events: impl Strategy<Value = Vec<Event>>) -> impl Strategy<Value = Vec<Event>> {
    (prop::bool::weighted(0.95), prop::collection::vec(events, 1..44)).prop_map(|(active, events)| {
        let mut events = events.concat();
        if active {
            let ask = Ask::Activate { email: 1 };
            let first = Event::Ask { who: Who::Owner, door: Door::Console, ask, fault: Fault::None };
            events.splice(0..0, [first, Event::Deliver { fails: false, fault: Fault::None }]);
        }
        events
    })
}

fn door() -> impl Strategy<Value = Door> {
    prop_oneof![Just(Door::Console), Just(Door::Lan)]
}

fn held() -> impl Strategy<Value = Held> {
    prop_oneof![12 => Just(Held::Newest), 1 => Just(Held::Older), 1 => Just(Held::OtherDoor), 1 => Just(Held::Forged)]
}

fn owner() -> impl Strategy<Value = Ask> {
    let right = || prop::bool::weighted(0.7);
    let weak = || prop::bool::weighted(0.15);
    prop_oneof![
        2 => (0..3_u8).prop_map(|email| Ask::Activate { email }),
        6 => right().prop_map(|right| Ask::SignIn { right }),
        2 => right().prop_map(|right| Ask::VerifyPassword { right }),
        1 => held().prop_map(|session| Ask::SignOut { session }),
        3 => (held(), right(), weak())
            .prop_map(|(session, right, weak)| Ask::ChangePassword { session, right, weak }),
        4 => (held(), right(), 0..4_u8, any::<bool>())
            .prop_map(|(session, right, email, second)| Ask::SetEmail { session, right, email, second }),
        5 => (held(), prop::bool::weighted(0.3), prop::bool::weighted(0.2))
            .prop_map(|(session, second, renew)| Ask::Confirm { session, second, renew }),
        1 => held().prop_map(|session| Ask::ViewConfirm { session }),
        6 => (held(), typed()).prop_map(|(session, typed)| Ask::TypeConfirm { session, typed }),
        1 => (held(), prop::bool::weighted(0.7)).prop_map(|(session, on)| Ask::Platform { session, on }),
        1 => held().prop_map(|session| Ask::ReservedEmails { session }),
        10 => (prop::bool::weighted(0.25), prop_oneof![4 => Just(0_u8), 1 => 1..3_u8])
            .prop_map(|(renew, to)| Ask::Begin { renew, to }),
        4 => Just(Ask::View),
        14 => typed().prop_map(|typed| Ask::Verify { typed }),
        7 => (held(), weak()).prop_map(|(grant, weak)| Ask::SetPassword { grant, weak }),
        1 => prop::bool::weighted(0.2).prop_map(|now| if now { Ask::FactoryReset } else { Ask::Describe }),
        1 => Just(Ask::Describe),
    ]
}

fn typed() -> impl Strategy<Value = Typed> {
    prop_oneof![
        6 => Just(Typed::Right), 5 => Just(Typed::Wrong), 1 => Just(Typed::Earlier), 2 => Just(Typed::OtherDoor),
        2 => Just(Typed::OtherAim)
    ]
}

fn stranger_asks() -> impl Strategy<Value = Ask> {
    let session = Held::Forged;
    prop_oneof![
        4 => Just(Ask::SignIn { right: false }),
        1 => Just(Ask::VerifyPassword { right: false }),
        1 => Just(Ask::ChangePassword { session, right: false, weak: false }),
        1 => Just(Ask::SetEmail { session, right: false, email: 2, second: false }),
        1 => Just(Ask::Confirm { session, second: false, renew: true }),
        1 => Just(Ask::TypeConfirm { session, typed: Typed::Wrong }),
        1 => Just(Ask::Platform { session, on: false }),
        5 => (any::<bool>(), 0..3_u8).prop_map(|(renew, to)| Ask::Begin { renew, to }),
        2 => Just(Ask::View),
        5 => Just(Ask::Verify { typed: Typed::Wrong }),
        1 => Just(Ask::SetPassword { grant: Held::Forged, weak: false }),
        1 => Just(Ask::Describe),
    ]
}

fn siege(door: Door) -> impl Strategy<Value = Event> {
    let ask = prop_oneof![
        3 => Just(Ask::SignIn { right: false }),
        1 => Just(Ask::Begin { renew: true, to: 0 }),
        3 => Just(Ask::Verify { typed: Typed::Wrong }),
    ];
    (ask, 2..12_u8, prop_oneof![Just(0_u32), Just(1), Just(60), Just(3600)])
        .prop_map(move |(ask, times, pause_s)| Event::Siege { door, ask, times, pause_s })
}

fn pass() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => 0..40_u32,
        3 => prop::sample::select(vec![29_u32, 30, 31, 60, 120, 599, 600, 601, 899, 900, 1800]),
        2 => 1800..8000_u32,
        2 => prop::sample::select(vec![43_199_u32, 43_201, 86_400, 172_799, 172_800, 172_801, 400_000]),
    ]
    .prop_map(|s| Event::Pass { s })
}

fn wall() -> impl Strategy<Value = Event> {
    prop_oneof![Just(0_i64), Just(2_147_483_648), Just(-1), Just(1_800_000_000), Just(i64::MAX)]
        .prop_map(|unix_s| Event::Wall { unix_s })
}

fn fault() -> impl Strategy<Value = Fault> {
    let place = || (0..4_u8, any::<bool>());
    prop_oneof![
        40 => Just(Fault::None),
        2 => place().prop_map(|(at, took_hold)| Fault::Fails { at, took_hold }),
        2 => place().prop_map(|(at, took_hold)| Fault::Crash { at, took_hold }),
        1 => place().prop_map(|(at, took_hold)| Fault::PowerCut { at, took_hold }),
    ]
}
