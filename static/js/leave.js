// Logging out, from any page: what waits on this phone to be sent would be lost.
import { go } from "./address.js";
import { page } from "./page.js";
import { write } from "./server.js";
import { say } from "./text.js";

/**
 * Logs out, unless the user would rather send first what waits on this phone.
 * @param {() => void} [leaving] called before, to stop what asks the server
 */
export async function logOut(leaving = () => {}) {
  const known = (await indexedDB.databases?.()) ?? [];
  if (known.some(one => one.name === "geo-grid-field")) {
    const { empty, entries } = await import("./field/store.js");
    const left = (await entries()).filter(entry => entry.state !== "sent").length;
    if (left && !confirm(say("visitsWouldBeLost", { count: left }))) return;
    leaving();
    await write("DELETE", "/session");
    await empty();
  } else {
    leaving();
    await write("DELETE", "/session");
  }
  go(`/login?lang=${page.lang}`);
}
