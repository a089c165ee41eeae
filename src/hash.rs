//! Argon2id, as the heart's hash jobs ask for it. Slow and large on purpose: it runs off the task, one
//! at a time, and leaves no memory behind.

use crate::recovery::{HashJob, HashOutcome};
use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::phc::{Output, ParamsString, PasswordHash, Salt},
};
use zeroize::Zeroizing;

/// What one hash costs, as the board says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashCost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
}

/// The most memory that a stored hash may ask for: a record from a larger board must not take the
/// device down.
pub const MEMORY_KIB_MAX: u32 = 128 * 1024;
/// The most passes that a stored hash may ask for.
pub const PASSES_MAX: u32 = 64;

/// Runs one job. Blocks for as long as the hash takes.
pub fn run(cost: HashCost, job: &HashJob) -> HashOutcome {
    match job {
        HashJob::Make { password, salt } => make(cost, password.as_bytes(), salt),
        HashJob::Compare { password, phc } => compare(password.as_bytes(), phc),
        // For the vendor's own database: no hash is made or known here.
        HashJob::SetAtAuthority { .. } | HashJob::AskAuthority { .. } => None,
    }
    .unwrap_or(HashOutcome::Failed)
}

fn make(cost: HashCost, password: &[u8], salt: &[u8; 16]) -> Option<HashOutcome> {
    let params = Params::new(cost.memory_kib, cost.passes, 1, None).ok()?;
    let salt = Salt::new(salt).ok()?;
    let phc = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(&params).ok()?,
        salt: Some(salt),
        hash: Some(digest(Algorithm::Argon2id, Version::V0x13, params, password, &salt)?),
    };
    Some(HashOutcome::Made(phc.to_string()))
}

fn compare(password: &[u8], phc: &str) -> Option<HashOutcome> {
    let parsed = PasswordHash::new(phc).ok()?;
    let algorithm = Algorithm::try_from(parsed.algorithm.as_str()).ok()?;
    let version = parsed.version.map_or(Ok(Version::default()), Version::try_from).ok()?;
    let params = Params::try_from(&parsed).ok()?;
    if params.m_cost() > MEMORY_KIB_MAX || params.t_cost() > PASSES_MAX || params.p_cost() > 4 {
        return None;
    }
    let (salt, wanted) = (parsed.salt?, parsed.hash?);
    let found = digest(algorithm, version, params, password, &salt)?;
    Some(HashOutcome::Compared(found == wanted)) // `Output` compares in constant time
}

fn digest(
    algorithm: Algorithm,
    version: Version,
    params: Params,
    password: &[u8],
    salt: &[u8],
) -> Option<Output> {
    let mut blocks = memory(params.block_count())?;
    let mut out = Zeroizing::new([0; Output::MAX_LENGTH]);
    let out = out.get_mut(..params.output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN))?;
    let argon2 = Argon2::new(algorithm, version, params);
    argon2.hash_password_into_with_memory(password, salt, out, &mut blocks[..]).ok()?;
    Output::new(out).ok()
}

/// glibc keeps what is freed for the thread that had it, up to this size (`DEFAULT_MMAP_THRESHOLD_MAX`
/// for 64 bits; mallopt(3)): with a few threads, several times the memory of one hash for ever. Larger
/// pieces go back to the kernel at once.
const KEPT_BYTES_MAX: usize =
    if cfg!(all(target_env = "gnu", target_pointer_width = "64")) { 32 << 20 } else { 0 };

/// Memory for one hash, that is the kernel's again as soon as it is dropped. What is reserved beyond it
/// is never touched, so it takes none.
fn memory(blocks: usize) -> Option<Vec<Block>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(blocks.max(KEPT_BYTES_MAX / Block::SIZE + 1)).ok()?;
    memory.resize(blocks, Block::new());
    Some(memory)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::recovery::Password;

    const COST: HashCost = HashCost { memory_kib: 64, passes: 1 };

    fn made(cost: HashCost, password: &str) -> String {
        let job = HashJob::Make { password: Password::new(password.to_owned()), salt: [7; 16] };
        match run(cost, &job) {
            HashOutcome::Made(phc) => phc,
            other => unreachable!("{other:?}"),
        }
    }

    fn compared(password: &str, phc: &str) -> HashOutcome {
        run(COST, &HashJob::Compare { password: Password::new(password.to_owned()), phc: phc.to_owned() })
    }

    #[test]
    fn a_password_is_recognised_with_the_parameters_of_its_own_hash() {
        let phc = made(HashCost { memory_kib: 128, passes: 2 }, "correct horse");
        assert!(phc.starts_with("$argon2id$v=19$m=128,t=2,p=1$"), "{phc}");
        assert!(matches!(compared("correct horse", &phc), HashOutcome::Compared(true)));
        assert!(matches!(compared("correct hors", &phc), HashOutcome::Compared(false)));
    }

    /// RFC 9106 has no vector without secret and associated data; this one is the reference
    /// implementation's own (`argon2 somesalt... -id -t 2 -k 65536 -p 1`, its test suite).
    #[test]
    fn it_is_the_argon2id_of_others() {
        let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        assert!(matches!(compared("password", phc), HashOutcome::Compared(true)));
        assert!(matches!(compared("differentpassword", phc), HashOutcome::Compared(false)));
    }

    #[test]
    fn a_hash_that_is_damaged_or_asks_for_too_much_fails_and_compares_nothing() {
        let phc = made(COST, "correct horse");
        let greedy = phc.replace("m=64", "m=4000000");
        let patient = phc.replace("t=1", "t=4000000");
        let cut = &phc[..phc.len() - 30];
        let other = phc.replace("argon2id", "bcrypt");
        for bad in ["", "x", greedy.as_str(), patient.as_str(), cut, other.as_str()] {
            assert!(matches!(compared("correct horse", bad), HashOutcome::Failed), "{bad}");
        }
    }
}
