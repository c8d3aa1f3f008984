// The phone page of a grid worker: one tap records a visit, with or without network; one's open matters.
import { at, go } from "./address.js";
import { logInHere } from "./desk/log_in.js";
import { element } from "./element.js";
import { follow } from "./events.js";
import { logOut } from "./leave.js";
import { now } from "./now.js";
import { page, ready } from "./page.js";
import { ask, poll, ServerError, session, write } from "./server.js";
import { ago, categoryName, clock, named, number, say, when } from "./text.js";
import { every } from "./timing.js";
import { send, whoIsIt } from "./field/sending.js";
import { entries, forget, keep, keepAs, kept, NAME, settle } from "./field/store.js";

/**
 * @typedef {import("./field/store.js").Entry} Entry
 * @typedef {import("../types.js").Api["Rounds"]} Rounds
 */

const LOCATING_MS = 5000; // how long a visit waits for the phone to say where it is
const AGAIN_MS = 15000; // how often it looks whether the server can be reached again
const AGAIN_WAITING_MS = 5000; // the same, while something waits
/** @type {Rounds | null} */
let rounds = null;
/** @type {"" | "unreachable" | "loggedOut" | "forbidden"} */
let trouble = "";
/** @type {Set<number>} */
const unfolded = new Set(); // matters of which one sees what happened
let isSending = false;
let isOver = false; // the person leaves: nothing is looked at any more
let isWanted = false; // something came while it was sending
/** @type {(() => void) | null} */
let unheard = null; // stops listening

// --- what is on the page ----------------------------------------------------------------------
const other = new URL(location.href);
other.searchParams.set("lang", page.lang === "zh" ? "en" : "zh");
const who = element("span", { className: "who" });
const state = element("p", { className: "state" });
state.setAttribute("role", "status");
const logIn = element("button", { className: "big", hidden: true, textContent: say("logIn"), onclick: () => enter() });
const week = element("p", { className: "week" });
const note = element("textarea", {
  rows: 2,
  maxLength: 1000,
  placeholder: say("noteForVisit"),
  ariaLabel: say("noteForVisit"),
});
const compounds = element("div", { className: "compounds" });
const refusals = element("ol", { className: "visits refusals" });
const lately = element("ol", { className: "visits" });
const matters = element("ol", { className: "matters" });
const problem = element("p", { className: "bad", hidden: true });
problem.setAttribute("role", "alert");
document.body.append(
  element(
    "header",
    {},
    element("h1", { textContent: page.title }),
    who,
    element("a", { className: "plain", href: other.pathname + other.search, textContent: say("otherLanguage") }),
    element("button", { className: "plain", textContent: say("logOut"), onclick: leave }),
  ),
  element(
    "main",
    {},
    state,
    logIn,
    problem,
    refusals,
    element("section", {}, element("h2", { textContent: say("tapToRecord") }), week, note, compounds),
    element("section", {}, element("h2", { textContent: say("myMatters") }), matters),
    element("section", {}, element("h2", { textContent: say("visitsOnPhone") }), lately),
  ),
);

// --- showing ----------------------------------------------------------------------------------
async function show() {
  if (isOver) return;
  const all = await entries();
  const waiting = all.filter(entry => ["waiting", "locating"].includes(entry.state));
  const refused = all.filter(entry => entry.state === "refused");
  const mine = waiting.filter(entry => entry.account === rounds?.login_name);
  const accounts = new Set(waiting.filter(entry => !mine.includes(entry)).map(entry => entry.account));
  who.textContent = rounds?.person_name ?? "";
  state.className = `state ${waiting.length ? "waits" : "sent"} ${refused.length ? "refused" : ""}`;
  state.textContent = [
    stateOf(mine.length, refused.length),
    ...[...accounts].map(account => say("waitsForOther", { account })),
    refused.length ? say("countRefused", { count: refused.length }) : "",
  ]
    .filter(Boolean)
    .join(" · ");
  logIn.hidden = trouble !== "loggedOut";
  showRounds(mine);
  const others = all.filter(entry => entry.state !== "refused").toReversed();
  refusals.replaceChildren(...refused.map(visitLine));
  lately.replaceChildren(...others.map(visitLine));
  if (!others.length) lately.append(element("li", { className: "quiet", textContent: say("none") }));
  showMatters();
}

/**
 * @param {number} count of one's visits that wait
 * @param {number} refused
 */
function stateOf(count, refused) {
  if (trouble === "forbidden") return say("notForThisRole");
  if (trouble === "loggedOut") return count ? say("waitForLogIn", { count }) : say("logInToGoOn");
  if (count) return trouble ? say("waitForNetwork", { count }) : say("areBeingSent", { count });
  if (trouble) return say("noNetworkGoOn");
  return refused ? "" : say("allSent");
}

