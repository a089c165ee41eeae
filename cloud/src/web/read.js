// A thread of its own that reads QR codes in pictures, so that the page stays quick. The reader stands beside.
"use strict";
importScripts("qr.js");

// A picture is { width, height, pixels (RGBA), time_ms, effort }; the answer is the code's text, or null.
addEventListener("message", ({ data }) => {
  let text = null;
  try {
    const picture = { width: data.width, height: data.height, data: new Uint8ClampedArray(data.pixels) };
    text = latchkeyQr.decodeQR(picture, { timeLimit: data.time_ms, effort: data.effort }) || null;
  } catch {
    // No code in this picture.
  }
  postMessage(text);
});
