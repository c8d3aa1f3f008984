// What Swagger UI leaves without a name, or out of reach of keys: named and reachable as it appears.
const root = /** @type {HTMLElement} */ (document.getElementById("swagger-ui"));

function mend() {
  for (const select of root.querySelectorAll("select:not([aria-label])")) {
    const row = /** @type {HTMLElement | null} */ (select.closest("[data-param-name]"));
    const name = row?.dataset.paramName ?? select.closest("label")?.textContent ?? "server or form";
    select.setAttribute("aria-label", name);
  }
  for (const sample of root.querySelectorAll("pre:not([tabindex])")) sample.setAttribute("tabindex", "0");
}

new MutationObserver(mend).observe(root, { childList: true, subtree: true });
mend();
