// Police posts: stations, posts and standby points that circles are drawn around.
import { askFor, confirmed } from "../dialogs.js";
import { element } from "../element.js";
import { placeField } from "../finder.js";
import { button, field, panel, select, table } from "../office.js";
import { readPlace } from "../places.js";
import { ask, write } from "../server.js";
import { named, number, say } from "../text.js";

const ITEMS = "/collections/police_posts/items";
const MOST = 1000;
const SHOWN = 200;
const KINDS = ["police_station", "police_post", "standby_post"];
const BASES = ["place_tier", "force_tier", "phase"];
const FIELDS = ["name", "post_kind", "responsible_unit", "circle_basis", "key_periods"];

/** @param {string} code */
const address = code => `${ITEMS}/${encodeURIComponent(code)}`;
/** What is sent of a post as it was. @param {any} feature */
const rulesOf = feature => ({
  geometry: feature.geometry,
  properties: Object.fromEntries(FIELDS.map(name => [name, feature.properties[name] ?? ""])),
});

/** @param {import("../office_tabs.js").Bench} bench @param {any} [was] the feature */
async function edit(bench, was) {
  let isWhole = true; // whether what it was can be brought back: its telephone is not read here
  const had = was?.properties ?? {};
  const made = await askFor(
    was ? `${had.name} ${had.post_code}` : say("newPost"),
    [
      ...(was ? [] : [field(say("itsCode"), "post_code", { required: true, maxLength: 32 })]),
      field(say("name"), "name", { required: true, maxLength: 200, value: had.name ?? "" }),
      select(
        say("kind"),
        "post_kind",
        KINDS.map(one => [one, named("posts", one)]),
        had.post_kind ?? "police_post",
      ),
      placeField(say("placeOfPost"), "place", {
        required: true,
        value: was ? was.geometry.coordinates.join(", ") : "",
        placeholder: say("placeExample"),
      }),
      field(say("responsibleUnit"), "responsible_unit", { maxLength: 200, value: had.responsible_unit ?? "" }),
      field(say("telephone"), "phone", { maxLength: 40, placeholder: was ? say("staysIfEmpty") : "" }),
      select(
        say("circleBasis"),
        "circle_basis",
        BASES.map(one => [one, named("bases_of_circles", one)]),
        had.circle_basis ?? "force_tier",
      ),
      field(say("keyPeriods"), "key_periods", { value: had.key_periods ?? "", placeholder: "Mo-Fr 07:00-09:00" }),
    ],
    {
      button: say("save"),
      send: async ({ place, post_code: code, phone, ...properties }) => {
        isWhole = !was || !phone;
        const at = readPlace(place);
        if (!at) throw new Error(say("placeIsBad"));
        const content = {
          type: "Feature",
          geometry: { type: "Point", coordinates: [at.lon, at.lat] },
          properties: { ...properties, ...(phone ? { phone } : {}), ...(was ? {} : { post_code: code }) },
        };
        return was ? write("PATCH", address(had.post_code), content) : write("POST", ITEMS, content);
      },
    },
  );
  if (!made) return;
  const { name, post_code: code } = made.properties;
  const undo = () =>
    was ? write("PATCH", address(had.post_code), { type: "Feature", ...rulesOf(was) }) : write("DELETE", address(code));
  bench.done(say("postSaved", { name }), isWhole ? undo : undefined);
  await bench.again();
}

/** @param {import("../office_tabs.js").Bench} bench @param {any} one the feature */
async function remove(bench, one) {
  const { name, post_code: code } = one.properties;
  if (!(await confirmed(say("removePost", { name }), say("remove")))) return;
  await bench.act(async () => {
    await write("DELETE", address(code));
    bench.done(say("removedOne", { name })); // its telephone is read by nobody here: it could not be brought back whole
  });
}

/** @param {import("../office_tabs.js").Bench} bench */
export async function posts(bench) {
  /** @type {{ features: any[] }} */
  const { features } = await ask(`${ITEMS}?limit=${MOST}`);
  const list = element("div");
  const sought = element("input", { type: "search", ariaLabel: say("searchPosts"), placeholder: say("searchPosts") });
  function show() {
    const words = sought.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = features.filter(({ properties: one }) => {
      const text = `${one.post_code} ${one.name} ${one.responsible_unit}`.toLowerCase();
      return words.every(word => text.includes(word));
    });
    list.replaceChildren(
      table(
        [say("itsCode"), say("name"), say("kind"), say("responsibleUnit"), say("keyPeriods"), ""],
        found.slice(0, SHOWN).map(one => [
          one.properties.post_code,
          one.properties.name,
          named("posts", one.properties.post_kind),
          one.properties.responsible_unit ?? "",
          one.properties.key_periods || say("anyTime"),
          element(
            "span",
            { className: "side" },
            button(say("edit"), () => edit(bench, one), one.properties.name),
            button(say("remove"), () => remove(bench, one), one.properties.name),
          ),
        ]),
      ),
      element("p", {
        className: "quiet",
        textContent: say("shownOf", {
          shown: number(Math.min(SHOWN, found.length)),
          all: number(found.length),
        }),
      }),
    );
  }
  sought.oninput = show;
  show();
  return [
    panel(
      say("policePosts"),
      element("p", { className: "quiet", textContent: say("postsTold") }),
      element(
        "div",
        { className: "side" },
        button(say("newPost"), () => edit(bench)),
        sought,
      ),
      list,
    ),
  ];
}
