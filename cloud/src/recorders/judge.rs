//! Whether somebody who types a code may have a recorder. The rules stand in the decision "Whose recorder it is".

use crate::store::{
    AccountId,
    recorders::{Found, Holder},
};

/// What is to be done.
#[derive(Debug)]
pub(super) enum Verdict<'a> {
    /// The code is wrong.
    Wrong,
    /// It is on nobody's account.
    Free,
    /// It is on this account.
    Own,
    /// It is on another account, and the code is the one that it was added by.
    Elsewhere,
    /// It is on another account under this name, and its code was changed since: whoever did that holds it.
    CodeChanged(&'a Holder, &'a str),
}

/// Judges. `typed` and all proofs are keyed hashes: how long the comparing takes tells nothing of a code.
pub(super) fn judge<'a>(found: &'a Found, account: AccountId, typed: &[u8; 32]) -> Verdict<'a> {
    if found.adding != *typed {
        return Verdict::Wrong;
    }
    match &found.held {
        None => Verdict::Free,
        Some((holder, _, _)) if holder.account == account => Verdict::Own,
        Some((_, kept, _)) if kept == typed => Verdict::Elsewhere,
        Some((holder, _, name)) => Verdict::CodeChanged(holder, name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use latchkey_protocol::Handle;

    #[test]
    fn only_the_present_code_counts_and_a_changed_one_decides() {
        const OLD: [u8; 32] = [1; 32];
        const NEW: [u8; 32] = [2; 32];
        const ANNA: AccountId = AccountId([1; 16]);
        const BEN: AccountId = AccountId([2; 16]);
        let found = |adding, held: Option<[u8; 32]>| Found {
            handle: Handle([1; 8]),
            serial: "LK-1".into(),
            model: "Recorder 8".into(),
            adding,
            held: held.map(|kept| {
                (Holder { account: ANNA, name: "anna".into(), email: vec![] }, kept, "Shop".into())
            }),
        };
        for held in [None, Some(OLD), Some(NEW)] {
            for account in [ANNA, BEN] {
                // The code that it had before is as wrong as any other.
                assert!(matches!(judge(&found(NEW, held), account, &OLD), Verdict::Wrong));
                assert!(matches!(judge(&found(NEW, held), account, &[3; 32]), Verdict::Wrong));
            }
        }
        assert!(matches!(judge(&found(NEW, None), BEN, &NEW), Verdict::Free));
        assert!(matches!(judge(&found(NEW, Some(OLD)), ANNA, &NEW), Verdict::Own));
        assert!(matches!(judge(&found(OLD, Some(OLD)), ANNA, &OLD), Verdict::Own));
        assert!(matches!(judge(&found(OLD, Some(OLD)), BEN, &OLD), Verdict::Elsewhere));
        let verdict = found(NEW, Some(OLD));
        assert!(
            matches!(judge(&verdict, BEN, &NEW), Verdict::CodeChanged(holder, "Shop") if holder.account == ANNA)
        );
    }
}
