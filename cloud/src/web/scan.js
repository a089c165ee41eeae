// Scanning a recorder's QR code with the camera, or in a photo. What is read opens the page that a scanned
// link opens, and that page acts only on the person's tap.
(() => {
  "use strict";
  const { reader, host, kind, adds } = document.currentScript.dataset;
  const byId = (id) => document.getElementById(id);
  const card = byId("camera");
  const finder = card.querySelector(".finder");
  const video = card.querySelector("video");
  const open = byId("open"), close = byId("close"), turn = byId("turn");

  const SIDE_MAX = 1080; // a frame's part that is looked at, in its own points
  const FRAME_MS = 150, PHOTO_MS = 4000; // how long a picture is looked into
  const SLOW_MS = 12000; // after that, advice

  const show = (name, of = "state") => {
    for (const part of document.querySelectorAll(`[data-${of}]`)) part.hidden = part.dataset[of] !== name;
  };

  // What a text is: the digits of a reset here, or why not.
  const judge = (text) => {
    const link = /^\s*https:\/\/([^\s\/#?]+)\/(r|add)#(\S+)\s*$/.exec(text);
    if (link && link[2] === "r" && /^\d+$/.test(link[3])) {
      return link[1].toLowerCase() === host ? { digits: link[3] } : { state: "elsewhere", text: text.trim() };
    }
    if (link && link[2] === "add" && adds !== undefined) {
      return link[1].toLowerCase() === host ? { adding: link[3] } : { state: "elsewhere", text: text.trim() };
    }
    return { state: "other" };
  };

  const go = ({ digits, adding }) => {
    stop();
    location.assign(digits ? `/r#${digits}` : `/add#${adding}`);
  };

  // The reader answers in the order in which it is asked: a photo may come while the camera looks.
  let worker;
  const waiting = [];
  const read = (picture, time_ms, effort) => new Promise((resolve) => {
    if (!worker) {
      worker = new Worker(reader);
      worker.onmessage = ({ data }) => waiting.shift()(data);
      worker.onerror = () => waiting.splice(0).forEach((answer) => answer(null));
    }
    waiting.push(resolve);
    const pixels = picture.data.buffer;
    worker.postMessage({ width: picture.width, height: picture.height, pixels, time_ms, effort }, [pixels]);
  });

  const canvas = document.createElement("canvas");
  const pixels = (source, x, y, width, height, scale) => {
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(source, x, y, width, height, 0, 0, canvas.width, canvas.height);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  };

  // The browser's own reader, where it has one: fast, and it sees the whole frame.
  let own;
  const findOwn = async () => {
    try {
      const kinds = await BarcodeDetector.getSupportedFormats();
      if (kinds.includes("qr_code")) own = new BarcodeDetector({ formats: ["qr_code"] });
    } catch {
      own = null;
    }
  };

  const look = async () => {
    if (own) {
      try {
        const [found] = await own.detect(video);
        if (found) return found.rawValue;
      } catch {
        own = null;
      }
    }
    const { videoWidth: width, videoHeight: height } = video;
    const side = Math.min(width, height);
    const frame = pixels(video, (width - side) / 2, (height - side) / 2, side, side, Math.min(1, SIDE_MAX / side));
    return read(frame, FRAME_MS, 4);
  };

  let stream, cameras = [], at = -1;

  const stop = (state) => {
    if (stream) for (const track of stream.getTracks()) track.stop();
    stream = null;
    video.srcObject = null;
    finder.hidden = close.hidden = turn.hidden = true;
    open.hidden = false;
    show(state);
  };

  const scan = async (mine) => {
    let since = performance.now(), told;
    while (stream === mine) {
      if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && !document.hidden) {
        const text = await look();
        if (stream !== mine) return;
        if (text) {
          const found = judge(text);
          if (found.digits || found.adding) return go(found);
          if (found.text) byId("elsewhere").textContent = byId("elsewhere").href = found.text;
          if (told !== found.state) show(told = found.state);
          since = performance.now();
        } else if (!told && performance.now() - since > SLOW_MS) {
          show(told = "slow");
        }
      }
      await new Promise(requestAnimationFrame);
    }
  };

  const WHY = {
    NotAllowedError: "refused", SecurityError: "refused", NotFoundError: "none", OverconstrainedError: "none",
    NotReadableError: "busy", AbortError: "busy",
  };

  const begin = async () => {
    open.disabled = true;
    show("asking");
    try {
      const ask = { width: { ideal: 1920 }, height: { ideal: 1080 } };
      if (cameras[at]) ask.deviceId = { exact: cameras[at].deviceId };
      else ask.facingMode = { ideal: "environment" };
      const mine = await navigator.mediaDevices.getUserMedia({ audio: false, video: ask });
      stop("looking");
      stream = mine;
      for (const track of mine.getTracks()) track.onended = () => { if (stream === mine) stop("failed"); };
      video.srcObject = mine;
      finder.hidden = close.hidden = false;
      open.hidden = true;
      if (document.activeElement === document.body) close.focus();
      await video.play();
      cameras = (await navigator.mediaDevices.enumerateDevices()).filter((device) => device.kind === "videoinput");
      turn.hidden = cameras.length < 2;
      if (own === undefined) await findOwn();
      scan(mine);
    } catch (error) {
      stop(WHY[error.name] || "failed");
      byId("by-photo").open = true;
    } finally {
      open.disabled = false;
    }
  };

  card.hidden = byId("by-link").hidden = false;
  if (navigator.mediaDevices && navigator.mediaDevices.getUserMedia) {
    open.addEventListener("click", begin);
  } else {
    open.hidden = true;
    show("insecure");
    byId("by-photo").open = true;
  }
  close.addEventListener("click", () => { stop(); open.focus(); });
  turn.addEventListener("click", () => {
    at = (at + 1) % cameras.length;
    begin();
  });
  // The camera is let go when the page is left or out of sight.
  addEventListener("pagehide", () => stop());
  document.addEventListener("visibilitychange", () => { if (document.hidden) stop(); });

  // A photo is read here. Only if that fails, and the person asks for it, the service reads it.
  const photo = byId("photo"), file = byId("picture"), send = photo.querySelector("button");
  send.hidden = true;
  const readPhoto = async () => {
    const chosen = file.files[0];
    if (!chosen) return;
    if (chosen.size > photo.dataset.most) {
      file.value = "";
      return show("too-large", "photo");
    }
    show("reading", "photo");
    send.hidden = true;
    let text = null;
    try {
      const bitmap = await createImageBitmap(chosen);
      // First as large as a code needs, then as large as it is.
      for (const most of [1600, 4000]) {
        const scale = Math.min(1, most / Math.max(bitmap.width, bitmap.height));
        text = await read(pixels(bitmap, 0, 0, bitmap.width, bitmap.height, scale), PHOTO_MS, 8);
        if (text || scale === 1) break;
      }
      bitmap.close();
    } catch {
      // The browser cannot open it; the service may.
    }
    const found = text && judge(text);
    show(found ? "" : "unread", "photo");
    send.hidden = !!found;
    if (!found) return;
    if (found.digits || found.adding) return go(found);
    if (found.text) byId("elsewhere").textContent = byId("elsewhere").href = found.text;
    show(found.state);
    card.scrollIntoView();
  };
  file.addEventListener("change", readPhoto);

  // A pasted link of this service goes the same way, so that its tag is compared before anything is sent.
  byId("paste-link").addEventListener("submit", (event) => {
    const text = event.target.elements.sealed.value;
    const found = /^\s*\d+\s*$/.test(text) ? { digits: text.trim() } : judge(text);
    if (found.digits || found.adding) {
      event.preventDefault();
      go(found);
    } else if (kind === "add") {
      event.preventDefault();
      if (found.text) byId("elsewhere").textContent = byId("elsewhere").href = found.text;
      show(found.state);
      card.scrollIntoView();
    }
  });
})();
