#![allow(clippy::unwrap_used, reason = "tests")]

use super::*;
use std::fs;

/// A folder of its own for each test, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("latchkey-config-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn shipped(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("board").join(name)
}

/// `line: field: ` of each fault, and whether each message says what would be right.
fn places(faults: &Faults) -> Vec<(String, usize, String)> {
    let place = |fault: &Fault| {
        let file = fault.file.file_name().unwrap().to_string_lossy().into_owned();
        (file, fault.line, fault.field.clone())
    };
    faults.0.iter().map(place).collect()
}

#[test]
fn every_shipped_board_is_right_once_it_has_a_serial() {
    let folder = Folder::new("shipped");
    let settings = folder.file("settings.toml", "[device]\nserial = \"LK-0001\"\n");
    let mut boards = 0;
    for entry in fs::read_dir(shipped("")).unwrap() {
        let board = entry.unwrap().path();
        if board.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        Config::read(&board, Some(&settings)).unwrap_or_else(|faults| unreachable!("{faults}"));
        let faults = Config::read(&board, None).unwrap_err();
        assert_eq!(faults.0.len(), 1, "{faults}");
        assert_eq!(faults.0[0].field, "device.serial");
        boards += 1;
    }
    assert!(boards >= 2);
}

#[test]
fn settings_win_over_the_board_and_the_board_over_its_base() {
    let folder = Folder::new("layers");
    let settings = folder.file(
        "settings.toml",
        "[device]\nserial = \"LK-7\"\n[paths]\nstate = \"flash\"\nruntime = \"/run/x\"\n[lan]\nhttp_port = 0\n\
         names = [\"Recorder.Example\"]\n[recovery]\nvalidity_h = 24\n\
         [proxied]\nsocket = \"p.socket\"\nbase_path = \"/recovery\"\nuids = [33]\ntls = false\n",
    );
    let config = Config::read(&shipped("host.toml"), Some(&settings)).unwrap();
    assert_eq!(config.device.serial, "LK-7");
    assert_eq!(config.device.model, "Development host");
    assert_eq!((config.lan.https_port, config.lan.http_port), (8443, 0));
    assert_eq!(config.lan.names, ["recorder.example"]);
    assert_eq!(config.paths.state, folder.0.join("flash"), "relative to the settings file");
    assert_eq!(config.limits.validity_s, 24 * 3600);
    assert_eq!(config.password_hash, PasswordHash { memory_kib: 19456, passes: 2 });
    let socket = PathBuf::from("/run/x/p.socket");
    let proxied = Proxied { socket, base_path: "/recovery".to_owned(), uids: vec![33], tls: false };
    assert_eq!(config.proxied, Some(proxied));
}

#[test]
fn all_faults_are_reported_together_with_file_line_and_field() {
    let folder = Folder::new("faults");
    let base = fs::read_to_string(shipped("base.toml")).unwrap();
    folder.file("base.toml", &base);
    let board = folder.file(
        "board.toml",
        "inherits = \"base.toml\"\nloose = 1\n\n[device]\nmodel = \"\"\nserial = \"no spaces\"\ncolour = \"red\"\n\n\
         [lan]\nhttps_port = 70000\nhttp_port = \"80\"\ninterfaces = []\nnames = [\"192.0.2.1\"]\nnot_peers = [\"router\"]\n",
    );
    let settings = folder.file(
        "settings.toml",
        "inherits = \"base.toml\"\n[password_hash]\npasses = 1\n[recovery]\nvalidity_h = 49\npassword_chars_min = 7\n\
         lan_reset = 1\n[network]\nx = 1\n[console]\nuids = [-1]\n[proxied]\nbase_path = \"/a/\"\n",
    );
    let faults = Config::read(&board, Some(&settings)).unwrap_err();
    let at = |file: &str, line, field: &str| (file.to_owned(), line, field.to_owned());
    let mut expected = vec![
        at("board.toml", 2, "loose"),
        at("board.toml", 5, "device.model"),
        at("board.toml", 6, "device.serial"),
        at("board.toml", 7, "device.colour"),
        at("board.toml", 10, "lan.https_port"),
        at("board.toml", 11, "lan.http_port"),
        at("board.toml", 12, "lan.interfaces"),
        at("board.toml", 13, "lan.names"),
        at("board.toml", 14, "lan.not_peers"),
        at("settings.toml", 0, "proxied.socket"),
        at("settings.toml", 0, "proxied.uids"),
        at("settings.toml", 1, "inherits"),
        at("settings.toml", 3, "password_hash.passes"),
        at("settings.toml", 5, "recovery.validity_h"),
        at("settings.toml", 6, "recovery.password_chars_min"),
        at("settings.toml", 7, "recovery.lan_reset"),
        at("settings.toml", 9, "network.x"),
        at("settings.toml", 11, "console.uids"),
        at("settings.toml", 13, "proxied.base_path"),
    ];
    expected.sort();
    assert_eq!(places(&faults), expected, "{faults}");
    let text = faults.to_string();
    assert!(text.contains("board.toml:10: lan.https_port: must be a port, 1 to 65535"), "{text}");
    assert!(text.contains("device.colour: is not known; [device] has model, serial"), "{text}");
}

