//! The state as a picture, and what a person does to the picture as events. The only place that names
//! the toolkit, so that it can be replaced.

mod about;
mod dialogs;
mod emails;
mod icons;
mod keys;
mod kit;
mod live;
mod platform;
mod recovery;
mod screens;
mod shapes;
mod theme;
mod words;

use crate::{
    raster::{Area, Atlas, Canvas, Colour, Damage},
    state::{Action, Effect, Event, Field, Notice, Preferences, Screen, State},
    text::Edit,
};
use egui::{Key, Modifiers, PointerButton, Pos2, RawInput, Rect, Vec2};
use kit::Kit;
use latchkey_look::Catalogue;
use std::sync::Arc;
use theme::Theme;
use zeroize::Zeroize;

/// How long the caret is there, and how long it is not.
const BLINK_MS: u64 = 600;
/// How far a notch of the wheel goes, in steps and units of the layout.
const WHEEL_STEPS: f32 = 10.0;
const WHEEL_POINTS: f32 = 7.0;

/// What a person does, in pixels of the display.
#[derive(Clone, Copy, Debug)]
pub enum Input {
    /// The pointer is here now.
    Move {
        /// Column.
        x: f32,
        /// Row.
        y: f32,
    },
    /// The pointer's first button, or a finger.
    Press {
        /// Down, or up again.
        down: bool,
        /// A finger, which leaves no pointer behind.
        touch: bool,
    },
    /// The wheel, in notches; towards the person is positive.
    Wheel(f32),
    /// A key that moves about.
    Go(Go),
    /// A key that changes a text.
    Edit(Edit),
}

/// Keys that move about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Go {
    /// To the next control.
    Next,
    /// To the one before.
    Previous,
    /// To the control in that direction, or the next character.
    Left,
    /// As [`Go::Left`].
    Right,
    /// As [`Go::Left`].
    Up,
    /// As [`Go::Left`].
    Down,
    /// Use it.
    Enter,
    /// Use it, or a space in a text.
    Space,
    /// Back.
    Escape,
}

/// Something that can be used, for scripts and for tests of what everybody must be able to use.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// What a person calls it.
    pub name: String,
    /// Left, top, right, bottom, in pixels of the display.
    pub area_px: [f32; 4],
    /// Whether it can be used now.
    pub enabled: bool,
    /// Whether it has the keyboard.
    pub focused: bool,
    /// What it is, for the script: a button, a field, a key of the keyboard on the screen.
    pub role: Role,
}

/// What a control is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It does something.
    Button,
    /// Something is typed there.
    Field,
    /// A key of the keyboard on the screen.
    Key,
}

/// What became of a frame.
pub struct Frame {
    /// What is different on the canvas.
    pub damage: Damage,
    /// What is to be done outside.
    pub effects: Vec<Effect>,
    /// Nothing changes by itself before this.
    pub quiet_until_ms: u64,
}

