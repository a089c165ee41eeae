// A recorder's QR code opens /add#<serial>/<code>. What it says is kept in this window alone while its owner signs in,
// taken out of the address bar and the history, and filled into the form. The form works without this, typed.
(() => {
  "use strict";
  const KEY = "latchkey-add";
  const KEPT_MS = 30 * 60 * 1000;
  const byId = (id) => document.getElementById(id);
  const store = (text) => {
    try {
      if (text) sessionStorage.setItem(KEY, text); else sessionStorage.removeItem(KEY);
    } catch {
      // Where a browser keeps nothing, the code is scanned again after signing in.
    }
  };
  const kept = () => {
    try {
      const found = JSON.parse(sessionStorage.getItem(KEY));
      if (found && Date.now() - found.at < KEPT_MS) return found;
    } catch {
      // As if there were none.
    }
    store(null);
    return null;
  };

  const form = byId("add");
  const begin = () => {
    if (location.pathname === "/add" && location.hash.length > 1) {
      const [, serial, code] = /^#([A-Za-z0-9-]{1,32})\/([A-Za-z0-9]{6,12})$/.exec(location.hash) || [];
      history.replaceState(null, "", "/add");
      byId("damaged").hidden = !!serial;
      store(serial ? JSON.stringify({ serial, code, at: Date.now() }) : null);
    }
    const scanned = kept();
    if (!scanned) return;
    for (const note of document.querySelectorAll("[data-kept]")) note.hidden = false;
    if (document.querySelector("[data-recorders]")) return location.replace("/add");
    if (!form) return;
    form.elements.serial.value = scanned.serial;
    form.elements.device_code.value = scanned.code;
    byId("scanned").hidden = false;
    byId("by-hand").hidden = true;
    store(null);
  };
  addEventListener("hashchange", begin);
  begin();
})();
