//! The panel without a display, led by a script: a line in, a line out. What a person does goes the same
//! way as from a mouse and a keyboard.
//!
//! `click NAME`, `type TEXT`, `key NAME`, `move X Y`, `press`, `release`, `wait SCREEN`, `wait-for NAME`,
//! `see TEXT`, `controls`, `picture FILE`, `size WxH`, `quit`. A control is named as a person calls it.

use crate::{
    clock::Moment,
    panel::Panel,
    state::Link,
    text::Edit,
    view::{Control, Go, Input},
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::{
    fs::File,
    io::{self, BufRead, BufWriter, Write},
    path::Path,
    time::Duration,
};

/// The longest that a `wait` waits.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Carries out commands until they end. Every one is answered by a line that begins with `ok` or `error`.
pub fn run(panel: &mut Panel, commands: impl BufRead, mut answers: impl Write) -> io::Result<()> {
    panel.turn();
    for line in commands.lines() {
        let line = line?;
        let (word, rest) = line.split_once(' ').unwrap_or((&line, ""));
        if word == "quit" {
            break;
        }
        match command(panel, word, rest) {
            Ok(answer) => writeln!(answers, "ok {answer}")?,
            Err(error) => writeln!(answers, "error {error}")?,
        }
        answers.flush()?;
    }
    Ok(())
}

fn command(panel: &mut Panel, word: &str, rest: &str) -> Result<String, String> {
    match word {
        "" | "#" => {}
        "click" => {
            let [left, top, right, bottom] = settled(panel, rest)?.area_px;
            click(panel, (left + right) / 2.0, (top + bottom) / 2.0);
        }
        "type" => rest.chars().for_each(|char| {
            input(panel, if char == ' ' { Input::Go(Go::Space) } else { Input::Edit(Edit::Insert(char)) });
        }),
        "key" => input(panel, key(rest)?),
        "move" => {
            let (x, y) = rest.split_once(' ').ok_or("move needs a column and a row")?;
            let number = |text: &str| text.parse::<f32>().map_err(|_| format!("{text} is no number"));
            input(panel, Input::Move { x: number(x)?, y: number(y)? });
        }
        "press" => input(panel, Input::Press { down: true, touch: false }),
        "release" => input(panel, Input::Press { down: false, touch: false }),
        "wheel" => input(panel, Input::Wheel(rest.parse().map_err(|_| "wheel needs notches")?)),
        "wait" => {
            until(panel, &format!("the screen {rest}"), |panel| {
                panel.session.state.screen.name() == rest && !panel.session.state.busy
            })?;
        }
        "wait-link" => {
            let wanted = if rest == "up" { Link::Up } else { Link::Lost };
            until(panel, "that link", |panel| panel.session.state.link == wanted)?;
        }
        "wait-for" => drop(settled(panel, rest)?),
        "screen" => return Ok(panel.session.state.screen.name().to_owned()),
        "told" => return Ok(told(panel)),
        "controls" => return Ok(controls(panel.session.controls())),
        "picture" => picture(panel, Path::new(rest)).map_err(|error| error.to_string())?,
        // Until something comes, or a moment has gone by.
        "turn" => wait(panel, Duration::from_millis(200)),
        _ => return Err(format!("no command {word}")),
    }
    Ok(String::new())
}

fn input(panel: &mut Panel, input: Input) {
    panel.session.input(input);
    panel.turn();
}

fn click(panel: &mut Panel, x: f32, y: f32) {
    input(panel, Input::Move { x, y });
    input(panel, Input::Press { down: true, touch: false });
    input(panel, Input::Press { down: false, touch: false });
}

fn key(name: &str) -> Result<Input, String> {
    Ok(match name {
        "tab" => Input::Go(Go::Next),
        "shift-tab" => Input::Go(Go::Previous),
        "enter" => Input::Go(Go::Enter),
        "space" => Input::Go(Go::Space),
        "escape" => Input::Go(Go::Escape),
        "left" => Input::Go(Go::Left),
        "right" => Input::Go(Go::Right),
        "up" => Input::Go(Go::Up),
        "down" => Input::Go(Go::Down),
        "home" => Input::Edit(Edit::Home),
        "end" => Input::Edit(Edit::End),
        "backspace" => Input::Edit(Edit::Backspace),
        "delete" => Input::Edit(Edit::Delete),
        _ => return Err(format!("no key {name}")),
    })
}

/// A control that can be used and is seen; scrolls to it if it is outside.
fn settled(panel: &mut Panel, name: &str) -> Result<Control, String> {
    let found =
        |panel: &Panel| panel.session.controls().iter().find(|c| c.name == name && c.enabled).cloned();
    until(panel, &format!("{name:?} that can be used"), |panel| found(panel).is_some())?;
    for _ in 0..40 {
        let Some(control) = found(panel) else { break };
        let [left, top, right, bottom] = control.area_px;
        if right - left > 8.0 && bottom - top > 16.0 * panel.session.scale() {
            return Ok(control);
        }
        // Not over a card's text: anywhere on the body scrolls.
        let canvas = panel.session.canvas();
        let (x, y) = (canvas.width() as f32 / 2.0, canvas.height() as f32 / 3.0);
        let up = top <= y;
        input(panel, Input::Move { x, y });
        input(panel, Input::Wheel(if up { -1.0 } else { 1.0 }));
        panel.turn();
    }
    found(panel).ok_or_else(|| format!("{name:?} went away"))
}

/// Lets the panel live until something holds.
fn until(panel: &mut Panel, what: &str, holds: impl Fn(&Panel) -> bool) -> Result<(), String> {
    let end = Moment::now().after(WAIT_MAX);
    while !holds(panel) {
        if end.since(Moment::now()).is_none() {
            let state = &panel.session.state;
            let (screen, notice) = (state.screen.name(), &state.notice);
            return Err(format!(
                "no {what} within a minute; the screen is {screen}, {notice:?}, {}",
                controls(panel.session.controls())
            ));
        }
        wait(panel, Duration::from_secs(1));
    }
    Ok(())
}

/// Until something comes or changes by itself.
fn wait(panel: &mut Panel, max: Duration) {
    let frame = panel.turn();
    let left = frame.quiet_until_ms.saturating_sub(panel.now_ms()).min(max.as_millis() as u64);
    let mut ready = [PollFd::new(panel.client.ready(), PollFlags::POLLIN)];
    let _ = poll(&mut ready, PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)); // the next turn looks
    panel.turn();
}