/// A person in front of a display.
pub struct Session {
    /// What the panel knows.
    pub state: State,
    context: egui::Context,
    words: Catalogue,
    canvas: Canvas,
    atlas: Atlas,
    raw: RawInput,
    pointer: Pos2,
    edits: Vec<Edit>,
    controls: Vec<Control>,
    /// What the picture was drawn for last.
    drawn: Option<(Screen, bool)>,
    /// Whether the screen has offered a place to begin at.
    begun: bool,
    /// The last drawing put the focus where the screen begins.
    placed: bool,
    drawn_keys: bool,
    drawn_fault: Option<(Field, &'static str)>,
    drawn_notice: Option<Notice>,
    preferences: Option<Preferences>,
    addresses: Vec<String>,
    focus_visible: bool,
    gone: bool,
    inputs: u64,
    /// Where the caret is while it is there.
    caret: Option<(Area, Colour)>,
    /// Something happened since the last picture, or will have by then.
    dirty: bool,
    due_ms: u64,
}

impl Session {
    /// In front of a display of this many pixels.
    pub fn new(width: usize, height: usize, state: State) -> Self {
        let context = egui::Context::default();
        context.set_fonts(theme::fonts());
        context.options_mut(|options| {
            options.max_passes = std::num::NonZeroUsize::MIN;
            options.zoom_with_keyboard = false;
            // The keyboard on the screen is pressed while a field keeps the focus.
            options.input_options.surrender_focus_on = egui::SurrenderFocusOn::Never;
            options.input_options.max_click_duration = f64::INFINITY;
            options.input_options.max_click_dist = 24.0;
        });
        context.all_styles_mut(|style| {
            // Nothing moves by itself: each step of a movement would be a repaint.
            style.animation_time = 0.0;
            style.scroll_animation = egui::style::ScrollAnimation::none();
            style.spacing.item_spacing = Vec2::ZERO;
            style.interaction.selectable_labels = false;
        });
        Self {
            state,
            context,
            words: Catalogue::english(),
            canvas: Canvas::new(width, height),
            atlas: Atlas::default(),
            raw: RawInput { max_texture_side: Some(1024), ..RawInput::default() },
            pointer: Pos2::ZERO,
            edits: Vec::with_capacity(64),
            controls: Vec::new(),
            drawn: None,
            begun: false,
            placed: false,
            drawn_keys: false,
            drawn_fault: None,
            drawn_notice: None,
            preferences: None,
            addresses: Vec::new(),
            focus_visible: false,
            gone: true,
            inputs: 0,
            caret: None,
            dirty: true,
            due_ms: 0,
        }
    }

    /// Where the device's own pages are, to be shown.
    pub fn set_addresses(&mut self, addresses: Vec<String>) {
        self.addresses = addresses;
    }

    /// What a person does.
    pub fn input(&mut self, input: Input) {
        if !matches!(input, Input::Move { .. } | Input::Wheel(_)) {
            self.inputs += 1;
        }
        let scale = self.scale();
        let events = &mut self.raw.events;
        let button = |pos, pressed| egui::Event::PointerButton {
            pos,
            button: PointerButton::Primary,
            pressed,
            modifiers: Modifiers::NONE,
        };
        match input {
            Input::Move { x, y } => {
                self.pointer = Pos2::new(x / scale, y / scale);
                self.gone = false;
                // Of a run of moves only the last counts.
                if matches!(events.last(), Some(egui::Event::PointerMoved(_))) {
                    events.pop();
                }
                events.push(egui::Event::PointerMoved(self.pointer));
            }
            Input::Press { down, touch } => {
                self.focus_visible = false;
                events.push(button(self.pointer, down));
                if touch && !down {
                    self.gone = true;
                    events.push(egui::Event::PointerGone);
                }
            }
            Input::Wheel(notches) => {
                // In steps so small that the toolkit takes each at once: it spreads larger ones over time.
                let step = egui::Event::MouseWheel {
                    unit: egui::MouseWheelUnit::Point,
                    delta: Vec2::new(0.0, -notches.signum() * WHEEL_POINTS),
                    modifiers: Modifiers::NONE,
                };
                let steps = (notches.abs().min(8.0) * WHEEL_STEPS).round() as usize;
                events.extend(std::iter::repeat_n(step, steps));
            }
            Input::Go(go) => {
                self.focus_visible = true;
                let (key, shift) = match go {
                    Go::Next => (Key::Tab, false),
                    Go::Previous => (Key::Tab, true),
                    Go::Left => (Key::ArrowLeft, false),
                    Go::Right => (Key::ArrowRight, false),
                    Go::Up => (Key::ArrowUp, false),
                    Go::Down => (Key::ArrowDown, false),
                    Go::Enter => (Key::Enter, false),
                    Go::Space => (Key::Space, false),
                    Go::Escape => (Key::Escape, false),
                };
                match go {
                    Go::Left => self.edits.push(Edit::Left),
                    Go::Right => self.edits.push(Edit::Right),
                    Go::Space => self.edits.push(Edit::Insert(' ')),
                    _ => {}
                }
                let modifiers = if shift { Modifiers::SHIFT } else { Modifiers::NONE };
                for pressed in [true, false] {
                    events.push(egui::Event::Key {
                        key,
                        physical_key: None,
                        pressed,
                        repeat: false,
                        modifiers,
                    });
                }
            }
            // What is typed never goes through the toolkit, which keeps copies.
            Input::Edit(edit) => {
                if self.edits.len() < self.edits.capacity() {
                    self.edits.push(edit);
                }
            }
        }
    }

