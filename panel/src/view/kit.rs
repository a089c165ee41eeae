//! The parts that screens are made of.

use super::{
    Control, Galley, Role, icons,
    theme::{Theme, Type},
    words,
};
use crate::{
    state::{Action, Event, Field, State, Tone},
    text::Edit,
};
use egui::{
    Align2, Color32, CornerRadius, CursorIcon, Id, Pos2, Rect, Response, Sense, Shape, Stroke, StrokeKind,
    Ui, UiBuilder, Vec2, vec2,
};
use latchkey_look::{
    Catalogue, Icon,
    tokens::{RADIUS_PX, SPACE_PX, TOUCH_PX},
};

pub(super) const TOUCH: f32 = TOUCH_PX as f32;
pub(super) const RADIUS: f32 = RADIUS_PX as f32;
/// The spacing scale.
pub(super) const fn space(step: usize) -> f32 {
    SPACE_PX[step - 1] as f32
}

/// How a button looks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// What most people want here.
    Primary,
    /// Another way.
    Secondary,
    /// No ground: less important.
    Quiet,
}

/// What a screen is drawn with.
pub(super) struct Kit<'k> {
    pub(super) state: &'k State,
    pub(super) words: &'k Catalogue,
    pub(super) theme: Theme,
    pub(super) addresses: &'k [String],
    pub(super) edits: &'k [Edit],
    scale: f32,
    events: Vec<Event>,
    controls: Vec<Control>,
    first: Option<Id>,
    first_is_field: bool,
    /// A field that cannot stay as it is gets the focus.
    pub(super) follow_fault: bool,
    /// The content moves, which the next picture shows.
    pub(super) scrolls: bool,
    /// What is told is new, and scrolled to.
    pub(super) follow_notice: bool,
    /// The screen is shown for the first time since another one was.
    pub(super) fresh: bool,
    /// What has the focus is scrolled to.
    pub(super) follow_focus: bool,
    /// It is not scrolled to.
    pub(super) stays: bool,
    focus_visible: bool,
    /// Where the caret is, and its colour.
    pub(super) caret: Option<(Rect, Color32)>,
    /// Under a dialog nothing can be used.
    pub(super) covered: bool,
    /// The field that the keyboard on the screen types into.
    pub(super) focused_field: Option<Field>,
}

/// Scroll bars and what else the toolkit draws by itself.
pub(super) fn style(style: &mut egui::Style, theme: &Theme) {
    let visuals = &mut style.visuals;
    visuals.panel_fill = theme.ground;
    visuals.extreme_bg_color = theme.sunken;
    visuals.handle_shape = egui::style::HandleShape::Rect { aspect_ratio: 1.0 };
    for widget in [&mut visuals.widgets.inactive, &mut visuals.widgets.hovered, &mut visuals.widgets.active] {
        widget.fg_stroke = Stroke::new(1.0, theme.edge);
        widget.bg_fill = theme.edge;
        widget.corner_radius = CornerRadius::same(4);
    }
    style.spacing.scroll = egui::style::ScrollStyle::solid();
    style.spacing.scroll.bar_width = 10.0;
    style.spacing.scroll.handle_min_length = 40.0;
}

impl<'k> Kit<'k> {
    pub(super) fn new(
        state: &'k State,
        words: &'k Catalogue,
        edits: &'k mut [Edit],
        scale: f32,
        focus_visible: bool,
    ) -> Self {
        Self {
            state,
            words,
            theme: Theme::new(state.preferences.high_contrast),
            addresses: &[],
            edits,
            scale,
            events: Vec::new(),
            controls: Vec::new(),
            first: None,
            first_is_field: false,
            follow_fault: false,
            scrolls: false,
            follow_notice: false,
            fresh: false,
            follow_focus: false,
            stays: false,
            focus_visible,
            caret: None,
            covered: false,
            focused_field: None,
        }
    }

    pub(super) fn begin(&mut self) {
        self.events.clear();
        self.controls.clear();
        self.caret = None;
    }

    pub(super) fn end(self) -> (Vec<Event>, Vec<Control>, Option<Id>) {
        (self.events, self.controls, self.first)
    }

    pub(super) fn say(&self, key: &str) -> String {
        self.words.say(key)
    }

    pub(super) fn press(&mut self, action: Action) {
        self.events.push(Event::Press(action));
    }

