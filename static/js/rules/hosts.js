// Hosts that live pictures come from, and where on them the picture of which camera is.
import { askFor, confirmed } from "../dialogs.js";
import { element } from "../element.js";
import { button, field, lines, panel, table } from "../office.js";
import { ask, write } from "../server.js";
import { number, say } from "../text.js";

/** @typedef {import("../../types.js").Api["KnownHost"]} Host */

const RTSP = 554;
const LAST_PORT = 65535;
const EXAMPLE = "13050200001320000001 /live/0001";

/** @param {string} name */
const address = name => `/streams/hosts/${encodeURIComponent(name)}`;

/** @param {import("../office_tabs.js").Bench} bench @param {Host} [was] */
async function edit(bench, was) {
  const made = await askFor(
    was ? was.name : say("newHost"),
    [
      ...(was ? [] : [field(say("itsCode"), "name", { required: true, pattern: "[a-z0-9][a-z0-9._\\-]{0,62}" })]),
      field(say("hostAddress"), "host", { required: true, value: was?.host ?? "", placeholder: "10.20.0.5" }),
      field(say("port"), "port", { type: "number", min: 1, max: LAST_PORT, required: true, value: was?.port ?? RTSP }),
      field(say("note"), "note", { maxLength: 500, value: was?.note ?? "" }),
      element("p", { className: "quiet", textContent: say("passwordsAreElsewhere") }),
    ],
    {
      button: say("save"),
      send: async ({ name = was?.name, ...given }) => {
        await write("PUT", address(name), { ...given, port: Number(given.port) });
        return { name };
      },
    },
  );
  if (!made) return;
  const before = was && { host: was.host, port: was.port, note: was.note };
  bench.done(say("hostSaved", made), before ? () => write("PUT", address(made.name), before) : undefined);
  await bench.again();
}

/** @param {import("../office_tabs.js").Bench} bench @param {Host} one */
async function remove(bench, { name, camera_count: count }) {
  if (!(await confirmed(say("removeHost", { name, count: number(count) }), say("remove")))) return;
  await bench.act(async () => {
    await write("DELETE", address(name));
    bench.done(say("removedOne", { name }));
  });
}

/** Reads lines of an ID and a path; without a path, the camera has none any more. @param {string} text */
const readAddresses = text =>
  text
    .split("\n")
    .map(line => line.trim().split(/\s+/))
    .filter(([id]) => id)
    .map(([id, path]) => ({ gb28181_id: id, path: path ?? null }));

/** @param {import("../office_tabs.js").Bench} bench @param {Host} host */
async function addresses(bench, { name }) {
  const made = await askFor(
    say("addressesOn", { name }),
    [lines(say("addressLines"), "addresses", { required: true, rows: 8, placeholder: EXAMPLE })],
    {
      button: say("save"),
      send: given => write("PUT", `${address(name)}/cameras`, { cameras: readAddresses(given.addresses) }),
    },
  );
  if (!made) return;
  bench.done(say("addressesSaved", { name, count: number(made.camera_count) }));
  await bench.again();
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function hosts(bench) {
  const { hosts: known } = await ask("/streams/hosts");
  return [
    panel(
      say("streamHosts"),
      element("p", { className: "quiet", textContent: say("hostsTold") }),
      button(say("newHost"), () => edit(bench)),
      table(
        [say("itsCode"), say("hostAddress"), say("note"), say("cameras"), ""],
        known.map(one => [
          one.name,
          `${one.host}:${one.port}`,
          one.note,
          number(one.camera_count),
          element(
            "span",
            { className: "side" },
            button(say("addresses"), () => addresses(bench, one), one.name),
            button(say("edit"), () => edit(bench, one), one.name),
            button(say("remove"), () => remove(bench, one), one.name),
          ),
        ]),
      ),
    ),
  ];
}