    /// Something happened outside.
    pub fn event(&mut self, now_ms: u64, event: Event) -> Vec<Effect> {
        self.dirty = true;
        self.state.step(now_ms, event)
    }

    /// Draws what there is now, and lets what was done have its effects.
    pub fn frame(&mut self, now_ms: u64) -> Frame {
        let mut effects = Vec::new();
        let mut damage = Damage::none();
        let waits = self.raw.events.is_empty() && self.edits.is_empty() && !self.dirty;
        if waits && now_ms < self.due_ms {
            return self.blink(now_ms, damage, effects);
        }
        self.dirty = false;
        if !self.raw.events.is_empty() || !self.edits.is_empty() {
            effects.extend(self.state.step(now_ms, Event::Input));
        }
        effects.extend(self.state.step(now_ms, Event::Tick));
        // An event changes what is shown; a new screen may ask for the focus.
        let mut rounds = 4;
        loop {
            let (events, again, drawn) = self.draw(now_ms);
            damage.add_all(&drawn);
            let changed = !events.is_empty() || again;
            for event in events {
                effects.extend(self.state.step(now_ms, event));
            }
            rounds -= 1;
            if !changed {
                break;
            }
            if rounds == 0 {
                self.dirty = true;
                break;
            }
        }
        self.due_ms = if self.dirty { now_ms } else { self.state.quiet_until_ms() };
        self.blink(now_ms, damage, effects)
    }

    /// The caret is there, or not, by the time alone: nothing is laid out for that.
    fn blink(&mut self, now_ms: u64, mut damage: Damage, effects: Vec<Effect>) -> Frame {
        let shown = self.caret.filter(|_| (now_ms / BLINK_MS).is_multiple_of(2));
        damage.add_all(&self.canvas.set_caret(shown, &self.atlas));
        let next_ms = (now_ms / BLINK_MS + 1) * BLINK_MS;
        let quiet_until_ms = if self.caret.is_some() { self.due_ms.min(next_ms) } else { self.due_ms };
        Frame { damage, effects, quiet_until_ms }
    }

    /// The picture.
    pub fn canvas(&self) -> &Canvas {
        &self.canvas
    }

    /// What can be used now.
    pub fn controls(&self) -> &[Control] {
        &self.controls
    }

    /// How many keys and buttons were pressed (and buttons let go): a test rig waits for its own.
    pub fn inputs(&self) -> u64 {
        self.inputs
    }

    /// Whether a pointer is to be shown: a finger needs none.
    pub fn has_pointer(&self) -> bool {
        !self.gone
    }

    /// Everything is drawn again next time.
    pub fn forget(&mut self) {
        self.dirty = true;
        self.canvas.forget();
    }

    /// Pixels of the display for each unit of the layout.
    pub fn scale(&self) -> f32 {
        let (width, height) = (self.canvas.width() as f32, self.canvas.height() as f32);
        let fits = (width / 1280.0).min(height / 720.0);
        let base = ((fits * 4.0).floor() / 4.0).max(1.0);
        if self.state.preferences.large_text { base * 1.3 } else { base }
    }