/** @param {Entry[]} waiting */
function showRounds(waiting) {
  if (!rounds) return;
  const { days_visited: done, days_needed: needed } = rounds;
  week.textContent = needed ? say("daysOfWeek", { done, needed }) : say("noDaysNeeded");
  week.classList.toggle("good", done >= needed);
  compounds.replaceChildren(
    ...rounds.compounds.map(compound => {
      const here = waiting.filter(entry => entry.body.grid_code === compound.grid_code).length;
      const never = here ? "" : say("notVisited");
      const last = compound.visited_at ? say("lastVisit", { ago: ago(compound.visited_at) }) : never;
      return element(
        "button",
        { className: "compound", onclick: () => record(compound), data: { code: compound.grid_code } },
        element("b", { textContent: compound.name }),
        element("span", {
          textContent: [
            compound.household_count === null ? "" : `${number(compound.household_count)} ${say("householdsUnit")}`,
            say("visitsThisWeek", { count: compound.visits_this_week + here }),
            last,
          ]
            .filter(Boolean)
            .join(" · "),
        }),
      );
    }),
  );
  if (rounds.compounds.length) return;
  compounds.append(element("p", { className: "bad", textContent: say("notOnRoster") }));
}

/** @param {Entry} entry */
function visitLine(entry) {
  const { state: its, body, why, name } = entry;
  const line = element(
    "li",
    { className: its },
    element("time", { textContent: clock(body.visited_at), dateTime: body.visited_at, title: when(body.visited_at) }),
    element("b", { textContent: name }),
    element("span", { className: "how", textContent: named("visitStates", its) }),
    entry.recorded && entry.recorded !== name
      ? element("p", { className: "quiet", textContent: say("byPosition", { name: entry.recorded }) })
      : null,
    body.note ? element("p", { className: "quiet", textContent: body.note }) : null,
  );
  if (its === "refused" && why) {
    const reason = named("refusals", why.type);
    line.append(element("p", { className: "bad", textContent: reason === why.type ? why.detail : reason }));
    line.append(
      element(
        "div",
        { className: "row" },
        why.type === "OutsideRounds" && body.lon !== undefined
          ? element("button", {
              className: "big",
              textContent: say("recordWithoutPosition", { name }),
              onclick: () => withoutPosition(entry),
            })
          : null,
        element("button", { className: "big plain", textContent: say("dismiss"), onclick: () => dismiss(entry) }),
      ),
    );
  }
  return line;
}

function showMatters() {
  if (!rounds) return;
  const { matters: all, shift_notes: notes } = rounds.matters;
  matters.replaceChildren(
    ...all.map(matter =>
      element(
        "li",
        { className: matter.state },
        element("b", { textContent: `${categoryName(matter.category)} ${matter.incident_id}` }),
        element("span", { className: "how", textContent: named("steps", matter.step) }),
        element("p", {
          textContent: [
            matter.grid_name,
            dueOf(matter),
          ]
            .filter(Boolean)
            .join(" · "),
        }),
        element(
          "details",
          {
            open: unfolded.has(matter.incident_id),
            ontoggle: event => tell(matter.incident_id, event.currentTarget),
          },
          element("summary", { textContent: say("whatHappened") }),
          element("p"),
        ),
        matter.to_acknowledge
          ? element("button", {
              className: "big",
              textContent: named("actions", "acknowledge"),
              onclick: event => acknowledge(matter.incident_id, event.currentTarget),
            })
          : null,
      ),
    ),
  );
  if (!all.length) matters.append(element("li", { className: "quiet", textContent: say("none") }));
  if (notes) matters.append(element("li", { className: "quiet", textContent: say("notesOfShifts", { count: notes }) }));
}

/** @param {Rounds["matters"]["matters"][number]} matter */
function dueOf(matter) {
  if (!matter.due_at) return say("noDeadline");
  const told = { when: when(matter.due_at) };
  return matter.state === "overdue" ? say("wasDue", told) : say("isDue", told);
}

// --- doing ------------------------------------------------------------------------------------
/**
 * Records a visit: on the phone at once, then with the position, if the phone says it in time.
 * @param {Rounds["compounds"][number]} compound
 */
async function record({ grid_code, name }) {
  if (!rounds) return;
  const entry = await keep({
    key: crypto.randomUUID(),
    account: rounds.login_name,
    name,
    state: "locating",
    body: { visited_at: now().toISOString(), grid_code, note: note.value.trim() },
  });
  note.value = "";
  navigator.vibrate?.(30);
  await show();
  const place = await position();
  await settle(entry, place);
  await show();
  await flush(true);
}

/** Where the phone is, if it may say so. @returns {Promise<{ lon?: number, lat?: number, accuracy_m?: number }>} */
const position = () =>
  new Promise(done => {
    const timer = setTimeout(done, LOCATING_MS, {}); // also while the person has not answered whether it may
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        clearTimeout(timer);
        done({ lon: coords.longitude, lat: coords.latitude, accuracy_m: coords.accuracy });
      },
      () => {
        clearTimeout(timer);
        done({});
      },
      { enableHighAccuracy: true, timeout: LOCATING_MS, maximumAge: 60000 },
    );
  });

