//! `latchkeyd`: arguments, tracing, exit codes.

use latchkey::{
    app::{self, Command, chain},
    config::Config,
    log,
};
use lexopt::prelude::*;
use std::{path::PathBuf, process::ExitCode};
use tracing_subscriber::filter::Targets;

const USAGE: &str = "\
usage: latchkeyd run --board FILE [--settings FILE] [--log LEVEL]
       latchkeyd check --board FILE [--settings FILE]
       latchkeyd identity request|install IDENTITY.json|enrol HOST --board FILE [--settings FILE]
`enrol` reads the claim code from standard input.
LEVEL is error, warn, info, debug, trace, or such as warn,latchkey=debug.";

/// EX_USAGE would be 64; 2 is what shells and most programs use.
const BAD_USAGE: u8 = 2;
/// EX_CONFIG of sysexits.h.
const BAD_CONFIG: u8 = 78;

fn main() -> ExitCode {
    let arguments = match parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("latchkeyd: {error}\n{USAGE}");
            return ExitCode::from(BAD_USAGE);
        }
    };
    let config = match Config::read(&arguments.board, arguments.settings.as_deref()) {
        Ok(config) => config,
        Err(faults) => {
            eprintln!("{faults}");
            return ExitCode::from(BAD_CONFIG);
        }
    };
    let told = arguments.log.unwrap_or_else(|| Targets::new().with_default(config.log.level));
    log::start(log::Lines { shows_uptime: config.log.shows_uptime }, told);
    match app::carry_out(arguments.command, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("latchkeyd: {}", chain(&error));
            ExitCode::FAILURE
        }
    }
}

struct Arguments {
    command: Command,
    board: PathBuf,
    settings: Option<PathBuf>,
    log: Option<Targets>,
}

fn parse() -> Result<Arguments, lexopt::Error> {
    let mut parser = lexopt::Parser::from_env();
    let (mut words, mut board, mut settings, mut log) = (Vec::new(), None, None, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Long("board") => board = Some(parser.value()?.into()),
            Long("settings") => settings = Some(parser.value()?.into()),
            Long("log") => log = Some(parser.value()?.parse_with(|text| text.parse::<Targets>())?),
            Value(word) => words.push(word),
            other => return Err(other.unexpected()),
        }
    }
    let command = match words.iter().map(|word| word.to_str()).collect::<Vec<_>>()[..] {
        [Some("run")] => Command::Run,
        [Some("hook-helper")] => Command::HookHelper,
        [Some("check")] => Command::Check,
        [Some("identity"), Some("request")] => Command::IdentityRequest,
        [Some("identity"), Some("install"), _] => Command::IdentityInstall(words.remove(2).into()),
        [Some("identity"), Some("enrol"), Some(host)] => Command::IdentityEnrol(host.to_owned()),
        _ => return Err("there is no such command".into()),
    };
    let board = board.ok_or("--board FILE is missing")?;
    Ok(Arguments { command, board, settings, log })
}
