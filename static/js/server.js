// Talks to our own server. An error carries the detail of its problem+json.
export class ServerError extends Error {}

export async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerError(String(error.message));
  }
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new ServerError(body.detail ?? `HTTP ${answer.status}`);
  return body;
}

export const report = incident => ask("/incidents", {
  method: "POST",
  headers: { "Content-Type": "application/json", "Idempotency-Key": incident.key },
  body: JSON.stringify(incident.content),
});
