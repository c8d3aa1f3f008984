// Questions to a real server of this process: errors in words, patience, and the way to the log-in.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, test } from "node:test";

let answers = [];
const asked = [];
const server = createServer((request, response) => {
  const { status = 200, body = "{}", headers = {} } = answers.shift() ?? {};
  asked.push({ method: request.method, url: request.url, headers: request.headers });
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(body);
});
await new Promise(done => {
  server.listen(0, "127.0.0.1", done);
});
after(() => server.close());

const origin = `http://127.0.0.1:${server.address().port}`;
const person = { name: "p", rights: ["map"], csrf: "token" };
globalThis.location = { pathname: "/city/maps/wall", search: "?lang=en", href: "" };
globalThis.document = {
  documentElement: { dataset: { base: "/city" } },
  getElementById: () => ({ textContent: JSON.stringify({ lang: "en", person }) }),
};
const { fetch } = globalThis;
globalThis.fetch = (path, options) => fetch(origin + path, options);
const { ask, poll, ServerError, write } = await import("../../static/js/server.js");

const asks = (...given) => {
  answers = given;
  asked.length = 0;
};

test("an answer is its content, an error its detail", async () => {
  asks(
    { body: '{"n": 1}' },
    { status: 400, body: '{"detail": "lon is missing", "type": "BadInput"}' },
    { status: 502, body: "<html>" },
  );
  assert.deepEqual(await ask("/desk"), { n: 1 });
  assert.equal(asked[0].url, "/city/desk");
  await assert.rejects(ask("/desk"), error => {
    assert.ok(error instanceof ServerError);
    assert.deepEqual([error.message, error.status, error.type], ["lon is missing", 400, "BadInput"]);
    return true;
  });
  await assert.rejects(ask("/desk"), /HTTP 502/);
});

test("a busy server is asked again, and whoever waits is told", async () => {
  asks({ status: 503, body: '{"detail": "busy"}' }, { body: '{"n": 2}' });
  const told = [];
  assert.deepEqual(await ask("/desk", { waiting: error => told.push(error.message) }), { n: 2 });
  assert.deepEqual(told, ["busy"]);
  asks({ status: 503, headers: { "Retry-After": "60" } }, {});
  await assert.rejects(ask("/desk"), /HTTP 503/);
  assert.equal(asked.length, 1, "longer than anybody's patience");
});

test("what writes is sent once, with its token", async () => {
  asks({ status: 503 }, {});
  await assert.rejects(write("POST", "/incidents", { lon: 1 }, { "Idempotency-Key": "k" }), /HTTP 503/);
  assert.equal(asked.length, 1);
  assert.equal(asked[0].headers["x-csrf-token"], "token");
  assert.equal(asked[0].headers["idempotency-key"], "k");
  asks({});
  const form = new FormData();
  form.append("file", new Blob(["a"]), "a.csv");
  await write("POST", "/boundaries/imports", form);
  assert.match(asked[0].headers["content-type"], /^multipart\/form-data; boundary=/);
  assert.equal(asked[0].headers["x-csrf-token"], "token");
});

test("a page's own polling says so", async () => {
  asks({});
  await poll("/response/live");
  assert.equal(asked[0].headers["geo-grid-background"], "1");
});

test("when the session is over, the log-in leads back here", async () => {
  asks({ status: 401, body: '{"detail": "log in"}' });
  await assert.rejects(ask("/desk"), /log in/);
  assert.equal(globalThis.location.href, `/city/login?next=${encodeURIComponent("/city/maps/wall?lang=en")}`);
});

test("a question that is given up is not an error of the server", async () => {
  asks({ status: 503 }, {});
  const given = new AbortController();
  const asking = ask("/desk", { signal: given.signal, waiting: () => given.abort() });
  await assert.rejects(asking, error => error.name === "AbortError");
});
