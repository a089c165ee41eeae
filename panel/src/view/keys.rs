//! Fields, and the keyboard on the screen that types into them.

use super::{
    Galley, Role,
    kit::{Kit, Look, RADIUS, TOUCH, space},
    theme::Type,
};
use crate::{
    state::{Action, Field, Page},
    text::Edit,
};
use egui::{
    Align2, Color32, CornerRadius, CursorIcon, EventFilter, Id, Key, Pos2, Rect, Sense, Stroke, StrokeKind,
    Ui, Vec2, vec2,
};
use latchkey_look::Icon;

/// Room for each dot of a hidden text.
const DOT: f32 = 13.0;

/// A field's own way.
pub(super) struct FieldLook<'f> {
    /// Its name.
    pub(super) label: &'f str,
    /// What helps to fill it in.
    pub(super) hint: &'f str,
    /// What Enter does in it.
    pub(super) submit: Action,
    /// With a button that shows what is typed.
    pub(super) can_show: bool,
}

/// Where the keyboard types.
pub(super) fn id(field: Field) -> Id {
    Id::new(("field", field as usize))
}

impl Kit<'_> {
    /// A field with its name above it and its fault below.
    pub(super) fn field(&mut self, ui: &mut Ui, field: Field, look: &FieldLook<'_>) {
        ui.scope(|ui| {
            ui.spacing_mut().item_spacing = vec2(space(2), space(1));
            self.text(ui, look.label, Type::BodyBold, self.theme.ink);
            if !look.hint.is_empty() {
                self.hint(ui, look.hint);
            }
            ui.add_space(space(1));
            let fault = self.state.fault.filter(|(faulty, _)| *faulty == field).map(|(_, key)| self.say(key));
            ui.horizontal(|ui| {
                let show = self.say(if self.state.shown { "password-hide" } else { "password-show" });
                let beside = if look.can_show { self.width_of(ui, &show) + space(2) } else { 0.0 };
                let most = if field == Field::Code { 260.0 } else { f32::INFINITY };
                let width = (ui.available_width() - beside).min(most);
                let (rect, _) = ui.allocate_exact_size(vec2(width, TOUCH), Sense::hover());
                self.line(ui, field, rect, look, fault.is_some());
                if look.can_show {
                    self.button(ui, Action::ToggleShown, Look::Secondary, None, &show, true);
                }
            });
            if let Some(fault) = fault {
                ui.add_space(space(1));
                let galley = Self::galley(
                    ui,
                    fault,
                    Type::SmallBold,
                    self.theme.tones[2].0,
                    ui.available_width() - 24.0,
                );
                let (rect, _) = ui.allocate_exact_size(
                    vec2(ui.available_width(), galley.size().y.max(18.0)),
                    Sense::hover(),
                );
                self.icon(
                    ui,
                    Icon::Danger,
                    Rect::from_min_size(rect.min, Vec2::splat(18.0)),
                    self.theme.tones[2].0,
                );
                ui.painter().galley(rect.min + vec2(24.0, 0.0), galley, self.theme.tones[2].0);
            }
        });
    }

    fn width_of(&self, ui: &Ui, label: &str) -> f32 {
        let galley = Self::galley(ui, label, Type::BodyBold, Color32::PLACEHOLDER, f32::INFINITY);
        galley.size().x + 2.0 * space(5)
    }

    fn line(&mut self, ui: &mut Ui, field: Field, rect: Rect, look: &FieldLook<'_>, faulty: bool) {
        let id = id(field);
        self.begin_with_field(id);
        let response = self.control(ui, rect, id, look.label, true, Role::Field);
        let focused = response.as_ref().is_some_and(egui::Response::has_focus);
        // What is wrong with it stands below it, and is to be seen.
        if faulty && self.follow_fault {
            ui.memory_mut(|memory| memory.request_focus(id));
            ui.scroll_to_rect(rect.expand2(vec2(0.0, 56.0)), None);
            self.scrolls = true;
        }
        let hidden = field.is_secret() && !self.state.shown;
        let glyphs = self.glyphs(ui, field, hidden);
        if let Some(response) = response {
            let response = response.on_hover_cursor(CursorIcon::Text);
            let pressed = ui.input(|input| input.pointer.any_click()) && response.clicked();
            if let Some(at) = response.interact_pointer_pos().filter(|_| pressed) {
                response.request_focus();
                let x = at.x - rect.left() - space(3) + scroll(&glyphs, self.caret(field), rect);
                self.edit(field, Edit::To(nearest(&glyphs, x)));
                self.press(Action::OpenKeys);
            }
        }
        if focused {
            self.focused_field = Some(field);
            let filter = EventFilter { horizontal_arrows: true, ..EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
            for edit in self.edits {
                self.edit(field, *edit);
            }
            // What is typed is to be seen.
            if !self.edits.is_empty() {
                ui.scroll_to_rect(rect.expand(space(3)), None);
            }
            if ui.input(|input| input.key_pressed(Key::Enter)) {
                self.press(look.submit);
            }
        }
        let line = match (faulty, focused) {
            (true, _) => self.theme.tones[2].0,
            (_, true) => self.theme.accent,
            _ => self.theme.edge,
        };
        let width = if focused || faulty { 2.0 } else { self.theme.line_width };
        let radius = CornerRadius::same(RADIUS as u8);
        ui.painter().rect(rect, radius, self.theme.surface, Stroke::new(width, line), StrokeKind::Inside);
        if focused {
            let outer = CornerRadius::same(RADIUS as u8 + 3);
            ui.painter().rect_stroke(
                rect.expand(3.0),
                outer,
                Stroke::new(2.0, self.theme.focus),
                StrokeKind::Middle,
            );
        }
        self.content(ui, field, rect, &glyphs, hidden, focused);
    }

    /// Each character by itself: no layout keeps the text. Without the glyph, only its width.
    fn glyphs(&self, ui: &Ui, field: Field, hidden: bool) -> Vec<(Option<Galley>, f32)> {
        let set = if field == Field::Code { Type::Even } else { Type::Body };
        let text = self.state.fields.get(field).as_str();
        text.chars()
            .map(|char| {
                if hidden {
                    return (None, DOT);
                }
                let galley = Self::galley(ui, char, set, self.theme.ink, f32::INFINITY);
                let width = galley.size().x + if field == Field::Code { 6.0 } else { 0.0 };
                (Some(galley), width)
            })
            .collect()
    }

    fn caret(&self, field: Field) -> usize {
        self.state.fields.get(field).caret_chars()
    }

    fn content(
        &mut self,
        ui: &Ui,
        field: Field,
        rect: Rect,
        glyphs: &[(Option<Galley>, f32)],
        hidden: bool,
        focused: bool,
    ) {
        let painter =
            ui.painter().with_clip_rect(rect.shrink2(vec2(space(2), 2.0)).intersect(ui.clip_rect()));
        let caret = self.caret(field);
        let mut x = rect.left() + space(3) - scroll(glyphs, caret, rect);
        let middle = rect.center().y;
        let mut caret_x = x;
        for (index, (galley, width)) in glyphs.iter().enumerate() {
            match galley {
                Some(galley) => painter.galley(
                    Pos2::new(x, middle - galley.size().y / 2.0),
                    galley.clone(),
                    self.theme.ink,
                ),
                None if hidden => {
                    painter.circle_filled(Pos2::new(x + DOT / 2.0 - 1.0, middle), 4.5, self.theme.ink);
                }
                None => {}
            }
            x += width;
            if index + 1 == caret {
                caret_x = x;
            }
        }
        if focused && !self.covered {
            let bar = Rect::from_center_size(Pos2::new(caret_x, middle), vec2(2.0, 24.0))
                .intersect(painter.clip_rect());
            self.caret = bar.is_positive().then_some((bar, self.theme.accent));
        }
    }

    /// How high the keyboard is on a screen as wide as this.
    pub(super) fn keyboard_height(&self) -> f32 {
        if self.state.keys.open { 5.0 * (TOUCH + GAP) + GAP + 1.0 } else { 0.0 }
    }

    /// The keyboard on the screen.
    pub(super) fn keyboard(&mut self, ui: &mut Ui, rect: Rect, field: Field) {
        ui.painter().rect_filled(rect, CornerRadius::ZERO, self.theme.sunken);
        ui.painter().hline(rect.x_range(), rect.top() + 0.5, Stroke::new(1.0, self.theme.edge));
        let rows = rows(field, self.state.keys.page);
        let wide = rect.width().min(if field == Field::Code { 360.0 } else { 860.0 }) - 2.0 * GAP;
        let left = rect.center().x - wide / 2.0;
        for (index, row) in rows.iter().enumerate() {
            let units: f32 = row.iter().map(|key| key.units).sum();
            let unit = (wide + GAP) / units.max(if field == Field::Code { 3.0 } else { 10.0 });
            let inset = (wide + GAP - units * unit) / 2.0;
            let mut x = left + inset;
            let top = rect.top() + GAP + index as f32 * (TOUCH + GAP);
            for key in row {
                let place = Rect::from_min_size(Pos2::new(x, top), vec2(key.units * unit - GAP, TOUCH));
                self.key(ui, place, key, field);
                x += key.units * unit;
            }
        }
    }

    fn key(&mut self, ui: &mut Ui, rect: Rect, key: &KeyCap, field: Field) {
        let name = key.press.name(self);
        let id = Id::new(("key", rect.min.x as i32, rect.min.y as i32));
        let Some(response) = self.control(ui, rect, id, &name, true, Role::Key) else { return };
        // Whoever looks over a shoulder must not read a hidden text from the keys.
        let tells = !field.is_secret() || self.state.shown;
        let theme = &self.theme;
        let fill = match key.press {
            _ if tells && response.is_pointer_button_down_on() => theme.line,
            Press::Char(_) | Press::Text(_) | Press::Space => theme.surface,
            _ if response.hovered() && !matches!(key.press, Press::Backspace) => theme.line,
            _ => theme.ground,
        };
        let radius = CornerRadius::same(6);
        ui.painter().rect(rect, radius, fill, Stroke::new(theme.line_width, theme.edge), StrokeKind::Inside);
        let ink = theme.ink;
        let arrow = Rect::from_center_size(rect.center(), Vec2::splat(18.0));
        match key.press {
            Press::Left => self.icon(ui, Icon::Back, arrow, ink),
            Press::Right => self.icon(ui, Icon::Next, arrow, ink),
            press => {
                let set = if matches!(press, Press::Char(_)) { Type::Lead } else { Type::SmallBold };
                ui.painter().text(rect.center(), Align2::CENTER_CENTER, &name, set.font(), ink);
            }
        }
        if response.clicked() {
            match key.press {
                Press::Char(char) => self.edit(field, Edit::Insert(char)),
                Press::Text(text) => text.chars().for_each(|char| self.edit(field, Edit::Insert(char))),
                Press::Space => self.edit(field, Edit::Insert(' ')),
                Press::Backspace => self.edit(field, Edit::Backspace),
                Press::Left => self.edit(field, Edit::Left),
                Press::Right => self.edit(field, Edit::Right),
                Press::Page(page) => self.press(Action::Page(page)),
                Press::Hide => self.press(Action::CloseKeys),
            }
            // One capital, then small letters again, as people know it.
            if matches!(key.press, Press::Char(_)) && self.state.keys.page == Page::Capital {
                self.press(Action::Page(Page::Small));
            }
        }
    }
}

