"""What is wrong with how a page looks: what axe calls serious, and what a phone does not reach."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.harness.browser import Browser

AXE = Path(__file__).parent / "axe" / "axe.min.js"
RUN_AXE = "return axe.run(document, { resultTypes: ['violations'] }).then((found) => found.violations)"
OUT_OF_REACH = """
const all = "main a, main button, main input:not([type=hidden]), main select, main textarea";
return Array.from(document.querySelectorAll(all))
  .filter((one) => one.checkVisibility() && !one.closest("svg"))
  .filter((one) => {
    let box = one.getBoundingClientRect();
    for (let around = one.parentElement; around; around = around.parentElement) {
      if (around.scrollWidth > around.clientWidth && getComputedStyle(around).overflowX === "auto") return false;
    }
    return box.width < 1 || box.height < 1 || box.right > window.innerWidth + 1 || box.left < -1;
  })
  .map((one) => one.outerHTML.slice(0, 120));
"""


def serious(browser: "Browser") -> list[str]:
    """Return the violations that axe calls serious or critical."""
    violations: list[dict[str, Any]] = browser.script(RUN_AXE)
    return [
        f"{violation['id']} ({violation['impact']}): {[node['html'][:160] for node in violation['nodes']][:3]}"
        for violation in violations
        if violation["impact"] in ("serious", "critical")
    ]
