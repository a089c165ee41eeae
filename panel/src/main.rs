//! `latchkey-panel`: the recorder's local screen.

use latchkey_panel::{display, panel::Panel, script, settings::Settings};
use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

/// Where `scripts/demo` leaves its recorder's socket.
const DEMO_SOCKET: &str = "target/demo/console.socket";

const USAGE: &str = "usage: latchkey-panel run --board FILE [--settings FILE] [--tell]
       latchkey-panel window [--socket PATH] [--size WxH]
       latchkey-panel script [--socket PATH | --board FILE [--settings FILE]] [--size WxH]

run      on the recorder's own display, mouse, keyboard and touch screen
         --tell says on standard error what is shown and where its controls are, for test rigs
window   on a developer's PC; without arguments: beside scripts/demo
script   without a display, led by commands on standard input";

/// Exit code for a wrong command line.
const WRONG_USAGE: u8 = 2;
/// Exit code for settings that cannot be used (sysexits.h, EX_CONFIG).
const WRONG_SETTINGS: u8 = 78;

#[derive(Default)]
struct Arguments {
    board: Option<PathBuf>,
    settings: Option<PathBuf>,
    socket: Option<PathBuf>,
    size: Option<(usize, usize)>,
    tell: bool,
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_ansi(false)
        .with_max_level(tracing::Level::INFO)
        .init();
    let (what, arguments) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => {
            eprintln!("{error}\n{USAGE}");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    let settings = match &arguments.board {
        Some(board) => match Settings::read(board, arguments.settings.as_deref()) {
            Ok(settings) => settings,
            Err(faults) => {
                eprintln!("{faults}");
                return ExitCode::from(WRONG_SETTINGS);
            }
        },
        None => Settings::for_socket(
            arguments.socket.clone().unwrap_or_else(|| Path::new(DEMO_SOCKET).to_owned()),
        ),
    };
    let ended = match what.as_str() {
        "run" if arguments.board.is_some() => display::run(settings, arguments.tell),
        "script" => scripted(settings, &arguments),
        #[cfg(feature = "window")]
        "window" => latchkey_panel::window::run(settings, arguments.size),
        _ => {
            eprintln!("{USAGE}");
            return ExitCode::from(WRONG_USAGE);
        }
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(%error, "the panel ends");
            ExitCode::FAILURE
        }
    }
}

fn scripted(settings: Settings, arguments: &Arguments) -> io::Result<()> {
    let (width, height) = arguments.size.unwrap_or((1024, 768));
    let mut panel = Panel::start(settings, width, height)?;
    script::run(&mut panel, io::stdin().lock(), io::stdout().lock())
}

fn parse() -> Result<(String, Arguments), lexopt::Error> {
    use lexopt::prelude::{Long, Value, ValueExt};
    let mut parser = lexopt::Parser::from_env();
    let mut what = None;
    let mut arguments = Arguments::default();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(word) if what.is_none() => what = Some(word.string()?),
            Long("board") => arguments.board = Some(parser.value()?.into()),
            Long("settings") => arguments.settings = Some(parser.value()?.into()),
            Long("socket") => arguments.socket = Some(parser.value()?.into()),
            Long("tell") => arguments.tell = true,
            Long("size") => {
                let text = parser.value()?.string()?;
                let side = |text: &str| text.parse().ok().filter(|px| (320..=8192).contains(px));
                let size =
                    text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
                arguments.size = Some(size.ok_or("--size needs a width and a height, such as 1024x768")?);
            }
            other => return Err(other.unexpected()),
        }
    }
    Ok((what.unwrap_or_else(|| "window".to_owned()), arguments))
}