    pub(super) fn edit(&mut self, field: Field, edit: Edit) {
        self.events.push(Event::Edit(field, edit));
    }

    pub(super) fn galley(ui: &Ui, text: impl Into<String>, set: Type, colour: Color32, width: f32) -> Galley {
        ui.painter().layout(text.into(), set.font(), colour, width)
    }

    /// A text over the whole width.
    pub(super) fn text(&self, ui: &mut Ui, text: impl Into<String>, set: Type, colour: Color32) {
        let galley = Self::galley(ui, text, set, colour, ui.available_width());
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), galley.size().y), Sense::hover());
        ui.painter().galley(rect.min, galley, colour);
    }

    pub(super) fn title(&self, ui: &mut Ui, key: &str) {
        self.text(ui, self.say(key), Type::Title, self.theme.ink);
    }

    pub(super) fn body(&self, ui: &mut Ui, text: impl Into<String>) {
        self.text(ui, text, Type::Body, self.theme.ink);
    }

    pub(super) fn hint(&self, ui: &mut Ui, text: impl Into<String>) {
        self.text(ui, text, Type::Small, self.theme.muted);
    }

    pub(super) fn icon(&self, ui: &Ui, icon: Icon, at: Rect, colour: Color32) {
        let unit = at.width() / icons::SIDE;
        for line in icons::lines(icon) {
            let points: Vec<Pos2> = line.iter().map(|[x, y]| at.min + vec2(x * unit, y * unit)).collect();
            ui.painter().add(Shape::line(points, Stroke::new(2.0 * unit, colour)));
        }
    }

    /// Makes a place usable: registers it, and gives what is done to it. `None` while it is covered.
    pub(super) fn control(
        &mut self,
        ui: &Ui,
        rect: Rect,
        id: Id,
        name: &str,
        enabled: bool,
        role: Role,
    ) -> Option<Response> {
        if self.covered {
            return None;
        }
        let sense = match (enabled, role) {
            (false, _) => Sense::hover(),
            (true, Role::Key) => Sense::CLICK,
            (true, _) => Sense::click(),
        };
        let response = ui.interact(rect, id, sense);
        let seen = rect.intersect(ui.clip_rect());
        let px = |points: f32| points * self.scale;
        self.controls.push(Control {
            name: name.to_owned(),
            area_px: [px(seen.left()), px(seen.top()), px(seen.right()), px(seen.bottom())],
            enabled,
            focused: response.has_focus(),
            role,
        });
        let follows = response.gained_focus() || (self.follow_focus && response.has_focus());
        if follows && !self.stays {
            ui.scroll_to_rect(rect.expand(space(3)), None);
            self.scrolls = true;
        }
        Some(if enabled { response.on_hover_cursor(CursorIcon::PointingHand) } else { response })
    }

    /// Where a person begins on this screen: the first field, or else the primary button.
    fn may_begin(&mut self, id: Id, is_field: bool) {
        if self.first.is_none() || (is_field && !self.first_is_field) {
            self.first = Some(id);
            self.first_is_field = is_field;
        }
    }

    /// The ring around what has the keyboard.
    pub(super) fn ring(&self, ui: &Ui, rect: Rect, response: Option<&Response>) {
        if response.is_some_and(Response::has_focus) && self.focus_visible {
            let radius = CornerRadius::same(RADIUS_PX as u8 + 3);
            let stroke = Stroke::new(3.0, self.theme.focus);
            ui.painter().rect_stroke(rect.expand(3.0), radius, stroke, StrokeKind::Middle);
        }
    }

    /// A button as wide as its words.
    pub(super) fn button(
        &mut self,
        ui: &mut Ui,
        action: Action,
        look: Look,
        icon: Option<Icon>,
        label: &str,
        enabled: bool,
    ) {
        let galley = Self::galley(ui, label, Type::BodyBold, Color32::PLACEHOLDER, f32::INFINITY);
        let beside = if icon.is_some() { 20.0 + space(2) } else { 0.0 };
        let pad = if look == Look::Quiet { space(3) } else { space(5) };
        let width = (galley.size().x + beside + 2.0 * pad).max(TOUCH);
        let (rect, _) = ui.allocate_exact_size(vec2(width, TOUCH), Sense::hover());
        let id = ui.id().with(("button", label));
        let response = self.control(ui, rect, id, label, enabled, Role::Button);
        if look == Look::Primary && enabled {
            self.may_begin(id, false);
        }
        let hovered = response.as_ref().is_some_and(Response::hovered);
        let theme = &self.theme;
        let (fill, line, ink) = match (look, enabled) {
            (Look::Primary, true) if hovered => (theme.accent_strong, theme.accent_strong, theme.on_accent),
            (Look::Primary, true) => (theme.accent, theme.accent, theme.on_accent),
            (_, false) if look == Look::Quiet => (Color32::TRANSPARENT, Color32::TRANSPARENT, theme.muted),
            (_, false) => (theme.sunken, theme.line, theme.muted),
            (Look::Secondary, _) if hovered => (theme.sunken, theme.edge, theme.accent),
            (Look::Secondary, _) => (theme.surface, theme.edge, theme.accent),
            (Look::Quiet, _) if hovered => (theme.sunken, theme.sunken, theme.accent),
            (Look::Quiet, _) => (Color32::TRANSPARENT, Color32::TRANSPARENT, theme.accent),
        };
        let radius = CornerRadius::same(RADIUS_PX as u8);
        ui.painter().rect(rect, radius, fill, Stroke::new(theme.line_width, line), StrokeKind::Inside);
        let mut at = rect.left_center() + vec2((width - galley.size().x - beside) / 2.0, 0.0);
        if let Some(icon) = icon {
            self.icon(ui, icon, Rect::from_min_size(at - vec2(0.0, 10.0), Vec2::splat(20.0)), ink);
            at.x += beside;
        }
        ui.painter().galley(at - vec2(0.0, galley.size().y / 2.0), galley, ink);
        self.ring(ui, rect, response.as_ref());
        if response.is_some_and(|response| response.clicked()) {
            self.press(action);
        }
    }

    /// Buttons beside each other.
    pub(super) fn row(&mut self, ui: &mut Ui, content: impl FnOnce(&mut Self, &mut Ui)) {
        ui.horizontal_wrapped(|ui| {
            ui.spacing_mut().item_spacing = vec2(space(3), space(3));
            content(self, ui);
        });
    }

    /// A card: what belongs together.
    pub(super) fn card(&mut self, ui: &mut Ui, content: impl FnOnce(&mut Self, &mut Ui)) {
        let pad = if ui.available_width() < 420.0 { space(4) } else { space(5) };
        let frame = egui::Frame::new()
            .fill(self.theme.surface)
            .stroke(Stroke::new(self.theme.line_width, self.theme.line))
            .corner_radius(CornerRadius::same(RADIUS_PX as u8 + 2))
            .inner_margin(pad);
        frame.show(ui, |ui| {
            ui.spacing_mut().item_spacing = vec2(space(3), space(4));
            ui.set_min_width(ui.available_width());
            content(self, ui);
        });
    }

    /// Something to be read first.
    pub(super) fn notice(&mut self, ui: &mut Ui, tone: Tone, title: &str, text: &str) {
        let (ink, ground) = self.theme.tones[tone as usize];
        let icon = [Icon::Info, Icon::Warn, Icon::Danger, Icon::Success][tone as usize];
        let width = ui.available_width();
        let pad = space(4);
        let inner = width - 2.0 * pad - 24.0 - space(3);
        let title = Self::galley(ui, title, Type::BodyBold, ink, inner);
        let text = (!text.is_empty()).then(|| Self::galley(ui, text, Type::Body, self.theme.ink, inner));
        let text_height = text.as_ref().map_or(0.0, |text| text.size().y + space(1));
        let height = 2.0 * space(3) + title.size().y.max(24.0) + text_height;
        let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
        let radius = CornerRadius::same(RADIUS_PX as u8);
        ui.painter().rect(rect, radius, ground, Stroke::new(self.theme.line_width, ink), StrokeKind::Inside);
        let at = rect.min + vec2(pad, space(3));
        self.icon(ui, icon, Rect::from_min_size(at, Vec2::splat(24.0)), ink);
        let at = at + vec2(24.0 + space(3), ((24.0 - title.size().y) / 2.0).max(0.0));
        let below = at + vec2(0.0, title.size().y + space(1));
        ui.painter().galley(at, title, ink);
        if let Some(text) = text {
            ui.painter().galley(below, text, self.theme.ink);
        }
    }

    /// What the state has to tell.
    pub(super) fn told(&mut self, ui: &mut Ui) {
        if let Some(notice) = &self.state.notice {
            let (tone, title, text) = words::notice(self.words, self.state, notice);
            let top = ui.cursor().min;
            self.notice(ui, tone, &title, &text);
            if self.follow_notice {
                let told = Rect::from_min_max(top, Pos2::new(top.x, ui.cursor().top()));
                ui.scroll_to_rect(told.expand(space(3)), None);
                self.scrolls = true;
            }
        }
    }

    /// A box to tick, and what it means.
    pub(super) fn choice(&mut self, ui: &mut Ui, action: Action, ticked: bool, label: &str, hint: &str) {
        let width = ui.available_width();
        let side = 24.0;
        let name = Self::galley(ui, label, Type::BodyBold, self.theme.ink, width - side - space(3));
        let hint = (!hint.is_empty())
            .then(|| Self::galley(ui, hint, Type::Small, self.theme.muted, width - side - space(3)));
        let height = name.size().y + hint.as_ref().map_or(0.0, |hint| hint.size().y + 2.0);
        let (rect, _) = ui.allocate_exact_size(vec2(width, height.max(TOUCH)), Sense::hover());
        let id = ui.id().with(("choice", label));
        let response = self.control(ui, rect, id, label, true, Role::Button);
        let top = rect.top() + (rect.height() - height) / 2.0;
        let mark = Rect::from_min_size(Pos2::new(rect.left(), top - 1.0), Vec2::splat(side));
        let (fill, line) = if ticked {
            (self.theme.accent, self.theme.accent)
        } else {
            (self.theme.surface, self.theme.edge)
        };
        ui.painter().rect(mark, CornerRadius::same(4), fill, Stroke::new(2.0, line), StrokeKind::Inside);
        if ticked {
            let tick = [vec2(6.0, 12.5), vec2(10.2, 16.5), vec2(18.0, 8.0)].map(|point| mark.min + point);
            ui.painter().add(Shape::line(tick.to_vec(), Stroke::new(2.5, self.theme.on_accent)));
        }
        let at = Pos2::new(rect.left() + side + space(3), top);
        let below = at + vec2(0.0, name.size().y + 2.0);
        ui.painter().galley(at, name, self.theme.ink);
        if let Some(hint) = hint {
            ui.painter().galley(below, hint, self.theme.muted);
        }
        self.ring(ui, rect, response.as_ref());
        if response.is_some_and(|response| response.clicked()) {
            self.press(action);
        }
    }

    /// A way on: its name, what is there, an arrow.
    pub(super) fn way(&mut self, ui: &mut Ui, action: Option<Action>, icon: Icon, label: &str, hint: &str) {
        let width = ui.available_width();
        let enabled = action.is_some();
        let ink = if enabled { self.theme.accent } else { self.theme.muted };
        let inner = width - 24.0 - 24.0 - 4.0 * space(3);
        let name = Self::galley(ui, label, Type::BodyBold, ink, inner);
        let hint = (!hint.is_empty()).then(|| Self::galley(ui, hint, Type::Small, self.theme.muted, inner));
        let content = name.size().y + hint.as_ref().map_or(0.0, |hint| hint.size().y + 2.0);
        let (rect, _) =
            ui.allocate_exact_size(vec2(width, (content + 2.0 * space(3)).max(TOUCH + 8.0)), Sense::hover());
        let id = ui.id().with(("way", label));
        let response = self.control(ui, rect, id, label, enabled, Role::Button);
        let hovered = enabled && response.as_ref().is_some_and(Response::hovered);
        let fill = if hovered || !enabled { self.theme.sunken } else { self.theme.surface };
        let line = if enabled { self.theme.edge } else { self.theme.line };
        let radius = CornerRadius::same(RADIUS_PX as u8);
        ui.painter().rect(rect, radius, fill, Stroke::new(self.theme.line_width, line), StrokeKind::Inside);
        let centre = rect.center().y;
        let icon_at =
            Rect::from_center_size(Pos2::new(rect.left() + space(3) + 12.0, centre), Vec2::splat(24.0));
        self.icon(ui, icon, icon_at, ink);
        let at = Pos2::new(icon_at.right() + space(3), centre - content / 2.0);
        let below = at + vec2(0.0, name.size().y + 2.0);
        ui.painter().galley(at, name, ink);
        if let Some(hint) = hint {
            ui.painter().galley(below, hint, self.theme.muted);
        }
        if enabled {
            let arrow =
                Rect::from_center_size(Pos2::new(rect.right() - space(3) - 12.0, centre), Vec2::splat(20.0));
            self.icon(ui, Icon::Next, arrow, ink);
        }
        self.ring(ui, rect, response.as_ref());
        if let (Some(action), true) = (action, response.is_some_and(|response| response.clicked())) {
            self.press(action);
        }
    }

    /// Names and what they name.
    pub(super) fn facts(&self, ui: &mut Ui, facts: &[(String, String, Type)]) {
        let names: Vec<Galley> = facts
            .iter()
            .map(|(name, ..)| Self::galley(ui, name.as_str(), Type::Small, self.theme.muted, 180.0))
            .collect();
        let column = names.iter().map(|name| name.size().x).fold(0.0, f32::max) + space(4);
        for ((_, value, set), name) in facts.iter().zip(names) {
            let width = ui.available_width();
            let value = Self::galley(ui, value.as_str(), *set, self.theme.ink, width - column);
            let height = value.size().y.max(name.size().y);
            let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
            let first_row = value.rows.first().map_or(0.0, |row| row.rect().height());
            let down = ((first_row - name.size().y) / 2.0).max(0.0);
            ui.painter().galley(rect.min + vec2(0.0, down), name, self.theme.muted);
            ui.painter().galley(rect.min + vec2(column, 0.0), value, self.theme.ink);
        }
    }

    /// Numbered steps.
    pub(super) fn steps(&self, ui: &mut Ui, steps: &[String]) {
        for (index, step) in steps.iter().enumerate() {
            let width = ui.available_width();
            let side = 28.0;
            let text = Self::galley(ui, step.as_str(), Type::Body, self.theme.ink, width - side - space(3));
            let height = text.size().y.max(side);
            let (rect, _) = ui.allocate_exact_size(vec2(width, height), Sense::hover());
            let centre = rect.min + Vec2::splat(side / 2.0);
            ui.painter().circle(centre, side / 2.0, self.theme.surface, Stroke::new(1.0, self.theme.edge));
            let number = (index + 1).to_string();
            ui.painter().text(centre, Align2::CENTER_CENTER, number, Type::SmallBold.font(), self.theme.ink);
            let down = if text.rows.len() > 1 { 1.0 } else { ((side - text.size().y) / 2.0).max(0.0) };
            ui.painter().galley(rect.min + vec2(side + space(3), down), text, self.theme.ink);
        }
    }

    /// How far the reset is: 1 Verify Identification, 2 Set New Password, 3 Complete.
    pub(super) fn progress(&self, ui: &mut Ui, now: usize) {
        let width = ui.available_width();
        let gap = space(2);
        let part = (width - 2.0 * gap) / 3.0;
        let (rect, _) = ui.allocate_exact_size(vec2(width, 34.0), Sense::hover());
        for step in 0..3 {
            let left = rect.left() + step as f32 * (part + gap);
            let bar = Rect::from_min_size(Pos2::new(left, rect.top()), vec2(part, 4.0));
            let colour = if step <= now { self.theme.accent } else { self.theme.line };
            ui.painter().rect_filled(bar, CornerRadius::ZERO, colour);
            let (set, ink) =
                if step == now { (Type::SmallBold, self.theme.ink) } else { (Type::Small, self.theme.muted) };
            let text = format!("{} {}", step + 1, self.say(["wizard-1", "wizard-2", "wizard-3"][step]));
            let galley = Self::galley(ui, text, set, ink, part);
            ui.painter().galley(bar.left_bottom() + vec2(0.0, space(1)), galley, ink);
        }
    }

    /// A part of a place, to be filled from the top.
    pub(super) fn within(&mut self, ui: &mut Ui, rect: Rect, content: impl FnOnce(&mut Self, &mut Ui)) {
        let mut inside =
            ui.new_child(UiBuilder::new().max_rect(rect).layout(egui::Layout::top_down(egui::Align::Min)));
        content(self, &mut inside);
    }

    pub(super) fn begin_with_field(&mut self, id: Id) {
        self.may_begin(id, true);
    }
}
