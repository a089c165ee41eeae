//! Files that never change under their name: the style sheet, the script and the icon. The hash of
//! its content is in a file's name, so that browsers may keep it for good.

use sha2::{Digest, Sha256};
use std::sync::LazyLock;

/// A file of the pages.
#[derive(Debug)]
pub(super) struct Asset {
    name: String,
    /// Its media type.
    pub(super) content_type: &'static str,
    /// What it holds.
    pub(super) content: &'static str,
}

/// Every file of the pages.
#[derive(Debug)]
pub(super) struct Assets {
    pub(super) sheet: Asset,
    pub(super) script: Asset,
    pub(super) favicon: Asset,
}

/// What an asset is sent with: what is under its name never changes.
pub(super) const CACHE_CONTROL: &str = "public, max-age=31536000, immutable";

static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    sheet: asset("look", "css", "text/css; charset=utf-8", latchkey_look::stylesheet()),
    script: asset("look", "js", "text/javascript; charset=utf-8", latchkey_look::script()),
    favicon: asset("icon", "svg", "image/svg+xml", latchkey_look::FAVICON),
});

impl Assets {
    /// The files.
    pub(super) fn all() -> &'static Self {
        &ASSETS
    }

    /// The file of a name.
    pub(super) fn find(&self, name: &str) -> Option<&Asset> {
        [&self.sheet, &self.script, &self.favicon].into_iter().find(|asset| asset.name == name)
    }
}

impl Asset {
    /// Its path, below the base path.
    pub(super) fn path(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

fn asset(stem: &str, ending: &str, content_type: &'static str, content: &'static str) -> Asset {
    let hash = Sha256::digest(content);
    let short: String = hash.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    Asset { name: format!("{stem}-{short}.{ending}"), content_type, content }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_hash_alone() {
        let assets = Assets::all();
        for one in [&assets.sheet, &assets.script, &assets.favicon] {
            assert_eq!(assets.find(&one.name).map(|found| found.content), Some(one.content));
        }
        assert!(assets.find("look.css").is_none());
        assert!(assets.find("look-000000000000.css").is_none());
    }

    #[test]
    fn another_content_has_another_name() {
        assert_ne!(asset("a", "css", "", "x").name, asset("a", "css", "", "y").name);
    }
}
