/* The form of a job: tells what the chosen function takes, and what saving will do to what runs. */
(function () {
  "use strict";

  function followTarget(root) {
    const select = root.querySelector("select");
    const other = root.querySelector("[data-workerd-other]");
    const takes = root.querySelector("[data-workerd-takes]");
    const told = JSON.parse(document.getElementById("workerd-targets").textContent);
    const show = function () {
      if (other) other.hidden = select.value !== select.options[select.options.length - 1].value;
      const job = told[select.value];
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

  function foretell(line) {
    const form = line.closest("form");
    const names = JSON.parse(line.dataset.fields);
    const look = function () {
      line.hidden = !names.some((name) => form.elements[name] && isChanged(form.elements[name]));
    };
    form.addEventListener("input", look);
    form.addEventListener("change", look);
  }

  document.querySelectorAll("[data-workerd-target]").forEach(followTarget);
  document.querySelectorAll("[data-workerd-foretell]").forEach(foretell);
})();
