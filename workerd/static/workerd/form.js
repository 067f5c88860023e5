/* The form of a job: shows which arguments the chosen function takes and what the schedule means, and warns of edits
   that restart processes. */
(function () {
  "use strict";

  function followTarget(root) {
    const select = root.querySelector("select");
    const other = root.querySelector("[data-workerd-other]");
    const takes = root.querySelector("[data-workerd-takes]");
    const descriptions = JSON.parse(document.getElementById("workerd-targets").textContent);
    const show = function () {
      if (other) other.hidden = select.value !== select.options[select.options.length - 1].value;
      const job = descriptions[select.value];
      takes.hidden = !job;
      if (job) {
        const words = job.parameters ? takes.dataset.takes + " " + job.parameters : takes.dataset.nothing;
        takes.textContent = (job.summary + " " + words).trim();
      }
    };
    select.addEventListener("change", show);
    show();
  }

  const MEANT_BY = ["schedule", "time_zone", "spread"];

  /* Asks the server what a schedule means once nothing was typed for a moment; of two answers the later one stays. */
  function followSchedule(words) {
    const form = words.closest("form");
    let timer = null;
    let asked = null;
    const show = async function () {
      if (asked) asked.abort();
      const request = (asked = new AbortController());
      const query = new URLSearchParams();
      for (const name of MEANT_BY) query.set(name, form.elements[name].value);
      try {
        const options = { signal: request.signal, redirect: "error", credentials: "same-origin" };
        const response = await fetch(words.dataset.workerdSchedule + "?" + query, options);
        words.innerHTML = response.ok ? await response.text() : "";
      } catch (error) {
        if (!request.signal.aborted) words.textContent = "";
      }
    };
    for (const name of MEANT_BY) {
      form.elements[name].addEventListener("input", function () {
        clearTimeout(timer);
        timer = setTimeout(show, 250);
      });
    }
  }

  function isChanged(control) {
    if (control.type === "checkbox") return control.checked !== control.defaultChecked;
    if (control.tagName === "SELECT") {
      return Array.from(control.options).some((option) => option.selected !== option.defaultSelected) && control.value !== "";
    }
    return control.value !== control.defaultValue;
  }

  function warnOfRestart(notice) {
    const form = notice.closest("form");
    const names = JSON.parse(notice.dataset.fields);
    const show = function () {
      notice.hidden = !names.some((name) => form.elements[name] && isChanged(form.elements[name]));
    };
    form.addEventListener("input", show);
    form.addEventListener("change", show);
  }

  document.querySelectorAll("[data-workerd-target]").forEach(followTarget);
  document.querySelectorAll("[data-workerd-schedule]").forEach(followSchedule);
  document.querySelectorAll("[data-workerd-restart-notice]").forEach(warnOfRestart);
})();
