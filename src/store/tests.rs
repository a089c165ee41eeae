//! The store on a disk that fails and loses power everywhere, and on the real filesystem.
#![allow(clippy::unwrap_used, reason = "tests")]

pub(crate) mod failing_disk;
mod records;

use super::{Change, Files, Finding, Store, disk::RealDisk, format};
use crate::recovery::{
    Aim, BootId, Debt, Pending, Place, Record, ReservedEmail, Stored, StoredPending, StoredRecord, Which,
};
use failing_disk::{Disks, FailingDisk, MODELS, Plan};
use latchkey_protocol::{Address, ChallengeId, Door, Life, SealedChallenge};
use nix::libc::{EIO, ENOSPC, EROFS};
use std::{fs, os::unix::fs::PermissionsExt, path::Path};

fn record(epoch: u32) -> Record {
    Record {
        life: Life([1; 4]),
        challenge_counter: epoch,
        password_phc: format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$hash-number-{epoch}"),
        password_epoch: epoch,
        emails: vec![ReservedEmail { address: Address::parse("o@example.com").unwrap(), confirmed: false }],
        email_epoch: epoch,
        console: Debt::default(),
        lan: Debt {
            sign_in_failures: 3,
            reset_tries: 5,
            issued_in: Some(BootId([9; 16])),
            ..Debt::default()
        },
        hooks_owed: false,
        reset_to_tell: None,
        platform: crate::recovery::PlatformSettings::default(),
        notices: Vec::new(),
    }
}

fn reset(door: Door) -> Place {
    Place { door, aim: Aim::Reset }
}

fn pending(door: Door, tries_left: u32) -> Pending {
    Pending {
        id: ChallengeId([4; 16]),
        door,
        aim: Aim::Reset,
        to: Which::Primary,
        life: Life([1; 4]),
        code_salt: [5; 16],
        code_hash: [6; 32],
        sealed: SealedChallenge::from_bytes(vec![7; 247]).unwrap(),
        boot_id: BootId([9; 16]),
        issued_boottime_ms: 1000,
        password_epoch: 1,
        email_epoch: 1,
        tries_left,
    }
}

fn commit(epoch: u32) -> Change {
    Change::CommitRecord(Box::new(record(epoch)))
}

fn write(door: Door, tries_left: u32) -> Change {
    Change::WritePending(Box::new(pending(door, tries_left)))
}

fn erase(door: Door) -> Change {
    Change::ErasePending(reset(door))
}

const CONFIRMING: Place = Place { door: Door::Lan, aim: Aim::Confirm };

fn confirming(tries_left: u32) -> Change {
    let mut pending = pending(Door::Lan, tries_left);
    (pending.aim, pending.to) = (Aim::Confirm, Which::Second);
    Change::WritePending(Box::new(pending))
}

fn erase_confirming() -> Change {
    Change::ErasePending(CONFIRMING)
}

/// A name, what is stored before, and the changes of one step.
struct Action {
    name: &'static str,
    before: Vec<Change>,
    changes: Vec<Change>,
}

/// Every kind of step that the heart makes.
fn actions() -> Vec<Action> {
    let live = || vec![commit(1), write(Door::Console, 5), write(Door::Lan, 5)];
    let action = |name, before, changes| Action { name, before, changes };
    vec![
        action("activation", vec![], vec![commit(1)]),
        action("activation after a factory reset", vec![commit(1), Change::EraseRecord], vec![commit(1)]),
        action("charge of failed sign-ins", vec![commit(1)], vec![commit(2)]),
        action("begin of a reset", vec![commit(1)], vec![commit(2), write(Door::Lan, 5)]),
        action("new QR", live(), vec![commit(2), write(Door::Lan, 4)]),
        action("begin of a confirmation", live(), vec![commit(2), confirming(5)]),
        action("confirmed", vec![commit(1), confirming(5)], vec![commit(2), erase_confirming()]),
        action("charge of a try", live(), vec![write(Door::Console, 4)]),
        action("end of a challenge", live(), vec![erase(Door::Lan)]),
        action("change of the email", live(), vec![commit(2), erase(Door::Console), erase(Door::Lan)]),
        action("new password", live(), vec![commit(2), erase(Door::Console), erase(Door::Lan)]),
        action("factory reset", live(), vec![Change::EraseRecord, erase(Door::Console), erase(Door::Lan)]),
    ]
}

