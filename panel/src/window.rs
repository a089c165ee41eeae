//! A window on a developer's PC.

use crate::{
    panel::Panel,
    raster::Damage,
    settings::Settings,
    text::Edit,
    view::{Go, Input},
};
use minifb::{InputCallback, Key, KeyRepeat, MouseButton, MouseMode, Window, WindowOptions};
use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// The window's size unless another one is asked for.
const SIZE: (usize, usize) = (1024, 768);
/// How often the window looks for input.
const FRAMES_PER_S: usize = 60;

/// What is typed, as the window system gives it.
struct Typed(Arc<Mutex<Vec<char>>>);

impl InputCallback for Typed {
    fn add_char(&mut self, number: u32) {
        let typed = char::from_u32(number).filter(|char| !char.is_control() && *char != ' ');
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(typed);
    }
}

/// Shows the panel until the window is closed.
pub fn run(settings: Settings, size: Option<(usize, usize)>) -> io::Result<()> {
    let (width, height) = size.unwrap_or(SIZE);
    let socket = settings.socket.display().to_string();
    let mut panel = Panel::start(settings, width, height)?;
    let mut window =
        Window::new("Latchkey", width, height, WindowOptions::default()).map_err(io::Error::other)?;
    window.set_target_fps(FRAMES_PER_S);
    let typed = Arc::new(Mutex::new(Vec::new()));
    window.set_input_callback(Box::new(Typed(Arc::clone(&typed))));
    tracing::info!(socket, "in a window; the recorder's daemon is asked at this socket");
    let mut was_down = false;
    let mut drawn = false;
    while window.is_open() {
        let mut inputs = Vec::new();
        if let Some((x, y)) = window.get_mouse_pos(MouseMode::Clamp) {
            inputs.push(Input::Move { x, y });
        }
        let down = window.get_mouse_down(MouseButton::Left);
        if down != was_down {
            was_down = down;
            inputs.push(Input::Press { down, touch: false });
        }
        if let Some((_, notches)) = window.get_scroll_wheel().filter(|(_, notches)| *notches != 0.0) {
            inputs.push(Input::Wheel(-notches.signum()));
        }
        inputs.extend(
            typed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .drain(..)
                .map(|char| Input::Edit(Edit::Insert(char))),
        );
        let shift = window.is_key_down(Key::LeftShift) || window.is_key_down(Key::RightShift);
        inputs
            .extend(window.get_keys_pressed(KeyRepeat::Yes).into_iter().filter_map(|key| moved(key, shift)));
        let mut damage = Damage::none();
        for input in inputs {
            damage.add_all(&panel.input(input));
        }
        damage.add_all(&panel.turn().damage);
        if damage.is_empty() && drawn {
            window.update();
        } else {
            drawn = true;
            window
                .update_with_buffer(panel.session.canvas().pixels(), width, height)
                .map_err(io::Error::other)?;
        }
    }
    Ok(())
}

/// What a key does that types nothing.
fn moved(key: Key, shift: bool) -> Option<Input> {
    Some(match key {
        Key::Tab => Input::Go(if shift { Go::Previous } else { Go::Next }),
        Key::Enter | Key::NumPadEnter => Input::Go(Go::Enter),
        Key::Space => Input::Go(Go::Space),
        Key::Escape => Input::Go(Go::Escape),
        Key::Left => Input::Go(Go::Left),
        Key::Right => Input::Go(Go::Right),
        Key::Up => Input::Go(Go::Up),
        Key::Down => Input::Go(Go::Down),
        Key::Home => Input::Edit(Edit::Home),
        Key::End => Input::Edit(Edit::End),
        Key::Backspace => Input::Edit(Edit::Backspace),
        Key::Delete => Input::Edit(Edit::Delete),
        _ => return None,
    })
}
