// An OpenID Connect provider on the loopback, with its own log-in page:
// node provider.mjs NODE_MODULES PORT REDIRECT_URI
import { createRequire } from "node:module";

const [modules, port, redirect] = process.argv.slice(2);
const { default: Provider } = await import(createRequire(`${modules}/`).resolve("oidc-provider"));
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: "geo_grid", client_secret: "only-for-tests", redirect_uris: [redirect] }],
  pkce: { required: () => true },
});
provider.listen(Number(port), "127.0.0.1", () => console.log("ready"));
