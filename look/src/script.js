"use strict";
// Comforts only: every page does its work without this file.
(() => {
  const all = (selector, each) => document.querySelectorAll(selector).forEach(each);

  // Show a password: <button type="button" hidden data-show="input's id" data-hide-label="Hide">Show</button>
  all("[data-show]", (button) => {
    const input = document.getElementById(button.dataset.show);
    const label = button.textContent;
    button.hidden = false;
    button.addEventListener("click", () => {
      const show = input.type === "password";
      input.type = show ? "text" : "password";
      button.textContent = show ? button.dataset.hideLabel : label;
      button.setAttribute("aria-pressed", String(show));
    });
    // A browser must neither keep nor spell-check a password that was shown.
    input.form.addEventListener("submit", () => { input.type = "password"; });
  });

  // Strength: <div hidden data-meter="input's id" data-min="8" data-words="too short|weak|fair|good|strong">
  const rules = {
    upper: /\p{Lu}.*\p{Ll}|\p{Ll}.*\p{Lu}/su,
    digit: /\p{Nd}/u,
    special: /[^\p{L}\p{Nd}]/u,
  };
  all("[data-meter]", (meter) => {
    const input = document.getElementById(meter.dataset.meter);
    const list = document.getElementById(meter.dataset.rules);
    const word = meter.querySelector("[data-word]");
    const words = meter.dataset.words.split("|");
    const min = Number(meter.dataset.min);
    const judge = () => {
      const text = input.value;
      const long = [...text].length >= min;
      const met = Object.keys(rules).filter((name) => rules[name].test(text));
      const level = !text || !long ? 0 : Math.min(4, 1 + met.length);
      meter.dataset.level = level;
      word.textContent = text ? words[level] : "";
      if (list) {
        for (const item of list.children) {
          const name = item.dataset.rule;
          item.classList.toggle("met", name === "length" ? long : met.includes(name));
        }
      }
    };
    meter.hidden = false;
    input.addEventListener("input", judge);
    judge();
  });

  // Time left: <span data-left="seconds" data-over="It has expired.">47 hours 58 minutes</span>
  const lang = document.documentElement.lang || "en";
  const unit = (number, name) =>
    new Intl.NumberFormat(lang, { style: "unit", unit: name, unitDisplay: "long" }).format(number);
  const words = (s) => {
    const h = Math.floor(s / 3600);
    const m = Math.floor(s % 3600 / 60);
    const rest = h || m > 9 ? 0 : s % 60;
    return [h && unit(h, "hour"), m && unit(m, "minute"), rest && unit(rest, "second")].filter(Boolean).join(" ");
  };
  const start = Date.now();
  const timers = [];
  const tick = () => {
    const passed = Math.floor((Date.now() - start) / 1000);
    for (const show of timers) show(passed);
  };
  all("[data-left]", (span) => {
    const total = Number(span.dataset.left);
    const holder = span.closest("[data-until]");
    if (holder) holder.hidden = false;
    timers.push((passed) => {
      const left = Math.max(0, total - passed);
      const text = words(left);
      if (left && span.textContent !== text) span.textContent = text;
      if (left || span.dataset.done) return;
      span.dataset.done = "1";
      // What may be done again, or what is over.
      if (holder) {
        holder.hidden = true;
        const button = document.getElementById(holder.dataset.until);
        if (button) button.disabled = false;
      } else if (span.dataset.over) {
        span.textContent = span.dataset.over;
      }
    });
  });
  if (timers.length) {
    tick();
    setInterval(tick, 1000);
  }
})();
