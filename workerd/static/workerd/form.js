/* The form of a job: shows which arguments the chosen function takes, and warns of edits that restart processes. */
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
  document.querySelectorAll("[data-workerd-restart-notice]").forEach(warnOfRestart);
})();
