// What a phone keeps until its person logs out: visits, and their compounds.
import { deleteDB, openDB } from "../../vendor/idb/index.js";

/** Of the database, the cache and the lock. */
export const NAME = "geo-grid-field";

/**
 * A visit on this phone. `body` is what is sent; `state`: it waits to be sent, the server refused it, or it was sent.
 * `name` is that of the compound that was tapped, `recorded` that of the one where the phone was.
 * @typedef {{
 *   number?: number, key: string, account: string, name: string, state: "locating" | "waiting" | "refused" | "sent",
 *   body: { visited_at: string, grid_code: string, note: string, lon?: number, lat?: number, accuracy_m?: number },
 *   why?: { type: string, detail: string }, recorded?: string,
 * }} Entry
 */

const opened = openDB(NAME, 1, {
  upgrade(made) {
    made.createObjectStore("visits", { keyPath: "number", autoIncrement: true });
    made.createObjectStore("kept");
  },
  blocking(_before, _after, event) {
    /** @type {IDBDatabase} */ (event.target).close(); // somebody logs out in another tab
  },
});

/** All visits of this phone, in their order. @returns {Promise<Entry[]>} */
export const entries = async () => (await opened).getAll("visits");

/**
 * Keeps a visit; it is on the phone when this resolves.
 * @param {Entry} entry a new one has no number
 * @returns {Promise<Entry>} with its number
 */
export async function keep(entry) {
  const number = await (await opened).put("visits", entry);
  return { ...entry, number: Number(number) };
}

/**
 * Makes a visit wait to be sent, with where it was; unless somebody did so meanwhile.
 * @param {Entry} entry
 * @param {{ lon?: number, lat?: number, accuracy_m?: number }} place
 */
export async function settle(entry, place) {
  const doing = (await opened).transaction("visits", "readwrite");
  /** @type {Entry | undefined} */
  const its = await doing.store.get(/** @type {number} */ (entry.number));
  if (its?.state === "locating") await doing.store.put({ ...its, state: "waiting", body: { ...its.body, ...place } });
  await doing.done;
}

/** @param {Entry} entry */
export const forget = async entry => (await opened).delete("visits", /** @type {number} */ (entry.number));

/**
 * What was kept under a name.
 * @param {string} name
 * @returns {Promise<any>}
 */
export const kept = async name => (await opened).get("kept", name);

/**
 * @param {string} name
 * @param {unknown} value
 */
export const keepAs = async (name, value) => (await opened).put("kept", value, name);

/** Leaves nothing on this phone, neither visits nor pages; what is being sent is sent first. */
export async function empty() {
  await navigator.locks.request(NAME, async () => {
    (await opened).close();
    await deleteDB(NAME);
  });
  for (const name of await caches.keys()) if (name === NAME) await caches.delete(name);
  for (const one of await navigator.serviceWorker.getRegistrations()) await one.unregister();
}
