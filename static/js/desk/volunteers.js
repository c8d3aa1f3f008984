// Volunteer teams near a place, by what they can do: asked for when somebody opens the list.
import { element } from "../element.js";
import { ask } from "../server.js";
import { metres, named, number, say } from "../text.js";

const SKILLS = ["patrol", "first_aid", "fire", "flood", "search", "mediation", "traffic"];
const LISTED = 5;

/** @param {import("../../types.js").Api["Team"]} team */
const row = ({ name, phone, member_count: people, distance_m: distance }) =>
  element(
    "li",
    {},
    element("span", { textContent: name }),
    phone ? element("a", { href: `tel:${phone}`, textContent: phone }) : "",
    element("span", {
      className: "quiet",
      textContent: [
        people === null ? "" : say("peopleOf", { count: number(people) }),
        distance === null ? "" : metres(distance),
      ]
        .filter(Boolean)
        .join(" · "),
    }),
  );

/** @param {[lon: number, lat: number]} point degrees, EPSG:4490 */
export function volunteersOf([lon, lat]) {
  const teams = element("ul", { className: "rows" });
  const skill = element(
    "select",
    { ariaLabel: say("skill"), onchange: () => load() },
    element("option", { value: "", textContent: say("anySkill") }),
    ...SKILLS.map(value => element("option", { value, textContent: named("skills", value) })),
  );

  async function load() {
    teams.replaceChildren(element("li", { className: "quiet", textContent: say("loading") }));
    try {
      const asked = `lon=${lon}&lat=${lat}&limit=${LISTED}${skill.value ? `&skill=${skill.value}` : ""}`;
      const found = (await ask(`/volunteers/teams?${asked}`)).teams;
      const none = element("li", { className: "quiet", textContent: say("noTeam") });
      teams.replaceChildren(...(found.length ? found.map(row) : [none]));
    } catch (error) {
      teams.replaceChildren(element("li", { className: "bad", textContent: error.message }));
    }
  }

  const box = element(
    "details",
    { className: "volunteers", ontoggle: () => box.open && !teams.childElementCount && load() },
    element("summary", { textContent: say("volunteersNearBy") }),
    skill,
    teams,
  );
  return box;
}