/// What is shown, as JSON on a line.
pub fn told(panel: &Panel) -> String {
    let state = &panel.session.state;
    let (screen, busy) = (state.screen.name(), state.busy);
    let link = format!("{:?}", state.link).to_lowercase();
    let notice = state.notice.is_some();
    let seen = state.platform.as_ref().map(|seen| seen.platform.state.as_str());
    let platform = seen.or(state.device.as_ref().map(|device| device.platform.as_str())).unwrap_or_default();
    let mail = state.mail.as_ref().and_then(|mail| mail.state.as_deref()).unwrap_or_default();
    let (inputs, controls) = (panel.session.inputs(), controls(panel.session.controls()));
    format!(
        "{{\"screen\":{screen:?},\"busy\":{busy},\"link\":{link:?},\"notice\":{notice},\"platform\":{platform:?},\
         \"mail\":{mail:?},\"inputs\":{inputs},\"controls\":{controls}}}"
    )
}

/// One JSON list on a line.
pub fn controls(controls: &[Control]) -> String {
    let list: Vec<_> = controls
        .iter()
        .map(|control| {
            serde_json::json!({
                "name": control.name,
                "area": control.area_px,
                "enabled": control.enabled,
                "focused": control.focused,
                "role": format!("{:?}", control.role).to_lowercase(),
            })
        })
        .collect();
    serde_json::Value::from(list).to_string()
}

/// The picture as a PNG.
pub fn picture(panel: &Panel, file: &Path) -> io::Result<()> {
    let canvas = panel.session.canvas();
    let bytes: Vec<u8> =
        canvas.pixels().iter().flat_map(|pixel| pixel.to_be_bytes().into_iter().skip(1)).collect();
    let side = |px: usize| u32::try_from(px).unwrap_or(u32::MAX);
    let mut encoder =
        png::Encoder::new(BufWriter::new(File::create(file)?), side(canvas.width()), side(canvas.height()));
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&bytes)?;
    Ok(writer.finish()?)
}