fn open(disks: &Disks) -> (Files<FailingDisk, FailingDisk>, Stored, Vec<Finding>) {
    let mut store = Files::new(disks.flash.clone(), disks.runtime.clone());
    let loaded = store.load();
    (store, loaded.stored, loaded.findings)
}

/// What is stored after each beginning of the changes: none, the first, the first two, all.
fn beginnings(action: &Action) -> Vec<Stored> {
    let disks = prepared(&action.before);
    let (mut store, before, _) = open(&disks);
    let mut states = vec![before];
    for change in &action.changes {
        store.carry_out(std::slice::from_ref(change)).unwrap();
        states.push(store.settled());
    }
    states
}

fn prepared(before: &[Change]) -> Disks {
    let disks = Disks::new();
    let (mut store, _, _) = open(&disks);
    for change in before {
        store.carry_out(std::slice::from_ref(change)).unwrap();
    }
    disks
}

/// Carries out an action on a machine with a plan. Gives the machine, the store and the outcome.
fn carried_out(
    action: &Action,
    plan: Plan,
) -> (Disks, Files<FailingDisk, FailingDisk>, Result<(), super::StoreError>) {
    let disks = prepared(&action.before);
    let (mut store, _, _) = open(&disks);
    disks.plan(plan);
    let outcome = store.carry_out(&action.changes);
    (disks, store, outcome)
}

fn count_operations(action: &Action) -> u64 {
    let (disks, _, outcome) = carried_out(action, Plan::Nothing);
    outcome.unwrap();
    disks.count()
}

fn without_pendings(stored: &Stored) -> Stored {
    Stored::of(stored.record.clone())
}

/// The device works: the next change is stored and found.
fn works(disks: &Disks, name: &str) {
    let (mut store, _, _) = open(disks);
    store.carry_out(&[commit(7), write(Door::Lan, 3)]).unwrap();
    let (_, found, findings) = open(disks);
    assert_eq!(found.record, StoredRecord::Whole(Box::new(record(7))), "{name}");
    assert_eq!(findings, [], "{name}");
}

#[test]
fn a_power_cut_anywhere_leaves_the_old_or_the_new_record() {
    let (mut cuts, mut machines) = (0, 0);
    for action in actions() {
        let allowed: Vec<Stored> = beginnings(&action).iter().map(without_pendings).collect();
        for at in 1..=count_operations(&action) {
            let (disks, _, outcome) = carried_out(&action, Plan::Stop { at });
            assert!(outcome.is_err(), "{}: success though the power was cut", action.name);
            cuts += 1;
            for model in MODELS {
                for machine in disks.after_power_cut(model) {
                    let name = format!("{}, cut at {at}, {model:?}", action.name);
                    let (_, found, _) = open(&machine);
                    assert!(allowed.contains(&found), "{name}: {found:?}");
                    // What was found counts from then on: another cut at once must not take it back.
                    for again in machine.after_power_cut(model) {
                        assert_eq!(open(&again).1, found, "{name}: went back");
                    }
                    works(&machine, &name);
                    machines += 1;
                }
            }
        }
    }
    println!(
        "power cuts: {cuts} operations under {} disk models: {machines} machines came up, 0 violations",
        MODELS.len()
    );
    assert!(cuts > 100 && machines > 1000, "{cuts} {machines}");
}