    fn draw(&mut self, now_ms: u64) -> (Vec<Event>, bool, Damage) {
        let scale = self.scale();
        let size = Vec2::new(self.canvas.width() as f32 / scale, self.canvas.height() as f32 / scale);
        if self.preferences.as_ref() != Some(&self.state.preferences) {
            let theme = Theme::new(self.state.preferences.high_contrast);
            self.context.all_styles_mut(|style| kit::style(style, &theme));
            self.preferences = Some(self.state.preferences.clone());
        }
        self.raw.screen_rect = Some(Rect::from_min_size(Pos2::ZERO, size));
        self.raw.time = Some(now_ms as f64 / 1000.0);
        self.raw.viewports.entry(self.raw.viewport_id).or_default().native_pixels_per_point = Some(scale);
        let raw = self.raw.take();
        let shown = (self.state.screen, self.state.dialog.is_some());
        let is_new = self.drawn != Some(shown);
        let escape = raw
            .events
            .iter()
            .any(|event| matches!(event, egui::Event::Key { key: Key::Escape, pressed: true, .. }));
        let mut kit = Kit::new(&self.state, &self.words, &mut self.edits, scale, self.focus_visible);
        kit.addresses = &self.addresses;
        // The keyboard must not hide what it types into.
        let moved = self.drawn_keys != self.state.keys.open;
        let faulty = self.state.fault.is_some() && self.drawn_fault != self.state.fault;
        kit.fresh = is_new;
        kit.follow_fault = faulty;
        kit.follow_notice = !is_new && self.drawn_notice != self.state.notice;
        kit.follow_focus = is_new || (moved && !kit.follow_notice);
        // A QR code is to be seen whole: where its screen begins is not scrolled to.
        kit.stays = matches!(self.state.screen, Screen::Qr | Screen::PlatformQr) && (is_new || self.placed);
        let mut output = self.context.clone().run(raw, |context| {
            kit.begin();
            screens::show(context, &mut kit);
        });
        let scrolls = kit.scrolls;
        self.caret = kit.caret.map(|(bar, colour)| (shapes::area(bar, scale), colour.to_array()));
        let (mut events, controls, first) = kit.end();
        if escape {
            let keys = self.state.keys.open;
            events.push(Event::Press(if keys { Action::CloseKeys } else { Action::Back }));
        }
        self.controls = controls;
        self.drawn = Some(shown);
        self.drawn_keys = self.state.keys.open;
        self.drawn_fault = self.state.fault;
        if self.drawn_notice != self.state.notice {
            self.drawn_notice.clone_from(&self.state.notice);
        }
        // The focus is where a person would begin; on a screen that first waits for an answer, once it is there.
        let begins =
            is_new || (!self.begun && first.is_some() && self.context.memory(|m| m.focused().is_none()));
        if begins {
            self.begun = first.is_some();
            self.context.memory_mut(|memory| match first {
                Some(id) => memory.request_focus(id),
                None => {
                    if let Some(id) = memory.focused() {
                        memory.surrender_focus(id);
                    }
                }
            });
        }
        self.placed = begins;
        self.edits.fill(Edit::Insert(' '));
        self.edits.clear();
        shapes::update(&mut self.atlas, &mut self.canvas, &mut output.textures_delta);
        let items = shapes::items(output.shapes, scale, &self.canvas);
        let damage = self.canvas.paint(items, &self.atlas);
        (events, begins || moved || faulty || scrolls, damage)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.edits.fill(Edit::Insert(' '));
        self.raw.events.clear();
        // What is on the picture may be a password that was shown.
        self.canvas.wipe();
    }
}

/// The key of the mark as the pointer's owner sees it: what a display draws over the picture.
pub const POINTER: &[&str] = &[
    "X..........",
    "XX.........",
    "XoX........",
    "XooX.......",
    "XoooX......",
    "XooooX.....",
    "XoooooX....",
    "XooooooX...",
    "XoooooooX..",
    "XooooooooX.",
    "XoooooXXXXX",
    "XooXooX....",
    "XoX.XooX...",
    "XX..XooX...",
    "X....XooX..",
    ".....XooX..",
    "......XX...",
];

/// Shared by those who draw a text.
type Galley = Arc<egui::Galley>;

impl Canvas {
    /// Leaves nothing of the picture in memory.
    fn wipe(&mut self) {
        self.pixels_mut().zeroize();
    }
}
