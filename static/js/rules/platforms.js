// Platforms that cameras come from: the datum of each, whether it may register over SIP, and how it stands with it.
import { askFor } from "../dialogs.js";
import { element } from "../element.js";
import { button, check, field, panel, select, table } from "../office.js";
import { may } from "../page.js";
import { ask, write } from "../server.js";
import { ago, number, say } from "../text.js";

/** @typedef {import("../../types.js").Api["Platform"]} Platform */

const MOST_CODE = 32;
const CODE = "[0-9A-Za-z._\\-]+";
const SIP_ID = "[0-9]{20}";
const DATUMS = [
  ["EPSG:4490", "CGCS2000 (EPSG:4490)"],
  ["EPSG:4326", "WGS 84 (EPSG:4326)"],
  ["GCJ-02", say("crsGcj02")],
  ["BD-09", say("crsBd09")],
];

/** @param {string} code */
const address = code => `/cameras/platforms/${encodeURIComponent(code)}`;

/** @param {import("../office_tabs.js").Bench} bench @param {Platform} [was] */
async function edit(bench, was) {
  const isKnown = !was || DATUMS.some(([crs]) => crs === was.source_crs);
  const datums = isKnown ? DATUMS : [...DATUMS, [was.source_crs, was.source_crs]];
  const made = await askFor(
    was ? `${was.name} ${was.platform_code}` : say("newPlatform"),
    [
      ...(was ? [] : [field(say("itsCode"), "code", { required: true, maxLength: MOST_CODE, pattern: CODE })]),
      field(say("name"), "name", { required: true, maxLength: 200, value: was?.name ?? "" }),
      select(
        say("datumOfPlatform"),
        "source_crs",
        datums.map(([value, text]) => /** @type {const} */ ([value, text])),
        was?.source_crs ?? "EPSG:4490",
      ),
      field(say("sipId"), "gb28181_id", {
        pattern: SIP_ID,
        value: was?.gb28181_id ?? "",
        title: say("twentyDigits"),
      }),
      check(say("mayRegister"), "is_enabled", Boolean(was?.is_enabled)),
      check(say("datumIsCertain"), "is_crs_certain", Boolean(was?.is_crs_certain)),
    ],
    {
      button: say("save"),
      send: ({ code, gb28181_id: id, is_enabled: enabled, is_crs_certain: certain, ...given }) => {
        const content = {
          ...given,
          gb28181_id: id || null,
          is_enabled: enabled === "yes",
          is_crs_certain: certain === "yes",
        };
        return write("PUT", address(was?.platform_code ?? code), content);
      },
    },
  );
  if (!made) return;
  const before = was && {
    name: was.name,
    source_crs: was.source_crs,
    gb28181_id: was.gb28181_id,
    is_enabled: was.is_enabled,
    is_crs_certain: was.is_crs_certain,
  };
  bench.done(
    say("platformSaved", { name: made.name }),
    before ? () => write("PUT", address(made.platform_code), before) : undefined,
  );
  await bench.again();
}

/** @param {import("../office_tabs.js").Bench} bench @param {Platform} one */
const query = (bench, one) =>
  bench.act(async () => {
    await write("POST", `${address(one.platform_code)}/queries`);
    bench.done(say("platformIsAsked", { name: one.name }));
  });

/** How it stands with a platform. @param {Platform} one */
function standing({ link, is_enabled: isEnabled }) {
  if (!isEnabled) return say("mayNotRegister");
  if (!link) return say("neverCame");
  const counted = { received: number(link.received), announced: number(link.announced) };
  return element(
    "span",
    { className: link.trouble ? "bad" : "" },
    [
      link.is_online ? say("platformIsThere") : say("platformIsAway"),
      link.heard_at ? ago(link.heard_at) : "",
      link.received === null ? "" : say("catalogueCame", counted),
      link.trouble,
    ]
      .filter(Boolean)
      .join(" · "),
  );
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function platforms(bench) {
  const { platforms: known } = await ask("/cameras/platforms");
  const keeps = may("cameras.secret");
  return [
    panel(
      say("cameraPlatforms"),
      element("p", { className: "quiet", textContent: say("platformsTold") }),
      keeps
        ? button(say("newPlatform"), () => edit(bench))
        : element("p", { className: "quiet", textContent: say("platformsAreOthers") }),
      table(
        [say("itsCode"), say("name"), say("datumOfPlatform"), say("cameras"), say("state"), ""],
        known.map(one => [
          one.platform_code,
          one.name,
          [one.source_crs, one.datum_note && `⚠ ${one.datum_note}`].filter(Boolean).join(" "),
          number(one.cameras),
          standing(one),
          element(
            "span",
            { className: "side" },
            keeps ? button(say("edit"), () => edit(bench, one), one.name) : null,
            keeps && one.is_enabled ? button(say("askItsCatalogue"), () => query(bench, one), one.name) : null,
          ),
        ]),
      ),
    ),
  ];
}
