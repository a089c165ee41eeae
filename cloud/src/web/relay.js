// The page that a QR code opens, and the page of a mail's state. Both work without this.
(() => {
  "use strict";

  // 17 digits are 7 bytes; the last group has as many digits as its bytes need.
  const WIDTH = [0, 3, 5, 8, 10, 13, 15, 17];
  const bytesOf = (digits) => {
    const bytes = [];
    for (let at = 0; at < digits.length; at += 17) {
      const group = digits.slice(at, at + 17);
      const length = WIDTH.indexOf(group.length);
      let value = BigInt(group);
      if (length < 1 || value >> BigInt(8 * length)) return null;
      const part = [];
      for (let i = 0; i < length; i++) {
        part.unshift(Number(value & 255n));
        value >>= 8n;
      }
      bytes.push(...part);
    }
    return [247, 311, 375].includes(bytes.length) ? new Uint8Array(bytes) : null;
  };

  const ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
  const tagOf = async (bytes) => {
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const bits = (hash[0] << 16 | hash[1] << 8 | hash[2]) >> 4;
    return [15, 10, 5, 0].map((shift) => ALPHABET[bits >> shift & 31]).join("");
  };

  const scan = async () => {
    const form = document.getElementById("send");
    if (!form) return;
    const digits = location.hash.slice(1);
    if (!digits) return;
    const bytes = /^\d{1,1024}$/.test(digits) ? bytesOf(digits) : null;
    document.getElementById("found").hidden = !bytes;
    document.getElementById("damaged").hidden = !!bytes;
    document.getElementById("paste").hidden = !!bytes;
    if (!bytes) return;
    // What the code is for stands openly in the third byte; 2 confirms an address.
    document.getElementById("for-2").hidden = bytes[2] !== 2;
    form.elements.sealed.value = digits;
    if (window.crypto && crypto.subtle) {
      // Its place is kept from the start: the button must not move away from under a thumb.
      document.getElementById("tag-line").hidden = false;
      document.getElementById("tag").textContent = await tagOf(bytes);
    }
  };
  scan();
  addEventListener("hashchange", scan);
  // A second tap would only ask for what has been asked for.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const button = event.target.querySelector("button");
    setTimeout(() => { button.disabled = true; });
  });
  addEventListener("pageshow", (event) => {
    if (event.persisted) for (const button of document.querySelectorAll("form button")) button.disabled = false;
  });

  // The mail's state: asked for again until it is final, and shown by the page itself.
  const watched = document.querySelector("[data-watch]");
  if (watched) {
    let pause = 1000;
    const look = async () => {
      try {
        const answer = await fetch(watched.dataset.watch, { cache: "no-store" });
        const told = answer.ok && await answer.json();
        if (told && told.mail.version !== watched.dataset.version) {
          location.reload();
          return;
        }
      } catch {
        // The network is away: the page stays as it is, and the next look may succeed.
      }
      pause = Math.min(pause * 1.5, 15000);
      setTimeout(look, pause);
    };
    setTimeout(look, pause);
  }
})();
