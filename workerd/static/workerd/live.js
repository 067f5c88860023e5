/* Keeps a page of workerd fresh: replaces pieces of it by what the server sends, and counts ages on. */
(function () {
  "use strict";
  const holder = document.getElementById("workerd-live");
  if (!holder) return;
  const settings = JSON.parse(holder.dataset.settings);
  const shown = new Map();
  let etag = null;
  let fetched = Date.now();
  let timer = null;
  let skew = 0;
  let pressed = null;
  let latest = null;

  function spell(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    for (const [unit, size] of [["d", 86400], ["h", 3600], ["min", 60]]) {
      if (whole >= size) return Math.floor(whole / size) + " " + settings.units[unit];
    }
    return whole + " " + settings.units.s;
  }

  function setText(element, text) {
    if (element.textContent !== text) element.textContent = text;
  }

  function countOn(root) {
    const now = Date.now() + skew;
    for (const element of root.querySelectorAll("time[data-workerd-since]")) {
      setText(element, spell((now - Date.parse(element.dateTime)) / 1000));
    }
    for (const element of root.querySelectorAll("time[data-workerd-until]")) {
      setText(element, spell((Date.parse(element.dateTime) - now) / 1000));
    }
  }

  /* What has the focus, or is open, stays so when its piece is replaced. */
  function replace(piece, html) {
    const focused = piece.contains(document.activeElement) ? document.activeElement : null;
    const place = focused ? Array.from(piece.querySelectorAll(focused.tagName)).indexOf(focused) : -1;
    const open = new Set(Array.from(piece.querySelectorAll("details[open]"), (one) => one.dataset.workerdKeep));
    const scrolled = Array.from(piece.querySelectorAll(".workerd-scroll"), (one) => one.scrollLeft);
    piece.innerHTML = html;
    for (const one of piece.querySelectorAll("details")) one.open = open.has(one.dataset.workerdKeep);
    piece.querySelectorAll(".workerd-scroll").forEach((one, index) => { one.scrollLeft = scrolled[index] || 0; });
    if (focused) {
      const next = piece.querySelectorAll(focused.tagName)[place];
      if (next) next.focus({ preventScroll: true });
    }
    countOn(piece);
    piece.dispatchEvent(new CustomEvent("workerd:replaced", { bubbles: true }));
  }

  function show(pieces) {
    latest = pieces;
    const seen = new Set();
    for (const piece of document.querySelectorAll("[data-workerd-live]")) {
      const key = piece.dataset.workerdLive;
      seen.add(key);
      const html = pieces[key];
      const row = piece.closest("#result_list tr");
      if (row) row.classList.toggle("workerd-gone", html === undefined);
      if (html === undefined || shown.get(key) === html || piece.contains(pressed)) continue;
      shown.set(key, html);
      replace(piece, html);
    }
    if (Object.keys(pieces).some((key) => !seen.has(key))) say(settings.changed);
  }

  function say(text) {
    let line = document.getElementById("workerd-said");
    if (!line) {
      line = document.createElement("p");
      line.id = "workerd-said";
      line.className = "workerd-notice workerd-notice-late";
      line.setAttribute("role", "status");
      holder.after(line);
    }
    if (line.dataset.said === text) return;
    line.dataset.said = text;
    line.textContent = text + " ";
    const link = document.createElement("a");
    link.href = window.location.href;
    link.textContent = settings.reload;
    line.append(link);
  }

  function hush() {
    const line = document.getElementById("workerd-said");
    if (line && line.dataset.said !== settings.changed) line.remove();
  }

  async function look() {
    timer = null;
    if (document.hidden) return;
    let next = settings.nextMs;
    try {
      const headers = etag ? { "If-None-Match": etag } : {};
      const response = await fetch(settings.url, { headers, redirect: "error", credentials: "same-origin", cache: "no-store" });
      if (response.status === 200) {
        const answer = await response.json();
        etag = response.headers.get("ETag");
        const date = Date.parse(response.headers.get("Date") || "");
        if (date && Math.abs(date - Date.now()) > 5000) skew = date - Date.now();
        settings.nextMs = next = answer.next_ms;
        show(answer.pieces);
      } else if (response.status !== 304) {
        throw new Error("status " + response.status);
      }
      fetched = Date.now();
      hush();
    } catch (error) {
      next = 5000;
      say(settings.stale.replace("%s", new Date(fetched).toLocaleTimeString()));
    }
    if (timer === null) timer = setTimeout(look, next);
  }

  /* A button that is being pressed is not replaced under the pointer: the click would be lost. */
  document.addEventListener("pointerdown", function (event) { pressed = event.target; });
  for (const name of ["pointerup", "pointercancel"]) {
    document.addEventListener(name, function () {
      setTimeout(function () {
        pressed = null;
        if (latest) show(latest);
      }, 0);
    });
  }

  document.addEventListener("visibilitychange", function () {
    if (document.hidden || timer !== null) return;
    timer = setTimeout(look, 0);
  });
  setInterval(function () { if (!document.hidden) countOn(document); }, 1000);
  timer = setTimeout(look, settings.nextMs);
})();