#[test]
fn a_power_cut_after_success_takes_nothing_back() {
    for action in actions() {
        let (disks, _, outcome) = carried_out(&action, Plan::Nothing);
        outcome.unwrap();
        let all = beginnings(&action).pop().unwrap();
        assert_eq!(open(&disks.after_kill()).1, all, "{}", action.name);
        for model in MODELS {
            for machine in disks.after_power_cut(model) {
                assert_eq!(open(&machine).1, without_pendings(&all), "{}", action.name);
            }
        }
    }
}

#[test]
fn a_kill_anywhere_leaves_a_beginning_of_the_step_and_keeps_the_challenges() {
    let mut kills = 0;
    for action in actions() {
        let allowed = beginnings(&action);
        for at in 1..=count_operations(&action) {
            let (disks, _, outcome) = carried_out(&action, Plan::Stop { at });
            assert!(outcome.is_err());
            let machine = disks.after_kill();
            let (_, found, _) = open(&machine);
            assert!(allowed.contains(&found), "{} killed at {at}: {found:?}", action.name);
            for model in MODELS {
                for again in machine.after_power_cut(model) {
                    assert_eq!(open(&again).1, without_pendings(&found), "{} at {at}", action.name);
                }
            }
            works(&machine, action.name);
            kills += 1;
        }
    }
    println!("kills: {kills} operations, 0 violations");
    assert!(kills > 100, "{kills}");
}

/// A repair is made of the same operations, and a cut in it costs nothing either.
#[test]
fn a_power_cut_during_the_repair_loses_nothing() {
    let mut cuts = 0;
    let action = Action { name: "commit", before: vec![commit(1)], changes: vec![commit(2)] };
    for at in 1..=count_operations(&action) {
        let (disks, _, _) = carried_out(&action, Plan::Stop { at });
        for machine in disks.after_power_cut(failing_disk::CrashModel::Reordered) {
            let expected = open(&machine.after_kill()).1.record;
            for cut_at in 1.. {
                let repaired = machine.after_kill();
                repaired.plan(Plan::Stop { at: cut_at });
                let _ = open(&repaired);
                if repaired.count() < cut_at {
                    break;
                }
                for model in MODELS {
                    for again in repaired.after_power_cut(model) {
                        assert_eq!(open(&again).1.record, expected, "cut at {at}, repair cut at {cut_at}");
                    }
                }
                cuts += 1;
            }
        }
    }
    println!("power cuts during repair: {cuts}, 0 violations");
    assert!(cuts > 30, "{cuts}");
}

#[test]
fn an_error_anywhere_is_never_a_success_and_leaves_the_old_state_in_force() {
    let (mut once, mut lasting) = (0, 0);
    for action in actions() {
        let states = beginnings(&action);
        let (old, operations) = (&states[0], count_operations(&action));
        for at in 1..=operations {
            for errno in [EIO, ENOSPC, EROFS] {
                for for_good in [false, true] {
                    for lands in [false, true] {
                        let plan = Plan::Fail { at, errno, for_good, lands };
                        let name = format!("{}: {plan:?}", action.name);
                        let (disks, mut store, outcome) = carried_out(&action, plan);
                        let error = outcome.expect_err(&name);
                        assert_eq!(&store.settled(), old, "{name}");
                        let found = open(&disks.after_kill()).1;
                        if error.put_back {
                            assert_eq!(&found, old, "{name}: said to be put back");
                        }
                        if for_good {
                            assert!(states.contains(&found), "{name}: {found:?}");
                            lasting += 1;
                            continue;
                        }
                        assert!(error.put_back, "{name}: {error}");
                        for model in MODELS {
                            for machine in disks.after_power_cut(model) {
                                assert_eq!(open(&machine).1, without_pendings(old), "{name} {model:?}");
                            }
                        }
                        // The same process goes on: the disk is well again.
                        store.carry_out(&action.changes).unwrap();
                        assert_eq!(&open(&disks.after_kill()).1, states.last().unwrap(), "{name}");
                        once += 1;
                    }
                }
            }
        }
    }
    println!("errors: {once} once and {lasting} for good, 0 false successes");
    assert!(once > 500 && lasting > 500, "{once} {lasting}");
}

