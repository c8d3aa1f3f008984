// The audit: search, check, export.
import { element } from "./element.js";
import { choice, field, form, head, panel, table } from "./office.js";
import { ready } from "./page.js";
import { ask } from "./server.js";
import { moment, momentOf, named, say } from "./text.js";

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
        one.action,
        `${one.object_type} ${one.object_id}`,
        named("access", one.result),
        JSON.stringify(one.detail),
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
load({}).then(ready);