const GAP: f32 = 6.0;

struct KeyCap {
    press: Press,
    units: f32,
}

#[derive(Clone, Copy)]
enum Press {
    Char(char),
    Text(&'static str),
    Space,
    Backspace,
    Left,
    Right,
    Page(Page),
    Hide,
}

impl Press {
    fn name(self, kit: &Kit<'_>) -> String {
        match self {
            Self::Char(char) => char.to_string(),
            Self::Text(text) => text.to_owned(),
            Self::Space => kit.say("keys-space"),
            Self::Backspace => kit.say("keys-backspace"),
            Self::Left => kit.say("keys-left"),
            Self::Right => kit.say("keys-right"),
            Self::Page(Page::Small) if kit.state.keys.page == Page::Signs => "abc".to_owned(),
            Self::Page(Page::Small | Page::Capital) => kit.say("keys-shift"),
            Self::Page(Page::Signs) => "123 #+".to_owned(),
            Self::Hide => kit.say("keys-hide"),
        }
    }
}

/// The rows of the keyboard, for what is typed into a field.
fn rows(field: Field, page: Page) -> Vec<Vec<KeyCap>> {
    let caps = |text: &str| -> Vec<KeyCap> {
        text.chars().map(|char| KeyCap { press: Press::Char(char), units: 1.0 }).collect()
    };
    let cap = |press, units| KeyCap { press, units };
    let hide = || cap(Press::Hide, 1.5);
    if field == Field::Code {
        let mut last = vec![cap(Press::Backspace, 1.0)];
        last.extend(caps("0"));
        last.push(cap(Press::Hide, 1.0));
        return vec![caps("123"), caps("456"), caps("789"), last];
    }
    let (one, two, three): (&str, &str, &str) = match page {
        Page::Small => ("qwertyuiop", "asdfghjkl", "zxcvbnm"),
        Page::Capital => ("QWERTYUIOP", "ASDFGHJKL", "ZXCVBNM"),
        Page::Signs => ("!\"#$%&/()=", "*+-_<>[]{}", "?'^~|\\`:;"),
    };
    let other = match page {
        Page::Small => Page::Capital,
        Page::Capital | Page::Signs => Page::Small,
    };
    let mut third = Vec::new();
    if page != Page::Signs {
        third.push(cap(Press::Page(other), 1.5));
    }
    third.extend(caps(three));
    third.push(cap(Press::Backspace, 1.5));
    let switch = if page == Page::Signs { Page::Small } else { Page::Signs };
    let mut last = vec![cap(Press::Page(switch), 1.5)];
    // What every address needs is at hand; a password has its space.
    if field == Field::Email {
        last.extend(caps("@.-_"));
        last.push(cap(Press::Text(".com"), 1.0));
    } else {
        last.extend(caps("@.,"));
        last.push(cap(Press::Space, 2.0));
    }
    last.push(cap(Press::Left, 1.0));
    last.push(cap(Press::Right, 1.0));
    last.push(hide());
    vec![caps("1234567890"), caps(one), caps(two), third, last]
}

/// How far a text is shifted so that its caret is seen.
fn scroll(glyphs: &[(Option<Galley>, f32)], caret: usize, rect: Rect) -> f32 {
    let caret_x: f32 = glyphs.iter().take(caret).map(|(_, width)| width).sum();
    (caret_x - (rect.width() - 2.0 * space(3))).max(0.0)
}

/// The character whose left edge is nearest.
fn nearest(glyphs: &[(Option<Galley>, f32)], x: f32) -> usize {
    let mut left = 0.0;
    for (index, (_, width)) in glyphs.iter().enumerate() {
        if x < left + width / 2.0 {
            return index;
        }
        left += width;
    }
    glyphs.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_of_an_address_and_of_a_strong_password_can_be_typed() {
        let typed = |field| -> String {
            [Page::Small, Page::Capital, Page::Signs]
                .into_iter()
                .flat_map(|page| rows(field, page).into_iter().flatten())
                .filter_map(|key| match key.press {
                    Press::Char(char) => Some(char),
                    Press::Space => Some(' '),
                    _ => None,
                })
                .collect()
        };
        let (email, password) = (typed(Field::Email), typed(Field::Password));
        for char in ('!'..='~').chain([' ']) {
            assert!(password.contains(char), "{char:?} in a password");
            assert!(
                char == ' ' || email.contains(char) || !char.is_ascii_alphanumeric(),
                "{char:?} in an address"
            );
        }
        for char in "@.-_+".chars() {
            assert!(email.contains(char), "{char:?} in an address");
        }
        assert!(('0'..='9').all(|digit| typed(Field::Code).contains(digit)));
    }
}
