#![allow(clippy::unwrap_used)]
use super::*;
use crate::store::{Limit, MailState, RESEND_AFTER_S, TRANSMISSIONS_MAX};
use latchkey_protocol::{Door, Life, Purpose as Why};
use std::os::unix::fs::PermissionsExt;

struct File(std::path::PathBuf);

impl File {
    fn new(name: &str) -> Self {
        let file = Self(std::env::temp_dir().join(format!("latchkey-{}-{name}.db", std::process::id())));
        file.remove();
        file
    }

    fn remove(&self) {
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{end}", self.0.display()));
        }
    }
}

impl Drop for File {
    fn drop(&mut self) {
        self.remove();
    }
}

fn request(n: u8, counter: u32, cap: u32) -> NewRequest {
    NewRequest {
        id: RequestId([n; 16]),
        digest: [n; 32],
        sealed: vec![n; 247],
        handle: Handle([1; 8]),
        life: Life([1; 4]),
        door: Door::Console,
        purpose: Why::Reset,
        counter,
        tokens: vec![MailToken([n; 16])],
        uses: vec![Use { key: [1; 16], limit: Limit::Device, cap, window_s: 86_400 }],
        now_s: 1_000_000,
        expires_at_s: 2_000_000,
    }
}

#[tokio::test]
async fn a_refused_request_leaves_nothing_behind() {
    let file = File::new("refused");
    let store = Sqlite::open(&file.0).unwrap();
    assert_eq!(store.accept(request(1, 1, 1)).await.unwrap(), Accepted::New(RequestId([1; 16])));
    assert!(matches!(store.accept(request(2, 2, 1)).await.unwrap(), Accepted::Limited { .. }));
    assert_eq!(store.find([2; 32]).await.unwrap(), None);
    // Its counter is not used up, nor has it counted against the limit.
    assert_eq!(store.accept(request(2, 2, 2)).await.unwrap(), Accepted::New(RequestId([2; 16])));
    assert_eq!(store.accept(request(3, 1, 9)).await.unwrap(), Accepted::Superseded);
    assert_eq!(store.accept(request(2, 2, 2)).await.unwrap(), Accepted::Known(RequestId([2; 16])));
}

#[tokio::test]
async fn a_lease_ends_by_itself_and_never_beyond_the_cap() {
    let file = File::new("lease");
    let store = Sqlite::open(&file.0).unwrap();
    store.accept(request(1, 1, 9)).await.unwrap();
    let mut now_s = 1_000_000;
    for attempt in 1..=TRANSMISSIONS_MAX {
        let claims = store.claim(now_s, 600, 10).await.unwrap();
        assert_eq!(claims.len(), 1);
        assert_eq!((claims[0].attempt, claims[0].transmissions), (attempt, attempt - 1));
        assert!(store.claim(now_s + 599, 600, 10).await.unwrap().is_empty(), "it is taken");
        now_s += 600; // the worker has crashed
    }
    assert!(store.claim(now_s, 600, 10).await.unwrap().is_empty());
    let mails = store.request(RequestId([1; 16])).await.unwrap().unwrap().mails;
    assert_eq!((mails[0].state, mails[0].reason), (MailState::Failed, Some(Reason::NoAnswer)));
    assert!(!store.settle(1, 1, Outcome::Accepted).await.unwrap(), "a claim that is over settles nothing");
}

#[tokio::test]
async fn a_code_that_was_replaced_is_not_mailed_again() {
    let file = File::new("replaced");
    let store = Sqlite::open(&file.0).unwrap();
    for n in 1..=2 {
        store.accept(request(n, n.into(), 9)).await.unwrap();
        for claim in store.claim(1_000_000, 600, 10).await.unwrap() {
            assert!(store.settle(claim.mail, claim.attempt, Outcome::Accepted).await.unwrap());
        }
    }
    let later_s = 1_000_000 + RESEND_AFTER_S;
    let again = |n| store.resend(RequestId([n; 16]), vec![], later_s);
    assert_eq!(again(1).await.unwrap(), Resend::Superseded);
    assert_eq!(again(2).await.unwrap(), Resend::Queued);
}

#[tokio::test]
async fn what_was_answered_is_there_after_reopening() {
    let file = File::new("reopen");
    let store = Sqlite::open(&file.0).unwrap();
    let all: Vec<_> = (1..=200).map(|n| store.accept(request(n, u32::from(n), 1000))).collect();
    for answer in all {
        assert!(matches!(answer.await.unwrap(), Accepted::New(_)));
    }
    drop(store);
    let store = Sqlite::open(&file.0).unwrap();
    for n in 1..=200 {
        assert_eq!(store.find([n; 32]).await.unwrap(), Some(RequestId([n; 16])));
    }
}

