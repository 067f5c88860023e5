/* The timeline: the arrow keys move the focus from run to run, and a line describes the run with the focus or pointer. */
(function () {
  "use strict";

  function describe(run) {
    const line = document.querySelector("[data-workerd-focused]");
    if (line) line.textContent = run.getAttribute("aria-label");
  }

  function runsOf(chart) {
    return Array.from(chart.querySelectorAll("[data-workerd-run]"));
  }

  document.addEventListener("keydown", function (event) {
    const run = event.target.closest && event.target.closest("[data-workerd-run]");
    if (!run) return;
    const runs = runsOf(run.closest("[data-workerd-timeline]"));
    const here = runs.indexOf(run);
    const there = { ArrowRight: here + 1, ArrowLeft: here - 1, Home: 0, End: runs.length - 1 }[event.key];
    if (there === undefined || !runs[there]) return;
    event.preventDefault();
    run.setAttribute("tabindex", "-1");
    runs[there].setAttribute("tabindex", "0");
    runs[there].focus();
  });

  for (const name of ["focusin", "pointerover"]) {
    document.addEventListener(name, function (event) {
      const run = event.target.closest && event.target.closest("[data-workerd-run]");
      if (run) describe(run);
    });
  }
})();