/** Records a refused visit for the compound that was tapped. @param {Entry} entry */
async function withoutPosition(entry) {
  const { visited_at, grid_code, note: said } = entry.body;
  const body = { visited_at, grid_code, note: said };
  await keep({ ...entry, key: crypto.randomUUID(), state: "waiting", body, why: undefined });
  await show();
  await flush(true);
}

/** @param {Entry} entry */
async function dismiss(entry) {
  await forget(entry);
  await show();
}

/**
 * Shows what happened, asked for each time it is opened: no text about people stays on the phone.
 * @param {number} incident
 * @param {HTMLDetailsElement} details
 */
async function tell(incident, details) {
  const told = /** @type {HTMLElement} */ (details.querySelector("p"));
  told.textContent = "";
  if (!details.open) {
    unfolded.delete(incident);
    return;
  }
  unfolded.add(incident);
  try {
    const { subtype, address, description } = await ask(`/incidents/${incident}`);
    told.textContent = [subtype, address, description].filter(Boolean).join(" · ") || say("none");
  } catch (error) {
    told.textContent = error.message;
  }
}

/**
 * @param {number} incident
 * @param {HTMLButtonElement} button
 */
async function acknowledge(incident, button) {
  button.disabled = true;
  problem.hidden = true;
  try {
    await write("POST", `/incidents/${incident}/steps`, { action: "acknowledge" });
  } catch (error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }
  await flush(true);
}

/**
 * Sends what waits and reads what is new; one tab at a time.
 * @param {boolean} [isByHand] whether the person did something; what the page does by itself does not extend a session
 */
async function flush(isByHand = false) {
  isWanted = true;
  if (isSending || isOver) return;
  isSending = true;
  while (isWanted) {
    isWanted = false;
    await exchange(isByHand);
  }
  isSending = false;
}

/** @param {boolean} isByHand */
async function exchange(isByHand) {
  try {
    await navigator.locks.request(NAME, async () => {
      const look = isByHand ? ask : poll;
      const account = await whoIsIt(look);
      await send(account, show);
      await renew(look);
    });
    trouble = "";
    hear();
  } catch (error) {
    if (!(error instanceof ServerError)) throw error;
    trouble = { 401: "loggedOut", 403: "forbidden" }[error.status] ?? "unreachable";
    if (trouble !== "unreachable") unhear();
  }
  await show();
}

/** @param {typeof ask} look */
async function renew(look) {
  rounds = await look("/field/rounds");
  await keepAs("rounds", rounds); // of matters what the page shows, no texts
  if (page.categories.length) return;
  const { categories } = await look("/incidents/categories");
  page.categories = categories;
  await keepAs("categories", categories);
}

/** Follows changes of incidents, which also come when a deadline is near or passed. */
function hear() {
  const parts = () => ["matters"];
  unheard ??= follow(["incident", "incidents"], parts, parts, () => flush());
}

function unhear() {
  unheard?.();
  unheard = null;
}

/** Logs in on this page: what waits on it is sent then. */
function enter() {
  askForPassword();
  const dialog = /** @type {HTMLDialogElement} */ (document.querySelector("dialog"));
  const [name, password] = dialog.querySelectorAll("input");
  dialog.addEventListener("close", () => flush(true));
  if (!rounds) return;
  name.value = rounds.login_name;
  password.focus();
}

async function leave() {
  problem.hidden = true;
  try {
    await logOut(() => {
      isOver = true;
      unhear();
    });
  } catch (error) {
    isOver = false;
    problem.textContent = error.message;
    problem.hidden = false;
  }
}

// --- the start --------------------------------------------------------------------------------
/** Keeps the page and the files that it has loaded, so that it opens without network. */
async function keepPage() {
  if (!("serviceWorker" in navigator)) return;
  await navigator.serviceWorker.register(at("/maps/field/worker.js"), { scope: at("/maps/field") });
  const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
  const files = loaded.filter(name => name.startsWith(new URL(at("/static/"), location.href).href));
  const cache = await caches.open(NAME);
  await cache.addAll([...new Set([location.pathname + location.search, ...files])]);
  document.body.dataset.kept = "yes";
}

logInHere(true);
const askForPassword = session.ended;
session.ended = () => {}; // the page says so, and goes on without
rounds = (await kept("rounds")) ?? null;
page.categories = (await kept("categories")) ?? [];
for (const entry of await entries()) if (entry.state === "locating") await settle(entry, {});
await show();
await flush(true);
if (!rounds && logIn.hidden === false) go(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
else {
  keepPage().catch(error => {
    if (trouble === "") throw error; // without network it was kept before
  });
}
addEventListener("online", () => flush());
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") flush();
});
every(AGAIN_MS, async () => {
  if (isOver) return AGAIN_MS;
  const waits = (await entries()).some(entry => entry.state === "waiting");
  if (trouble === "unreachable" || (waits && trouble === "")) await flush();
  return waits ? AGAIN_WAITING_MS : AGAIN_MS;
});
ready();
