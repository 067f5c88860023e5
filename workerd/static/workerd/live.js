/* Keeps a page of workerd fresh: fetches its pieces, replaces those that changed, and updates all ages each second. */
(function () {
  "use strict";
  const holder = document.getElementById("workerd-live");
  if (!holder) return;
  const settings = JSON.parse(holder.dataset.settings);
  const shown = new Map(); /* the HTML of each piece by its key */
  let latest = null; /* the pieces of the last answer */
  let etag = null;
  let fetched = Date.now();
  let timer = null;
  let skew = 0; /* how many milliseconds the server's clock is ahead, where it is seconds */
  let pressed = null; /* the element on which the pointer is down */

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

  function updateAges(root) {
    const now = Date.now() + skew;
    for (const element of root.querySelectorAll("time[data-workerd-since]")) {
      setText(element, spell((now - Date.parse(element.dateTime)) / 1000));
    }
    for (const element of root.querySelectorAll("time[data-workerd-until]")) {
      setText(element, spell((Date.parse(element.dateTime) - now) / 1000));
    }
  }

  /* The focus, open details and the scroll position survive the replacement of their piece. */
  function replace(piece, html) {
    const focused = piece.contains(document.activeElement) ? document.activeElement : null;
    const place = focused ? Array.from(piece.querySelectorAll(focused.tagName)).indexOf(focused) : -1;
    const open = new Set(Array.from(piece.querySelectorAll("details[open]"), (details) => details.dataset.workerdKeep));
    const scrolled = Array.from(piece.querySelectorAll(".workerd-scroll"), (box) => box.scrollLeft);
    piece.innerHTML = html;
    for (const details of piece.querySelectorAll("details")) details.open = open.has(details.dataset.workerdKeep);
    piece.querySelectorAll(".workerd-scroll").forEach((box, index) => { box.scrollLeft = scrolled[index] || 0; });
    if (focused) {
      const next = piece.querySelectorAll(focused.tagName)[place];
      if (next) next.focus({ preventScroll: true });
    }
    updateAges(piece);
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
    if (Object.keys(pieces).some((key) => !seen.has(key))) showNotice(settings.changed);
  }

  function showNotice(text) {
    let line = document.getElementById("workerd-live-notice");
    if (!line) {
      line = document.createElement("p");
      line.id = "workerd-live-notice";
      line.className = "workerd-notice workerd-notice-late";
      line.setAttribute("role", "status");
      holder.after(line);
    }
    if (line.dataset.text === text) return;
    line.dataset.text = text;
    line.textContent = text + " ";
    const link = document.createElement("a");
    link.href = window.location.href;
    link.textContent = settings.reload;
    line.append(link);
  }

  function hideStaleNotice() {
    const line = document.getElementById("workerd-live-notice");
    if (line && line.dataset.text !== settings.changed) line.remove();
  }

  async function refresh() {
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
      hideStaleNotice();
    } catch (error) {
      next = 5000;
      showNotice(settings.stale.replace("%s", new Date(fetched).toLocaleTimeString()));
    }
    if (timer === null) timer = setTimeout(refresh, next);
  }

  /* A button that is pressed keeps its element until it is released, or the browser would drop the click. */
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
    timer = setTimeout(refresh, 0);
  });
  setInterval(function () { if (!document.hidden) updateAges(document); }, 1000);
  timer = setTimeout(refresh, settings.nextMs);
})();
