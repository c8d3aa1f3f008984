// The audit: search, check, export; and who may see, and saw, which camera.
import { element } from "./element.js";
import { choice, field, form, head, panel, table } from "./office.js";
import { ready } from "./page.js";
import { ask } from "./server.js";
import { duration, listed, moment, momentOf, named, say } from "./text.js";

const main = head();
const found = panel(say("records"));
const check = panel(say("checkOfTheChain"));
const search = form(
  [
    field(say("since"), "since", { type: "datetime-local" }),
    field(say("until"), "until", { type: "datetime-local" }),
    field(say("actor"), "actor"),
    field(say("action"), "action", { placeholder: "session. / layer.export" }),
    field(say("object"), "object_id"),
    choice(say("result"), "result", ["", "done", "failed", "refused"]),
  ],
  say("search"),
  async given => load(given),
);
search.className = "row";
const wanted = panel(
  say("search"),
  search,
  element("p", {}, element("a", { href: "/audit/export", textContent: say("exportEverything") })),
);
for (const part of [wanted, found]) part.classList.add("wide");
main.append(wanted, check, found);

/** A value as it is read, also nothing, lists and what is inside. @param {any} value @returns {string} */
function valueOf(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (Array.isArray(value)) return listed(value.map(valueOf)) || "–";
  if (typeof value === "object") return listed(Object.entries(value).map(([name, one]) => `${name} ${valueOf(one)}`));
  if (typeof value === "boolean") return value ? say("yes") : say("no");
  return String(value);
}

/**
 * What is known of an entry: of a change what it was and what it became.
 * @param {Record<string, any>} detail
 * @param {string} action
 */
function detailOf(detail, action) {
  const isChange = /\.change$/.test(action);
  return element(
    "dl",
    { className: "detail" },
    ...Object.entries(detail).flatMap(([name, value]) => {
      const isPair = isChange && Array.isArray(value) && value.length === 2;
      return [
        element("dt", { textContent: name }),
        element("dd", { textContent: isPair ? `${valueOf(value[0])} → ${valueOf(value[1])}` : valueOf(value) }),
      ];
    }),
  );
}

let rows = [];

async function load(given, before) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(given)) {
    if (value) query.set(name, name === "since" || name === "until" ? momentOf(value) : value);
  }
  if (before) query.set("before", before);
  const { entries, next } = await ask(`/audit?${query}`);
  rows = before ? [...rows, ...entries] : entries;
  found.replaceChildren(
    element("h2", { textContent: say("records") }),
    table(
      [
        "#",
        say("occurredAt"),
        say("actor"),
        say("fromAddress"),
        say("action"),
        say("object"),
        say("result"),
        say("detail"),
      ],
      rows.map(one => [
        one.audit_id,
        moment(one.occurred_at),
        `${one.actor_name} ${named("access", one.actor_role)}`,
        one.address,
        element(
          "span",
          {},
          named("audited", one.action),
          element("small", { className: "quiet code", textContent: one.action }),
        ),
        `${one.object_type} ${one.object_id}`,
        named("access", one.result),
        detailOf(one.detail, one.action),
      ]),
    ),
    ...(next
      ? [element("button", { className: "plain", textContent: say("older"), onclick: () => load(given, next) })]
      : []),
  );
}

check.append(
  form([], say("checkTheWholeChain"), async () => {
    const { rows: count, last_hash: hash, faults } = await ask("/audit/verification");
    check.append(
      element("p", {
        className: faults.length ? "bad" : "",
        textContent: faults.length ? faults.join("; ") : say("chainIsWhole", { count, hash: hash ?? "" }),
      }),
    );
  }),
);
// --- cameras ---------------------------------------------------------------------------------------
const told = element("div");
const heading = title => element("h3", { textContent: title });
const incidentOf = one => (one.incident_id === null ? "" : `#${one.incident_id}`);

/** Who may see a camera, and who saw it. @param {string} camera */
async function showCamera(camera) {
  const id = encodeURIComponent(camera);
  const [{ viewers }, { openings }] = await Promise.all([
    ask(`/cameras/${id}/viewers`),
    ask(`/cameras/${id}/openings`),
  ]);
  told.replaceChildren(
    heading(say("whoMaySee")),
    table(
      [say("actor"), say("detail")],
      viewers.map(one => [
        `${one.login_name} ${one.display_name}`,
        [named("access", one.role), one.city_wide ? say("wholeCity") : "", one.sees_secret ? say("seesSecret") : ""]
          .filter(Boolean)
          .join(" · "),
      ]),
    ),
    heading(say("whoSaw")),
    table(
      ["#", say("occurredAt"), say("actor"), say("reason"), say("forIncident"), say("seenFor"), say("howItEnded")],
      openings.map(one => [
        one.audit_id,
        moment(one.opened_at),
        `${one.login_name} ${named("access", one.role)}`,
        one.reason,
        incidentOf(one),
        one.seconds === null ? "" : duration(one.seconds),
        one.ending ? named("endings", one.ending) : "",
      ]),
    ),
  );
}

/** Openings that are worth a look. */
async function showUnusual() {
  const { openings } = await ask("/audit/openings");
  told.replaceChildren(
    heading(say("worthALook")),
    table(
      ["#", say("occurredAt"), say("actor"), say("numberOfCamera"), say("reason"), say("forIncident"), say("detail")],
      openings.map(one => [
        one.audit_id,
        moment(one.opened_at),
        `${one.login_name} ${named("access", one.role)}`,
        one.gb28181_id,
        one.reason,
        incidentOf(one),
        one.unusual.map(why => named("unusual", why)).join(" · "),
      ]),
    ),
  );
}

const cameras = panel(
  say("openingsOfCameras"),
  element("p", { className: "quiet", textContent: say("looksAreRecorded") }),
  form(
    [field(say("numberOfCamera"), "camera", { required: true, maxLength: 32 })],
    say("whoMayAndWhoDid"),
    ({ camera }) => showCamera(camera.trim()),
  ),
  form([], say("worthALook"), showUnusual),
  told,
);
cameras.classList.add("wide");
main.insertBefore(cameras, found);

load({}).then(ready);
