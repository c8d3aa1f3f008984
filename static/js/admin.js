// Accounts, roles, keys and screens.
import { confirmed } from "./dialogs.js";
import { element } from "./element.js";
import { choice, field, form, head, panel, shownOnce, table } from "./office.js";
import { page, ready } from "./page.js";
import { ask, write } from "./server.js";
import { named, say } from "./text.js";

const main = head();
const news = element("div", { className: "wide" });
const people = panel(say("accounts"));
const keys = panel(say("keysAndScreens"));
const roles = panel(say("roles"));
people.classList.add("wide");
keys.classList.add("wide");
roles.classList.add("wide");
main.append(news, people, keys, roles);

const wordsOf = typed => typed.split(/[\s,，]+/).filter(Boolean);
/** Roles that an account of a kind can have; those of auditors are made on the command line. */
const ROLES = {
  user: ["grid_worker", "dispatcher", "planner", "supervisor", "administrator"],
  machine: ["wall", "grid_worker", "dispatcher", "planner", "supervisor"],
  kiosk: ["wall"],
};
/**
 * A button that does something, once it was confirmed where there is a question.
 * @param {string} name
 * @param {() => Promise<unknown>} work
 * @param {string} [question]
 * @param {string} [about] what it is done to
 */
const act = (name, work, question, about) =>
  element("button", {
    className: "plain",
    textContent: name,
    ariaLabel: about ? `${name} ${about}` : null,
    onclick: async () => {
      if (question && !(await confirmed(question, name))) return;
      try {
        await work();
        await load();
      } catch (error) {
        news.replaceChildren(element("p", { className: "bad", textContent: error.message }));
      }
    },
  });
const tell = (title, secret) => news.replaceChildren(shownOnce(title, secret));

// in either language
// eslint-disable-next-line no-restricted-syntax
const isCity = cells => ["全市", "city"].includes(cells.trim().toLowerCase());
const add = form(
  [
    choice(say("kind"), "kind", Object.keys(ROLES)),
    field(say("loginName"), "name", { required: true }),
    field(say("displayName"), "display_name"),
    choice(say("role"), "role", ROLES.user),
    field(say("gridCodesOrCity"), "cells", { required: true }),
    field(say("staffNumber"), "staff_number"),
  ],
  say("addAccount"),
  async ({ cells, ...given }) => {
    const content = {
      ...given,
      staff_number: given.staff_number || null,
      grid_codes: isCity(cells) ? [] : wordsOf(cells),
      city_wide: isCity(cells),
    };
    const { password } = await write("POST", "/accounts", content);
    if (password) tell(say("oneTimePassword", { name: given.name }), password);
    await load();
  },
);
add.className = "row";
const kindOf = /** @type {HTMLSelectElement} */ (add.elements.namedItem("kind"));
const roleOf = /** @type {HTMLSelectElement} */ (add.elements.namedItem("role"));
const staffOf = /** @type {HTMLInputElement} */ (add.elements.namedItem("staff_number"));
function fit() {
  const had = roleOf.value;
  roleOf.replaceChildren(
    ...ROLES[kindOf.value].map((/** @type {string} */ value) =>
      element("option", { value, textContent: named("access", value), selected: value === had }),
    ),
  );
  staffOf.required = roleOf.value === "administrator";
}
kindOf.onchange = roleOf.onchange = fit;
fit();
const issue = form(
  [
    choice(say("kind"), "kind", ["key", "kiosk"]),
    field(say("account"), "name", { required: true }),
    field(say("label"), "label"),
    field(say("screensNetwork"), "network", { placeholder: "10.1.2.0/24" }),
    field(say("days"), "days", { type: "number", value: 90, min: 1 }),
  ],
  say("issue"),
  async given => {
    const kiosk = given.kind === "kiosk";
    const content = {
      ...given,
      days: Number(given.days),
      network: kiosk ? given.network : null,
      page: kiosk ? page.kioskPages[0] : null,
    };
    tell(given.name, (await write("POST", "/credentials", content)).secret);
    await load();
  },
);
issue.className = "row";

async function load() {
  const [{ accounts }, { credentials }, { roles: known }] = await Promise.all([
    ask("/accounts"),
    ask("/credentials"),
    ask("/roles"),
  ]);
  people.replaceChildren(
    element("h2", { textContent: say("accounts") }),
    add,
    table(
      [say("loginName"), say("displayName"), say("kind"), say("role"), say("answersFor"), say("state"), ""],
      accounts.map(one => {
        const path = `/accounts/${encodeURIComponent(one.login_name)}`;
        return [
          one.login_name,
          one.display_name,
          named("access", one.principal_kind),
          named("access", one.role),
          one.city_wide ? say("theWholeCity") : one.grid_codes.join(", "),
          [one.disabled_at && say("isDisabled"), one.has_second_factor && "2FA", one.is_demo && say("isDemo")]
            .filter(Boolean)
            .join(" · "),
          element(
            "span",
            {},
            act(
              one.disabled_at ? say("enable") : say("disable"),
              () => write("PATCH", path, { disabled: !one.disabled_at }),
              one.disabled_at ? "" : say("disableAccount", { name: one.login_name }),
              one.login_name,
            ),
            one.principal_kind === "user"
              ? act(
                  say("resetPassword"),
                  async () => tell(one.login_name, (await write("POST", `${path}/password`)).password),
                  say("resetPasswordOf", { name: one.login_name }),
                  one.login_name,
                )
              : null,
            one.has_second_factor
              ? act(
                  say("remove2FA"),
                  () => write("DELETE", `${path}/factor`),
                  say("removeFactorOf", { name: one.login_name }),
                  one.login_name,
                )
              : null,
          ),
        ];
      }),
    ),
  );
  keys.replaceChildren(
    element("h2", { textContent: say("keysAndScreens") }),
    issue,
    table(
      ["#", say("kind"), say("account"), say("label"), say("limits"), say("ends"), ""],
      credentials.map(one => [
        one.credential_id,
        named("access", one.credential_kind),
        one.login_name,
        one.label,
        [one.page, one.network, ...(one.only_rights ?? [])].filter(Boolean).join(", "),
        one.expires_at.slice(0, 10),
        one.revoked_at
          ? say("isRevoked")
          : act(
              say("revoke"),
              () => write("DELETE", `/credentials/${one.credential_id}`),
              say("revokeKey", { number: one.credential_id, name: one.login_name }),
              `#${one.credential_id}`,
            ),
      ]),
    ),
  );
  roles.replaceChildren(
    element("h2", { textContent: say("roles") }),
    table(
      [say("role"), say("rights"), say("factor")],
      known.map(one => [
        named("access", one.role),
        one.rights.join(", "),
        one.role === "wall"
          ? ""
          : act(
              one.second_factor_required ? say("isRequired") : say("notRequired"),
              () => write("PATCH", `/roles/${one.role}`, { second_factor_required: !one.second_factor_required }),
              one.second_factor_required
                ? say("factorNoMore", { role: named("access", one.role) })
                : say("factorFromNow", { role: named("access", one.role) }),
              named("access", one.role),
            ),
      ]),
    ),
  );
}
load().then(ready);
