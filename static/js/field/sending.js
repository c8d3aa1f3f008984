// Sending visits in their order, each once: by its key, made on the phone, the server knows one that comes twice.
import { page } from "../page.js";
import { ask, ServerError, write } from "../server.js";
import { entries, forget, keep } from "./store.js";

/** @typedef {import("./store.js").Entry} Entry */

const REFUSALS = [400, 403, 404, 409, 413, 422]; // anything else may be otherwise later
const KEPT_SENT = 20; // how many that were sent are still shown

/**
 * Learns who is logged in, and what writes must show; throws a ServerError where nobody is.
 * @param {typeof ask} [look] how the server is asked
 */
export async function whoIsIt(look = ask) {
  const { name, display_name: shown, role, rights, must, csrf_token: csrf } = await look("/session");
  page.person = { name: shown, role, rights, must: must || null, isKiosk: false, csrf };
  return name;
}

/**
 * Sends what waits; stops at the first that cannot be sent now, and throws why.
 * @param {string} account whose visits
 * @param {() => unknown} moved called after each
 */
export async function send(account, moved) {
  for (const entry of await entries()) {
    if (entry.state !== "waiting" || entry.account !== account) continue;
    await sendOne(entry);
    await moved();
  }
  const sent = (await entries()).filter(entry => entry.state === "sent");
  for (const entry of sent.slice(0, -KEPT_SENT)) await forget(entry);
}

/**
 * Sends one: when another tab has logged in anew meanwhile, with what writes must show now.
 * @param {Entry} entry
 */
async function sendOne(entry) {
  const token = page.person?.csrf;
  try {
    await post(entry);
  } catch (error) {
    if (!(error instanceof ServerError) || !REFUSALS.includes(error.status)) throw error;
    if (error.status === 403) {
      const account = await whoIsIt();
      if (account !== entry.account) return;
      if (page.person?.csrf !== token) {
        await sendOne(entry);
        return;
      }
    }
    await keep({ ...entry, state: "refused", why: { type: error.type.split(":").pop() ?? "", detail: error.message } });
  }
}

/** @param {Entry} entry */
async function post(entry) {
  const made = await write("POST", "/field/visits", entry.body, { "Idempotency-Key": entry.key });
  // what is no visit came from something between us and the server, such as the log-in of a hotel
  if (!made?.visit_id) throw new ServerError("no visit came back");
  await keep({ ...entry, state: "sent", recorded: made.grid_name ?? entry.name });
}