#[test]
fn one_damaged_copy_is_used_around_said_and_repaired() {
    for (bad, good) in [("account.a", "account.b"), ("account.b", "account.a")] {
        let whole = prepared(&[commit(1), commit(2)]).flash_file(bad).unwrap();
        let mut damages: Vec<Vec<u8>> = (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect();
        damages.extend((0..whole.len() * 8).map(|bit| {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        }));
        damages.push(vec![0; whole.len()]);
        damages.push(b"x".repeat(1 << 20));
        for damage in damages {
            let disks = prepared(&[commit(1), commit(2)]);
            disks.spoil(bad, &damage);
            let (_, found, findings) = open(&disks);
            assert_eq!(found.record, StoredRecord::Whole(Box::new(record(2))));
            let said =
                |finding: &Finding| matches!(finding, Finding::CopyNotWhole { file, .. } if *file == bad);
            assert!(findings.iter().any(said), "{findings:?}");
            assert_eq!(disks.flash_file(bad), disks.flash_file(good));
            assert_eq!(open(&disks).2, []);
        }
    }
}

#[test]
fn both_copies_damaged_is_said_at_every_start_and_a_factory_reset_is_the_way_out() {
    let disks = prepared(&[commit(1), write(Door::Console, 5)]);
    disks.spoil("account.a", b"damaged one way");
    disks.spoil("account.b", b"damaged another way");
    for start in 0..3 {
        let (_, found, findings) = open(&disks.after_power_cut(MODELS[0]).remove(0));
        assert_eq!(found.record, StoredRecord::Damaged);
        assert!(matches!(findings[0], Finding::BothDamaged { .. }), "{start}: {findings:?}");
        let (_, found, findings) = open(&disks);
        assert_eq!(found.record, StoredRecord::Damaged);
        let kept = findings.iter().filter(|f| matches!(f, Finding::KeptAside { .. })).count();
        assert_eq!(kept, if start == 0 { 2 } else { 0 }, "{findings:?}");
        assert_eq!(disks.flash_file("account.a.damaged").unwrap(), b"damaged one way");
        assert_eq!(disks.flash_file("account.b.damaged").unwrap(), b"damaged another way");
    }
    let (mut store, _, _) = open(&disks);
    store.carry_out(&[Change::EraseRecord, erase(Door::Console), erase(Door::Lan)]).unwrap();
    let (_, found, findings) = open(&disks);
    assert_eq!((found.record, findings), (StoredRecord::Absent, vec![]));
    assert!(disks.flash_file("account.a.damaged").is_some(), "kept for whoever looks into it");
    works(&disks, "after a factory reset");
}

#[test]
fn one_copy_missing_and_the_other_damaged_is_damaged_and_not_new() {
    let disks = prepared(&[]);
    disks.spoil("account.b", b"");
    assert_eq!(open(&disks).1.record, StoredRecord::Damaged);
}

#[test]
fn a_cut_in_the_factory_reset_of_a_damaged_device_leaves_it_damaged_or_new() {
    let broken = || {
        let disks = prepared(&[commit(1)]);
        disks.spoil("account.a", b"x");
        disks.spoil("account.b", b"y");
        disks
    };
    let mut cuts = 0;
    for at in 1.. {
        let disks = broken();
        let (mut store, _, _) = open(&disks);
        disks.plan(Plan::Stop { at });
        if store.carry_out(&[Change::EraseRecord]).is_ok() {
            break;
        }
        cuts += 1;
        for model in MODELS {
            for machine in disks.after_power_cut(model) {
                let found = open(&machine).1.record;
                assert!(matches!(found, StoredRecord::Damaged | StoredRecord::Absent), "{found:?}");
            }
        }
    }
    assert_eq!(cuts, 10);
}

/// A challenge in a file that is cut, changed, or another door's is lost and said to be.
#[test]
fn a_pending_challenge_that_is_not_whole_is_unreadable() {
    let whole = format::encode_pending(&pending(Door::Lan, 5)).unwrap();
    assert_eq!(format::decode_pending(&whole).unwrap(), pending(Door::Lan, 5));
    let others = format::encode_pending(&pending(Door::Console, 5)).unwrap().to_vec();
    let mut damages: Vec<Vec<u8>> = (0..whole.len()).map(|cut| whole[..cut].to_vec()).collect();
    damages.extend((0..whole.len()).map(|at| {
        let mut flipped = whole.to_vec();
        flipped[at] ^= 1;
        flipped
    }));
    damages.push(others);
    for damage in damages {
        let disks = prepared(&[commit(1)]);
        disks.spoil_runtime("pending-lan", &damage);
        let (_, found, findings) = open(&disks);
        assert_eq!(*found.pending(reset(Door::Lan)), StoredPending::Unreadable);
        assert!(matches!(findings[..], [Finding::PendingNotWhole { file: "pending-lan", .. }]));
    }
}

#[test]
fn generations_never_go_back_and_an_erased_account_leaves_nothing_readable() {
    let disks = Disks::new();
    let mut last = 0;
    for change in [commit(1), commit(2), Change::EraseRecord, commit(1), Change::EraseRecord] {
        open(&disks).0.carry_out(&[change]).unwrap();
        let (generation, _) = format::decode_record(&disks.flash_file("account.b").unwrap()).unwrap();
        assert!(generation > last, "{generation} after {last}");
        last = generation;
    }
    for name in ["account.a", "account.b"] {
        let text = String::from_utf8(disks.flash_file(name).unwrap()).unwrap();
        assert!(!text.contains("example.com") && !text.contains("argon2"), "{text}");
    }
}

#[test]
fn on_the_real_filesystem() {
    let folder = |within: &Path, name: &str| {
        let path = within.join(format!("latchkey-store-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        path
    };
    let flash = folder(&std::env::temp_dir(), "flash");
    let runtime = folder(Path::new("/dev/shm"), "runtime");
    let open = || {
        let (flash, runtime) = (RealDisk::open(&flash).unwrap(), RealDisk::open(&runtime).unwrap());
        assert!(runtime.is_in_memory().unwrap());
        let mut store = Files::new(flash, runtime);
        let loaded = store.load();
        (store, loaded.stored, loaded.findings)
    };
    let (mut store, found, _) = open();
    assert_eq!(found.record, StoredRecord::Absent);
    // A leftover that is larger, readable by all, and linked to elsewhere, is never written into.
    fs::write(flash.join("elsewhere"), "untouched").unwrap();
    std::os::unix::fs::symlink(flash.join("elsewhere"), flash.join("account.a.new")).unwrap();
    store.carry_out(&[commit(1), write(Door::Lan, 5)]).unwrap();
    store
        .carry_out(&[commit(2), write(Door::Lan, 4), write(Door::Console, 5), erase(Door::Console)])
        .unwrap();
    assert_eq!(fs::read_to_string(flash.join("elsewhere")).unwrap(), "untouched");
    let (_, found, findings) = open();
    assert_eq!(found.record, StoredRecord::Whole(Box::new(record(2))));
    assert_eq!(*found.pending(reset(Door::Lan)), StoredPending::Whole(Box::new(pending(Door::Lan, 4))));
    assert_eq!(*found.pending(reset(Door::Console)), StoredPending::Absent);
    assert_eq!(findings, vec![]);
    for path in [flash.join("account.a"), flash.join("account.b"), runtime.join("pending-lan")] {
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600, "{}", path.display());
    }
    fs::write(flash.join("account.a"), "torn").unwrap();
    assert_eq!(open().1.record, StoredRecord::Whole(Box::new(record(2))));
    assert_eq!(fs::read(flash.join("account.a")).unwrap(), fs::read(flash.join("account.b")).unwrap());
    fs::remove_dir_all(&flash).unwrap();
    fs::remove_dir_all(&runtime).unwrap();
}