#[tokio::test]
async fn a_database_of_the_version_before_keeps_what_it_has() {
    let file = File::new("before");
    let before = Connection::open(&file.0).unwrap();
    std::fs::set_permissions(&file.0, PermissionsExt::from_mode(0o600)).unwrap();
    for sql in &MIGRATIONS[..3] {
        before.execute_batch(sql).unwrap();
    }
    before.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    before.pragma_update(None, "user_version", 3).unwrap();
    before
        .execute_batch(
            "INSERT INTO presence VALUES (x'0101010101010101', NULL, 5, '1.0');
             INSERT INTO account VALUES (x'02020202020202020202020202020202', 'Anna', 'anna', zeroblob(32), x'00', '', 1);
             INSERT INTO account_code VALUES (x'03030303030303030303030303030303', 3,
                x'02020202020202020202020202020202', zeroblob(32), x'00', zeroblob(32), 5, 1, 900);",
        )
        .unwrap();
    drop(before);
    let store = Sqlite::open(&file.0).unwrap();
    let came = store.presence(Handle([1; 8]), 10).await.unwrap().unwrap();
    assert_eq!((came.online, came.since_s, came.version.as_str()), (false, 5, "1.0"));
    let code = store.code(CodeId([3; 16]), 10).await.unwrap().unwrap();
    assert_eq!((code.purpose, code.account, code.about), (Purpose::NewEmail, Some(AccountId([2; 16])), None));
    assert!(store.recorders(AccountId([2; 16]), 10).await.unwrap().is_empty());
    drop(store);
    let after: i64 = Connection::open(&file.0)
        .unwrap()
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap();
    assert_eq!(after, 4);
}

#[tokio::test]
async fn the_last_registration_s_proof_is_kept_whichever_node_it_came_to() {
    let file = File::new("proof");
    let store = Sqlite::open(&file.0).unwrap();
    let (old, new) = (NodeId([1; 8]), NodeId([2; 8]));
    let change = |online, at_s, adding| Transition {
        handle: Handle([1; 8]),
        online,
        at_s,
        version: "1".into(),
        adding,
    };
    let kept = || -> Option<[u8; 32]> {
        let sql = "SELECT adding FROM presence";
        Connection::open(&file.0).unwrap().query_row(sql, [], |row| row.get(0)).unwrap()
    };
    // A device that came and went before it was written has proven its code all the same.
    store.move_devices(old, vec![change(false, 1, Some([1; 32]))]).await.unwrap();
    assert_eq!(kept(), Some([1; 32]));
    store.move_devices(old, vec![change(true, 2, Some([2; 32]))]).await.unwrap();
    store.move_devices(new, vec![change(true, 3, Some([3; 32]))]).await.unwrap();
    store.move_devices(old, vec![change(false, 4, Some([2; 32]))]).await.unwrap();
    assert_eq!(kept(), Some([3; 32]), "the node that it has left has nothing to say");
    store.end_node(new, 5).await.unwrap();
    assert_eq!(kept(), Some([3; 32]));
    store.move_devices(new, vec![change(true, 6, None)]).await.unwrap();
    assert_eq!(kept(), None, "it has no code any more");
}

#[test]
fn a_file_that_is_not_ours_is_left_alone() {
    let file = File::new("foreign");
    drop(Sqlite::open(&file.0).unwrap());
    let change = |sql: &str| Connection::open(&file.0).unwrap().execute_batch(sql).unwrap();
    change("PRAGMA user_version = 99");
    assert!(matches!(Sqlite::open(&file.0), Err(StoreError::Newer { found: 99, .. })));
    change("PRAGMA user_version = 1; PRAGMA application_id = 7");
    assert!(matches!(Sqlite::open(&file.0), Err(StoreError::Foreign)));
    file.remove();
    std::fs::write(&file.0, [b'x'; 8192]).unwrap();
    let mode = |bits| std::fs::set_permissions(&file.0, PermissionsExt::from_mode(bits)).unwrap();
    mode(0o640);
    assert!(matches!(Sqlite::open(&file.0), Err(StoreError::Open(_))), "others can read it");
    mode(0o600);
    assert!(matches!(Sqlite::open(&file.0), Err(StoreError::Damaged(_))));
    assert_eq!(std::fs::read(&file.0).unwrap(), [b'x'; 8192]);
}
