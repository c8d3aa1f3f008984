// Talks to our own server. An error carries the detail of its problem+json.
export class ServerError extends Error {
  constructor(message, status, type) {
    super(message);
    Object.assign(this, { status, type });
  }
}

const page = JSON.parse(document.getElementById("geo-grid-page").textContent);

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(String(error.message));
  }
  const body = await answer.json().catch(() => ({}));
  if (answer.status === 401 && page.person) { // the session is over
    location.href = `/login?next=${encodeURIComponent(location.pathname + location.search)}`;
  }
  if (!answer.ok) throw new ServerError(body.detail ?? `HTTP ${answer.status}`, answer.status, body.type);
  return body;
}

// A page's own polling: it does not keep a session alive.
export const poll = (path, options = {}) => ask(path, { ...options, headers: { "Geo-Grid-Background": "1" } });

export const write = (method, path, content, headers = {}) => ask(path, {
  method,
  headers: { "Content-Type": "application/json", ...(page.person?.csrf ? { "X-CSRF-Token": page.person.csrf } : {}), ...headers },
  body: content === undefined ? undefined : JSON.stringify(content),
});

export const report = incident => write("POST", "/incidents", incident.content, { "Idempotency-Key": incident.key });
