// A call is filed at a place; what was typed is kept in this tab until it is filed, whatever happens to the page.
import { element } from "../element.js";
import { page } from "../page.js";
import { write } from "../server.js";
import { categoryName, duration, say } from "../text.js";

const KEPT = "geo-grid-call";

/** @returns {Record<string, any>} what was typed and not filed */
function kept() {
  try {
    return JSON.parse(sessionStorage.getItem(KEPT) ?? "{}");
  } catch {
    return {};
  }
}

function keep(content) {
  try {
    sessionStorage.setItem(KEPT, JSON.stringify(content));
  } catch {
    // the storage is full or forbidden: the form itself still has it
  }
}

export const hasCall = () => Boolean(kept().key);
export const keptPlace = () => kept().place ?? null;

/**
 * The form of a call.
 * @param {{ lon: number, lat: number }} place in degrees, EPSG:4490
 * @param {import("../../types.js").Api["Responder"][]} free units that can be sent, the first to arrive first
 * @param {(incident: any, sent: string[]) => void} onFiled
 */
export function callForm(place, free, onFiled) {
  const before = kept();
  const key = before.key ?? crypto.randomUUID(); // sending one form several times stores one incident
  const category = element(
    "select",
    { name: "category", required: true },
    element("option", { value: "", textContent: say("chooseCategory") }),
    ...page.categories.map(one =>
      element("option", { value: one.category_code, textContent: categoryName(one.category_code) }),
    ),
  );
  const description = element("textarea", { name: "description", rows: 3, maxLength: 10000 });
  const address = element("input", { name: "address", maxLength: 400 });
  const caller = element("input", { name: "caller_number", maxLength: 40, inputMode: "tel", autocomplete: "off" });
  const fields = { category, description, address, caller };
  for (const [name, field] of Object.entries(fields)) if (before[name]) field.value = before[name];
  const choices = free.slice(0, 9).map((unit, at) =>
    element(
      "label",
      { className: "check" },
      element("input", { type: "checkbox", value: unit.code, checked: at === 0 }),
      element("kbd", { textContent: `Alt ${at + 1}` }),
      ` ${unit.name} `,
      element("span", { className: "quiet", textContent: unit.arrival_s === null ? "" : duration(unit.arrival_s) }),
    ),
  );
  const boxes = choices.map(one => /** @type {HTMLInputElement} */ (one.querySelector("input")));
  const problem = element("p", { className: "bad", hidden: true });
  problem.setAttribute("role", "alert");
  const remember = () =>
    keep({
      key,
      place,
      ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])),
    });
  const fileAndSend = element(
    "button",
    { className: "action", type: "button", onclick: () => file(true) },
    `${say("fileAndSend")} `,
    element("kbd", { textContent: "Ctrl Enter" }),
  );
  const fileOnly = element(
    "button",
    { className: "plain", type: "submit" },
    `${say("fileOnly")} `,
    element("kbd", { textContent: "Ctrl Shift Enter" }),
  );

  async function file(isSent) {
    if (!form.reportValidity()) return;
    const units = isSent ? boxes.filter(box => box.checked).map(box => box.value) : [];
    fileAndSend.disabled = fileOnly.disabled = true;
    try {
      const content = {
        ...place,
        category: category.value,
        description: description.value,
        address: address.value,
        caller_number: caller.value || null,
      };
      const made = await write("POST", "/incidents", content, { "Idempotency-Key": key });
      keep({});
      if (isSent) {
        await write("POST", `/incidents/${made.incident_id}/steps`, { action: "accept" });
        await write("POST", `/incidents/${made.incident_id}/steps`, { action: "assign", unit_codes: units });
      }
      onFiled(made, units);
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
      fileAndSend.disabled = fileOnly.disabled = false;
    }
  }

  const form = element(
    "form",
    {
      className: "call",
      oninput: remember,
      onsubmit: event => {
        event.preventDefault();
        file(false);
      },
      onkeydown: event => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          file(!event.shiftKey);
        } else if (event.altKey && /^Digit[1-9]$/.test(event.code)) {
          const box = boxes[Number(event.code.slice(5)) - 1];
          if (box) box.checked = !box.checked;
          event.preventDefault();
        }
      },
    },
    element("label", {}, say("category"), category),
    element("label", {}, say("whatHappened"), description),
    element("label", {}, say("address"), address),
    element("label", {}, say("callBackNumber"), caller),
    choices.length
      ? element("fieldset", {}, element("legend", { textContent: say("whomToSend") }), ...choices)
      : element("p", { className: "quiet", textContent: say("nobodyIsFree") }),
    problem,
    fileAndSend,
    fileOnly,
    element("button", {
      className: "plain",
      type: "button",
      textContent: say("discardCall"),
      onclick: () => {
        keep({});
        onFiled(null, []);
      },
    }),
  );
  remember();
  return { form, focus: () => category.focus() };
}
