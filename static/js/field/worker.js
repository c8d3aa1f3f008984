// The service worker of the phone page: without network it gives out that page and its files, and nothing else.
// Answers of the server about people or places never come here: it looks at the page and at /static/ alone.

const worker = /** @type {any} */ (self);
const page = new URL(worker.registration.scope);
const files = new URL("../static/", page).pathname;
const WAIT_MS = 4000; // for a network that does not answer, when there is something to give out instead

worker.addEventListener("install", () => worker.skipWaiting());
worker.addEventListener("activate", event => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", event => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  const isPage = request.mode === "navigate" && pathname === page.pathname;
  if (request.method !== "GET" || origin !== page.origin || !(isPage || pathname.startsWith(files))) return;
  event.respondWith(answer(request, isPage));
});

/**
 * @param {Request} request
 * @param {boolean} isPage which is the same in any language, if it was not kept in this one
 */
async function answer(request, isPage) {
  const cache = await caches.open("geo-grid-field");
  const kept =
    (await cache.match(request, { ignoreVary: true })) ??
    (isPage ? await cache.match(request, { ignoreVary: true, ignoreSearch: true }) : undefined);
  try {
    const found = await fetch(request, kept ? { signal: AbortSignal.timeout(WAIT_MS) } : {});
    if (found.ok) await cache.put(request, found.clone());
    return kept && found.status >= 500 ? kept : found;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
}