#[test]
fn a_file_that_is_not_toml_tells_every_line_that_is_wrong() {
    let folder = Folder::new("syntax");
    let board = folder.file("board.toml", "[device]\nserial = \nmodel = \"\"\n\n[lan\nnames = []\n");
    let faults = Config::read(&board, None).unwrap_err();
    let lines: Vec<_> = faults.0.iter().map(|fault| fault.line).collect();
    assert!([2, 3, 5].iter().all(|line| lines.contains(line)), "{faults}");
    assert!(!lines.contains(&0), "what is missing cannot be told: {faults}");
}

#[test]
fn missing_too_large_binary_and_endless_files_are_faults() {
    let folder = Folder::new("files");
    let itself = folder.file("itself.toml", "inherits = \"itself.toml\"\n");
    let large = folder.file("large.toml", &"# a comment\n".repeat(6000));
    let binary = folder.0.join("binary.toml");
    fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
    for (file, said) in [
        (folder.0.join("absent.toml"), "cannot be read"),
        (itself, "inherit itself"),
        (large, "larger than"),
        (binary, "cannot be read"),
        (folder.0.clone(), "cannot be read"),
    ] {
        let faults = Config::read(&file, None).unwrap_err();
        assert!(faults.to_string().contains(said), "{faults}");
    }
}

#[test]
fn the_serial_may_stand_in_a_file_and_the_stronger_of_the_two_keys_wins() {
    let folder = Folder::new("serial");
    folder.file("serial", "LK-FROM-FILE\n\0");
    folder.file("base.toml", &fs::read_to_string(shipped("base.toml")).unwrap());
    let board = folder.file("board.toml", "inherits = \"base.toml\"\n[device]\nserial_file = \"serial\"\n");
    assert_eq!(Config::read(&board, None).unwrap().device.serial, "LK-FROM-FILE");
    let settings = folder.file("settings.toml", "[device]\nserial = \"LK-OWN\"\n");
    assert_eq!(Config::read(&board, Some(&settings)).unwrap().device.serial, "LK-OWN");
    let both = folder.file("both.toml", "[device]\nserial = \"LK-OWN\"\nserial_file = \"serial\"\n");
    let faults = Config::read(&board, Some(&both)).unwrap_err();
    assert_eq!(places(&faults), [("both.toml".to_owned(), 2, "device.serial".to_owned())], "{faults}");
    let gone = folder.file("gone.toml", "[device]\nserial_file = \"absent\"\n");
    let faults = Config::read(&board, Some(&gone)).unwrap_err();
    assert_eq!(places(&faults), [("gone.toml".to_owned(), 2, "device.serial_file".to_owned())]);
}

#[test]
fn the_verification_code_on_the_label_stands_in_a_file() {
    let folder = Folder::new("label");
    folder.file("good", "KEY72LOCK\n");
    folder.file("bad", "KEY 72\n");
    folder.file("base.toml", &fs::read_to_string(shipped("base.toml")).unwrap());
    let with = |file: &str| {
        let line =
            if file.is_empty() { String::new() } else { format!("verification_code_file = \"{file}\"\n") };
        let text = format!("inherits = \"base.toml\"\n[device]\nserial = \"LK-1\"\n{line}");
        Config::read(&folder.file("board.toml", &text), None)
    };
    assert_eq!(with("").unwrap().device.verification_code, None);
    assert_eq!(with("good").unwrap().device.verification_code.unwrap().as_str(), "KEY72LOCK");
    for wrong in ["bad", "absent"] {
        let faults = with(wrong).unwrap_err();
        let place = ("board.toml".to_owned(), 4, "device.verification_code_file".to_owned());
        assert_eq!(places(&faults), [place], "{faults}");
        assert!(!faults.to_string().contains("KEY 72"), "{faults}");
    }
}

#[test]
fn a_hash_that_is_too_cheap_is_refused_and_the_small_boards_choice_is_not() {
    let folder = Folder::new("hash");
    let read = |memory_kib: u32, passes: u32| {
        let text = format!(
            "[device]\nserial = \"LK-1\"\n[password_hash]\nmemory_kib = {memory_kib}\npasses = {passes}\n"
        );
        Config::read(&shipped("base.toml"), Some(&folder.file("settings.toml", &text)))
    };
    assert!(read(7168, 5).is_ok());
    assert!(read(47104, 1).is_ok());
    assert!(read(7168, 4).is_err());
    assert!(read(19456, 1).is_err());
    assert!(read(1024, 64).is_err());
}
